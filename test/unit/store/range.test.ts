import { describe, expect, it } from 'vitest';
import { covers, disjoint, hull, prefixEnd, type Range, toInterval } from '../../../src/store/range.js';

const intervals = (...ranges: Range[]) => ranges.map(toInterval);
const text = ({ start, end }: { start: Buffer; end: Buffer | undefined }) => [start.toString(), end?.toString()];

describe('ranges of keys', () => {
  it('end a prefix before the first key that does not have it', () => {
    expect(prefixEnd(Buffer.from('a/'))).toEqual(Buffer.from('a0'));
    expect(prefixEnd(Buffer.from([0x61, 0xff]))).toEqual(Buffer.from([0x62]));
    expect(prefixEnd(Buffer.from([0xff, 0xff]))).toBeUndefined();
    expect(prefixEnd(Buffer.alloc(0))).toBeUndefined();
  });

  it('are covered by one interval, which is what a watch asks for', () => {
    const covering = hull(intervals({ prefix: 'lightmesh/' }, { start: 'versions.', end: 'versions0' }, { key: 'm' }));
    expect(text(covering)).toEqual(['lightmesh/', 'versions0']);
    expect(text(hull(intervals({ prefix: '' }, { key: 'a' })))).toEqual(['', undefined]);
  });

  it('are merged where they overlap or touch, so that no key is listed twice', () => {
    const merged = disjoint(intervals({ prefix: 'b/' }, { prefix: 'a/' }, { key: 'a/x' }, { start: 'b0', end: 'c' }));
    expect(merged.map(text)).toEqual([
      ['a/', 'a0'],
      ['b/', 'c'],
    ]);
  });

  it('contain their start and not their end', () => {
    const held = intervals({ start: 'b', end: 'd' });
    const contained = ['a', 'b', 'c', 'd'].filter((key) => covers(held, Buffer.from(key)));
    expect(contained).toEqual(['b', 'c']);
  });
});
