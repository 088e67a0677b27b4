/** Runs steps, one per lane at a time, and calls one off when the decision behind it has become another. */
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Outcome } from './execute.js';
import { describeStep, laneOf, type Step } from './steps.js';

const RETRY: Backoff = { baseMs: 500, maxMs: 30_000 };
const WAIT_MS = 300;

interface Lane {
  running: { readonly text: string; readonly step: Step; readonly abort: AbortController } | undefined;
  /** The step that failed last, and when it may be tried again. */
  failed:
    | { readonly text: string; readonly count: number; readonly untilMs: number; readonly reason: string }
    | undefined;
  done: Promise<void>;
}

export interface Lanes {
  /** What is under way and still wanted goes on; what is not is called off; the rest begins when its lane is free. */
  follow(steps: readonly Step[]): void;
  /** Steps that fail again and again, each with why. */
  problems(): readonly string[];
  /** Calls everything off and waits for it to end. */
  close(): Promise<void>;
}

export interface LanesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly run: (step: Step, signal: AbortSignal) => Promise<Outcome>;
  /** May this bring-up go on, although the decision by now is another? */
  readonly mayGoOn: (step: Step) => boolean;
  readonly onFailure: (reason: string) => void;
  /** Something ended, or may be tried again. */
  readonly onProgress: () => void;
}

export function openLanes({ clock, log, run, mayGoOn, onFailure, onProgress }: LanesOptions): Lanes {
  const lanes = new Map<string, Lane>();
  const closing = new AbortController();
  const progressIn = (ms: number): void => {
    // Nobody waits for this: it is a reminder, and after the end nobody needs it.
    void clock.sleep(ms, closing.signal).then(onProgress, () => {});
  };
  const start = (lane: Lane, step: Step): void => {
    const abort = new AbortController();
    const text = JSON.stringify(step);
    lane.running = { text, step, abort };
    lane.done = run(step, abort.signal)
      .then((outcome) => {
        lane.failed = undefined;
        if (outcome === 'wait') progressIn(WAIT_MS);
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        const count = lane.failed?.text === text ? lane.failed.count + 1 : 1;
        const pauseMs = backoffMs(RETRY, count - 1, Math.random);
        const reason = `could not ${describeStep(step)}: ${messageOf(error)}`;
        lane.failed = { text, count, untilMs: clock.monotonic() + pauseMs, reason };
        log.warn({ step: step.action, count, error }, reason);
        onFailure(reason);
        progressIn(pauseMs);
      })
      .finally(() => {
        lane.running = undefined;
        if (!closing.signal.aborted) onProgress();
      });
  };
  return {
    follow(steps) {
      if (closing.signal.aborted) return;
      const wanted = new Map(steps.map((step) => [laneOf(step), step]));
      for (const [name, lane] of lanes) {
        const { running } = lane;
        const next = wanted.get(name);
        if (running === undefined) {
          if (next === undefined) lanes.delete(name);
        } else if (running.text !== JSON.stringify(next) && !mayGoOn(running.step)) {
          running.abort.abort(new Error('called off: the plan or the facts have changed'));
        }
      }
      for (const [name, step] of wanted) {
        const lane = lanes.get(name) ?? { running: undefined, failed: undefined, done: Promise.resolve() };
        lanes.set(name, lane);
        if (lane.running !== undefined) continue;
        const isResting = lane.failed?.text === JSON.stringify(step) && clock.monotonic() < lane.failed.untilMs;
        if (!isResting) start(lane, step);
      }
    },
    problems: () =>
      [...lanes.values()].flatMap(({ failed }) => (failed === undefined ? [] : [failed.reason])).toSorted(),
    async close() {
      closing.abort(new Error('closed'));
      for (const lane of lanes.values()) lane.running?.abort.abort(closing.signal.reason);
      await Promise.all([...lanes.values()].map((lane) => lane.done));
    },
  };
}
