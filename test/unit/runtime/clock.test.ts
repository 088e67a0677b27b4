import { expect, test } from 'vitest';
import { systemClock } from '../../../src/runtime/clock.js';

test('a sleep is never too short by the clock that deadlines are made of', async () => {
  const lengths = Array.from({ length: 300 }, (_, i) => 1 + (i % 30) / 10);
  const slept = await Promise.all(
    lengths.map(async (ms) => {
      const startedMs = systemClock.monotonic();
      await systemClock.sleep(ms);
      return systemClock.monotonic() - startedMs - ms;
    }),
  );
  expect(Math.min(...slept)).toBeGreaterThanOrEqual(0);
});

test('a sleep that is cut short rejects with the reason', async () => {
  const abort = new AbortController();
  const anHourMs = 3_600_000;
  const slept = systemClock.sleep(anHourMs, abort.signal);
  abort.abort(new Error('enough'));
  await expect(slept).rejects.toThrow('enough');
});
