import { describe, expect, it } from 'vitest';
import { compactionTarget } from '../../../src/store/embedded/retention.js';

const MIB = 1024 * 1024;

describe('the history that is kept', () => {
  it.each([
    ['an hour, when that is more than ten thousand revisions', { bytes: MIB, oldRevision: 20_000 }, 20_000],
    ['ten thousand revisions, when that is more than an hour', { bytes: MIB, oldRevision: 99_000 }, 90_000],
    ['ten thousand revisions, when an hour is too large to hold', { bytes: 65 * MIB, oldRevision: 20_000 }, 90_000],
    ['a thousand revisions, when those are too large too', { bytes: 129 * MIB, oldRevision: 20_000 }, 99_000],
  ])('is %s', (_, history, target) => {
    expect(compactionTarget({ head: 100_000, ...history })).toBe(target);
  });
});
