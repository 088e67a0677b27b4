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

  constructor(clock: Clock, minIntervalMs: number, act: () => Promise<void> | void) {
    this.#clock = clock;
    this.#minIntervalMs = minIntervalMs;
    this.#act = act;
  }

  note(): void {
    this.#noted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends waiting, lets a run in progress finish. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#noted && !this.#abort.signal.aborted) {
      const waitMs = this.#lastMs + this.#minIntervalMs - this.#clock.monotonic();
      if (waitMs > 0) {
        try {
          await this.#clock.sleep(waitMs, this.#abort.signal);
        } catch {
          return; // closed while waiting
        }
      }
      this.#noted = false;
      this.#lastMs = this.#clock.monotonic();
      await this.#act();
    }
  }
}
