import { expect, test } from 'vitest';
import type { Clock } from '../../../src/runtime/clock.js';
import { Latest } from '../../../src/runtime/latest.js';

/** Time stands still until it is moved; sleepers wake when their time has come. */
function handClock(): Clock & { move(ms: number): Promise<void> } {
  let now = 0;
  let sleepers: { at: number; wake: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { at: now + ms, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter((one) => one !== sleeper);
          reject(signal.reason as Error);
        });
      }),
    async move(ms) {
      now += ms;
      const due = sleepers.filter((sleeper) => sleeper.at <= now);
      sleepers = sleepers.filter((sleeper) => sleeper.at > now);
      for (const { wake } of due) wake();
      await settled();
    },
  };
}

/** All that is ready to run has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('acts at once on the first note, then once per interval however many notes come', async () => {
  const clock = handClock();
  let acts = 0;
  const latest = new Latest(clock, 100, () => void acts++);
  latest.note();
  expect(acts).toBe(1);
  latest.note();
  latest.note();
  await clock.move(99);
  expect(acts).toBe(1);
  await clock.move(1);
  expect(acts).toBe(2);
  await latest.close();
});

test('an urgent note does not wait, and the note that waited is done with it', async () => {
  const clock = handClock();
  let acts = 0;
  const latest = new Latest(clock, 100, () => void acts++);
  latest.note();
  latest.note();
  await settled();
  latest.noteUrgent();
  await settled();
  expect(acts).toBe(2);
  await clock.move(100);
  expect(acts).toBe(2);
  await latest.close();
});

test('a note that comes while a run is ending leads to one more run', async () => {
  const clock = handClock();
  let acts = 0;
  let end = (): void => {};
  const latest = new Latest(clock, 0, async () => {
    acts++;
    await new Promise<void>((resolve) => (end = resolve));
  });
  latest.note();
  end();
  // Queued behind the loop's own last look, before its promise is settled.
  queueMicrotask(() => queueMicrotask(() => latest.note()));
  await settled();
  expect(acts).toBe(2);
  end();
  await latest.close();
});

test('close ends the waiting, and nothing runs after it', async () => {
  const clock = handClock();
  let acts = 0;
  const latest = new Latest(clock, 100, () => void acts++);
  latest.note();
  latest.note();
  await latest.close();
  await clock.move(1000);
  latest.note();
  await clock.move(1000);
  expect(acts).toBe(1);
});
