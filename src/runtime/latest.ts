/**
 * Note, wait, act: runs `act` once for any number of notes, never twice at a time. The first note runs at once (leading
 * edge); while notes keep coming, runs are at least `minIntervalMs` apart; notes during a run lead to one more run.
 */
import type { Clock } from './clock.js';

export class Latest {
  #noted = false;
  #running: Promise<void> | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  readonly #clock: Clock;
  readonly #minIntervalMs: number;
  readonly #act: () => Promise<void> | void;
  readonly #abort = new AbortController();
  #isUrgent = false;
  #hurry = new AbortController();

  constructor(clock: Clock, minIntervalMs: number, act: () => Promise<void> | void) {
    this.#clock = clock;
    this.#minIntervalMs = minIntervalMs;
    this.#act = act;
  }

  note(): void {
    this.#noted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // A note may come between the last look at it and this line: it must not be lost.
      if (this.#noted && !this.#abort.signal.aborted) this.note();
    });
  }

  /** Like `note`, but the interval is not waited for: for what must not wait behind a storm of other changes. */
  noteUrgent(): void {
    this.#isUrgent = true;
    this.#hurry.abort(new Error('urgent'));
    this.note();
  }

  /** Resolves when all that was noted so far has been acted upon. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Ends waiting, lets a run in progress finish. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('closed'));
    this.#hurry.abort(new Error('closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#noted && !this.#abort.signal.aborted) {
      const waitMs = this.#lastMs + this.#minIntervalMs - this.#clock.monotonic();
      if (waitMs > 0 && !this.#isUrgent) {
        this.#hurry = new AbortController();
        await this.#clock.sleep(waitMs, this.#hurry.signal).catch(() => undefined); // closed, or somebody is in a hurry
        if (this.#abort.signal.aborted) return;
      }
      this.#noted = false;
      this.#isUrgent = false;
      this.#lastMs = this.#clock.monotonic();
      await this.#act();
    }
  }
}
