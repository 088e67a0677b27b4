/** An application's own word on whether it should be listed, asked again and again. */
import type { Clock } from '../runtime/clock.js';
import { withEither } from '../runtime/either-signal.js';
import { messageOf } from '../runtime/mesh-error.js';

export interface HealthCheck {
  /** False, or an error: unhealthy. The signal aborts when it takes longer than the interval, which counts as unhealthy too. */
  readonly check: (signal: AbortSignal) => boolean | Promise<boolean>;
  /** Default 2 s. */
  readonly intervalMs?: number;
}

export interface Health {
  /** Why it is unhealthy; undefined when it is healthy. */
  failure(): string | undefined;
  close(): Promise<void>;
}

const DEFAULT_INTERVAL_MS = 2_000;
/** In a row, before a healthy one is taken out: one slow answer is no illness. */
const FALL = 2;

/** Without a check it is always healthy; with one, not before its first success. */
export function followHealth(healthCheck: HealthCheck | undefined, clock: Clock, onChange: () => void): Health {
  if (healthCheck === undefined) return { failure: () => undefined, close: () => Promise.resolve() };
  const { check, intervalMs = DEFAULT_INTERVAL_MS } = healthCheck;
  const closing = new AbortController();
  let failure: string | undefined = 'not checked yet';
  let failures = FALL - 1; // the first failure already speaks

  const look = async (): Promise<void> => {
    const found = await failureOf(check, intervalMs, clock, closing.signal);
    if (closing.signal.aborted) return;
    failures = found === undefined ? 0 : failures + 1;
    const before = failure;
    if (found === undefined || failures >= FALL) failure = found;
    if (failure !== before) onChange();
  };
  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const nextMs = clock.monotonic() + intervalMs;
      await look();
      await clock.sleep(Math.max(0, nextMs - clock.monotonic()), closing.signal).catch(() => {}); // closed: the loop ends
    }
  };
  const running = run();
  return {
    failure: () => failure,
    close: () => {
      closing.abort(new Error('closed'));
      return running;
    },
  };
}

/** Undefined for a success. Never waits longer than the limit, whatever the check does. */
async function failureOf(
  check: HealthCheck['check'],
  limitMs: number,
  clock: Clock,
  closing: AbortSignal,
): Promise<string | undefined> {
  const done = new AbortController();
  const tooLong = withEither([done.signal, closing], (either) => clock.sleep(limitMs, either)).then(
    () => `no answer in ${limitMs} ms`,
    () => 'closed',
  );
  const answer = (async () => check(done.signal))().then(
    (isHealthy) => (isHealthy ? undefined : 'the check says no'),
    (error: unknown) => messageOf(error),
  );
  try {
    return await Promise.race([answer, tooLong]);
  } finally {
    done.abort(new Error('the time for this check is over'));
  }
}
