import type { Clock } from '../../src/runtime/clock.js';

/** A clock that stands still until a test lets time pass; whoever sleeps wakes when its time has come. */
export function handClock(startMs = 1_700_000_000_000): {
  readonly clock: Clock;
  readonly pass: (ms: number) => Promise<void>;
} {
  let now = startMs;
  const sleepers = new Set<{ readonly atMs: number; wake(): void }>();
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const stop = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason as Error);
        };
        const wake = (): void => {
          signal?.removeEventListener('abort', stop);
          resolve();
        };
        const sleeper = { atMs: now + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', stop, { once: true });
      }),
  };
  /** Lets everything that can go on without time go on. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    async pass(ms) {
      await settle();
      const endMs = now + ms;
      for (;;) {
        const [next] = [...sleepers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        now = Math.max(now, next.atMs);
        sleepers.delete(next);
        next.wake();
        await settle();
      }
      now = endMs;
      await settle();
    },
  };
}
