/** Which instances were tried in vain, or died, and how long they are left alone for it. */
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';

/** The first pause is long enough for a person to see that an instance is gone, and short for everybody else. */
const REST: Backoff = { baseMs: 2000, maxMs: 60_000 };
/** After so long without a new failure the old ones do not count any more. */
const FORGIVE_MS = 120_000;

interface Rest {
  failures: number;
  untilMs: number;
  lastMs: number;
  startsAlone: boolean;
  reason: string;
}

export interface Rests {
  isResting(instance: string): boolean;
  startsAlone(instance: string): boolean;
  /** Of the last failure, empty when there was none since it came up. */
  reason(instance: string): string;
  /** A container of it died: it is left alone for a moment. */
  died(instance: string): void;
  /** Bringing it up failed. In company it is not told whose fault it was: the next try is at once and alone. */
  failed(instance: string, reason: string, wasAlone: boolean): void;
  /** It came up. */
  succeeded(instance: string): void;
  forget(instance: string): void;
}

/** `onRested` is called when a pause is over. */
export function openRests(clock: Clock, random: () => number, onRested: () => void, signal: AbortSignal): Rests {
  const rests = new Map<string, Rest>();
  const of = (instance: string): Rest => {
    const now = clock.monotonic();
    let rest = rests.get(instance);
    if (rest === undefined || now - rest.lastMs > FORGIVE_MS) {
      rest = { failures: 0, untilMs: now, lastMs: now, startsAlone: false, reason: '' };
      rests.set(instance, rest);
    }
    return rest;
  };
  const pause = (rest: Rest): void => {
    const now = clock.monotonic();
    // App and sidecar die together, or one event comes twice: one death.
    if (rest.untilMs > now) return;
    const ms = backoffMs(REST, rest.failures++, random);
    rest.untilMs = now + ms;
    rest.lastMs = now;
    void clock.sleep(ms, signal).then(onRested, () => {}); // a reminder that nobody waits for; closed: nobody needs it
  };
  return {
    isResting: (instance) => (rests.get(instance)?.untilMs ?? Number.NEGATIVE_INFINITY) > clock.monotonic(),
    startsAlone: (instance) => rests.get(instance)?.startsAlone === true,
    reason: (instance) => rests.get(instance)?.reason ?? '',
    died: (instance) => pause(of(instance)),
    failed(instance, reason, wasAlone) {
      const rest = of(instance);
      rest.startsAlone = true;
      rest.reason = reason;
      if (wasAlone) pause(rest);
    },
    succeeded(instance) {
      const rest = rests.get(instance);
      if (rest === undefined) return;
      rest.startsAlone = false;
      rest.reason = '';
    },
    forget: (instance) => void rests.delete(instance),
  };
}
