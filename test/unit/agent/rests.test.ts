import { expect, test } from 'vitest';
import { openRests } from '../../../src/agent/rests.js';
import type { Clock } from '../../../src/runtime/clock.js';

/** Jitter at its upper end: pauses are 2 s, 4 s, 8 s … */
function setUp() {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => new Promise(() => {}) };
  const rests = openRests(
    clock,
    () => 1,
    () => {},
    new AbortController().signal,
  );
  return { rests, pass: (ms: number) => void (now += ms) };
}

test('what died is left alone for a moment, longer each time it dies again', () => {
  const { rests, pass } = setUp();
  rests.died('a');
  expect(rests.isResting('a')).toBe(true);
  pass(2000);
  expect(rests.isResting('a')).toBe(false);
  rests.died('a');
  pass(3999);
  expect(rests.isResting('a')).toBe(true);
  pass(1);
  expect(rests.isResting('a')).toBe(false);
});

test('app and sidecar that die together are one death', () => {
  const { rests, pass } = setUp();
  rests.died('a');
  rests.died('a');
  pass(2000);
  expect(rests.isResting('a')).toBe(false);
});

test('old failures are forgiven', () => {
  const { rests, pass } = setUp();
  for (let i = 0; i < 5; i++) {
    rests.died('a');
    pass(60_000);
  }
  pass(200_000);
  rests.died('a');
  pass(2000);
  expect(rests.isResting('a')).toBe(false);
});

test('what failed in company is tried alone at once, what failed alone rests', () => {
  const { rests } = setUp();
  rests.failed('a', 'no image', false);
  expect(rests.startsAlone('a')).toBe(true);
  expect(rests.isResting('a')).toBe(false);
  rests.failed('a', 'no image', true);
  expect(rests.isResting('a')).toBe(true);
  expect(rests.reason('a')).toBe('no image');
  rests.succeeded('a');
  expect(rests.startsAlone('a')).toBe(false);
  expect(rests.reason('a')).toBe('');
});
