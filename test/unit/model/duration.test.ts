import { describe, expect, it } from 'vitest';
import { formatDurationMs, parseDurationMs, protoDuration } from '../../../src/model/duration.js';

describe('durations', () => {
  it.each([
    ['1.5s', 1500],
    ['250ms', 250],
    ['1h30m', 5_400_000],
    ['0s', 0],
  ])('reads %s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));

  it.each(['', '5', 's', '1 s', '-1s', '3 seconds', '1.s'])('refuses "%s"', (text) =>
    expect(parseDurationMs(text)).toBeUndefined(),
  );

  it('writes what proto3 JSON reads', () => expect(protoDuration(250)).toBe('0.25s'));

  it.each([
    [12, '12ms'],
    [1234, '1.2s'],
    [90_000, '1m30s'],
    [5_400_000, '1h30m'],
    [90_000_000, '1d1h'],
  ])('shows %d ms as %s', (ms, text) => expect(formatDurationMs(ms)).toBe(text));
});
