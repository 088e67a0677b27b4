/** The one door to time. Pure houses never see it; everything that waits takes one as a parameter. */
export interface Clock {
  /** Wall time, milliseconds since the epoch: for people and for records, never for deadlines. */
  now(): number;
  /** Milliseconds on a clock that only goes forward: for deadlines, leases and measured durations. */
  monotonic(): number;
  /** Resolves when at least `ms` have passed by `monotonic`, or rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      // A timer drops fractions and may be a millisecond early: who then looks at the clock would find it is not time yet.
      const untilMs = performance.now() + ms;
      const wake = (): void => {
        const leftMs = untilMs - performance.now();
        if (leftMs > 0) {
          timer = setTimeout(wake, Math.ceil(leftMs));
          return;
        }
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      let timer = setTimeout(wake, ms);
      signal?.addEventListener('abort', stop, { once: true });
    }),
};
