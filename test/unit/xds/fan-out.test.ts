import { describe, expect, test } from 'vitest';
import { fanOut } from '../../../src/xds/fan-out.js';

/** Each telling takes so many milliseconds of a clock that stands still otherwise. */
function scene(costMs: number) {
  let nowMs = 0;
  const told: string[] = [];
  const next: (() => void)[] = [];
  const fan = fanOut<string>(
    (name) => {
      told.push(name);
      nowMs += costMs;
    },
    { monotonic: () => nowMs },
    (slice) => next.push(slice),
  );
  return { fan, told, next };
}

describe('a fan-out', () => {
  test('tells a few at once', () => {
    const { fan, told, next } = scene(1);
    fan.add(['a', 'b']);
    expect(told).toEqual(['a', 'b']);
    expect(next).toEqual([]);
  });

  test('lets others have the event loop in between', () => {
    const { fan, told, next } = scene(10);
    fan.add(['a', 'b', 'c']);
    expect(told).toEqual(['a', 'b']);
    next.shift()?.();
    expect(told).toEqual(['a', 'b', 'c']);
    expect(next).toEqual([]);
  });

  test('tells once who is added twice while waiting, and again who was told already', () => {
    const { fan, told, next } = scene(20);
    fan.add(['a', 'b', 'c']);
    fan.add(['b', 'a']);
    while (next.length > 0) next.shift()?.();
    expect(told).toEqual(['a', 'b', 'c', 'a']);
  });

  test('forgets who has gone', () => {
    const { fan, told, next } = scene(20);
    fan.add(['a', 'b']);
    fan.delete('b');
    next.shift()?.();
    expect(told).toEqual(['a']);
  });
});
