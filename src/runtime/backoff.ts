export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Exponential with equal jitter: half of the delay is certain, half is drawn. `attempt` counts from 0. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const full = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random();
}
