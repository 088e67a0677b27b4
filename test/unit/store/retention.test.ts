import { describe, expect, it } from 'vitest';
import { compactionTarget, isWorthRewriting } from '../../../src/store/embedded/retention.js';

const MIB = 1024 * 1024;

describe('the history that is kept', () => {
  it.each([
    ['an hour, when that is more than ten thousand revisions', { bytes: MIB, oldRevision: 20_000 }, 20_000],
    ['ten thousand revisions, when that is more than an hour', { bytes: MIB, oldRevision: 99_000 }, 90_000],
    ['ten thousand revisions, when an hour is too large to hold', { bytes: 65 * MIB, oldRevision: 20_000 }, 90_000],
    ['a thousand revisions, when those are too large too', { bytes: 129 * MIB, oldRevision: 20_000 }, 99_000],
  ])('is %s', (_, history, target) => {
    expect(compactionTarget({ head: 100_000, quotaBytes: 2048 * MIB, ...history })).toBe(target);
  });

  it('is never nearer to the head than a thousand revisions, however small the quota', () => {
    const history = { head: 100_000, bytes: 100 * MIB, oldRevision: 100_000, quotaBytes: 4 * MIB };
    expect(compactionTarget(history)).toBe(99_000);
  });
});

describe('the journal', () => {
  it.each([
    ['not while it is small', { bytes: 15 * MIB, rewrittenBytes: 0 }, false],
    ['when it has doubled', { bytes: 41 * MIB, rewrittenBytes: 20 * MIB }, true],
    ['not before', { bytes: 39 * MIB, rewrittenBytes: 20 * MIB }, false],
    ['sooner when half of the quota is used', { bytes: 1300 * MIB, rewrittenBytes: 1000 * MIB }, true],
    ['but not for nothing', { bytes: 1200 * MIB, rewrittenBytes: 1000 * MIB }, false],
  ])('is written anew: %s', (_, size, expected) => {
    expect(isWorthRewriting({ quotaBytes: 2048 * MIB, ...size })).toBe(expected);
  });
});
