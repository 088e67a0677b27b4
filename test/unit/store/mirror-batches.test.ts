import type { IEvent } from 'etcd3';
import { describe, expect, it } from 'vitest';
import { applyBatch, batchOfEvents, batchOfListing, newRevisions } from '../../../src/store/mirror-batches.js';
import { toInterval } from '../../../src/store/range.js';
import type { Entry } from '../../../src/store/store.js';

const entry = (key: string, value: string, modRevision: bigint): Entry => {
  return { key, value, modRevision, createRevision: 1n, lease: '0' };
};
const event = (type: 'Put' | 'Delete', key: string, revision: number, value = ''): IEvent => {
  const bytes = { key: Buffer.from(key), value: Buffer.from(value) };
  const kv = { ...bytes, create_revision: '1', mod_revision: String(revision), version: '1', lease: '0' };
  return { type, kv, prev_kv: kv };
};
const copyOf = (...entries: Entry[]) => new Map(entries.map((one) => [one.key, one]));
const held = [toInterval({ prefix: 'a/' })];

describe('events of a watch', () => {
  it('are one batch per revision, and those already known are left out', () => {
    const events = [
      event('Put', 'a/1', 9),
      event('Put', 'a/1', 10),
      event('Put', 'a/2', 10),
      event('Delete', 'a/1', 12),
    ];
    const revisions = newRevisions(9n, events);
    expect(revisions.map(({ storeRevision, events: own }) => [storeRevision, own.length])).toEqual([
      [10n, 2],
      [12n, 1],
    ]);
  });

  it('compare revisions as numbers, not as text', () => {
    expect(newRevisions(9n, [event('Put', 'a/1', 10)])).toHaveLength(1);
    expect(newRevisions(10n, [event('Put', 'a/1', 9)])).toHaveLength(0);
  });

  it('outside of what the copy holds make no batch', () => {
    const [revision] = newRevisions(0n, [event('Put', 'b/1', 5)]);
    expect(revision && batchOfEvents(new Map(), held, revision)).toBeUndefined();
  });

  it('that delete bring along what was there', () => {
    const copy = copyOf(entry('a/1', 'old', 3n));
    const [revision] = newRevisions(3n, [event('Delete', 'a/1', 5), event('Delete', 'a/unknown', 5)]);
    const batch = revision && batchOfEvents(copy, held, revision);
    expect(batch?.deletes).toEqual([{ key: 'a/1', previous: entry('a/1', 'old', 3n) }]);
    if (batch) applyBatch(copy, batch);
    expect(copy.size).toBe(0);
  });
});

describe('a new list', () => {
  it('is told as its differences, oldest change first', () => {
    const copy = copyOf(entry('a/same', '1', 1n), entry('a/changed', '1', 2n), entry('a/gone', '1', 3n));
    const entries = [entry('a/changed', '2', 9n), entry('a/new', '1', 7n), entry('a/same', '1', 1n)];
    const batch = batchOfListing(copy, { entries, storeRevision: 10n }, false);
    expect(batch).toMatchObject({ storeRevision: 10n, relisted: true, regressed: false });
    expect(batch.puts.map(({ key }) => key)).toEqual(['a/new', 'a/changed']);
    expect(batch.deletes.map(({ key }) => key)).toEqual(['a/gone']);
    applyBatch(copy, batch);
    expect([...copy.values()].map(({ value }) => value).sort()).toEqual(['1', '1', '2']);
  });

  it('of a restored store differs where revisions are equal by chance', () => {
    const copy = copyOf(entry('a/1', 'before', 5n));
    const batch = batchOfListing(copy, { entries: [entry('a/1', 'after', 5n)], storeRevision: 5n }, true);
    expect(batch.puts).toEqual([entry('a/1', 'after', 5n)]);
  });
});
