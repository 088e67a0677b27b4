import { expect, test } from 'vitest';
import { followHistory, type History, noHistory } from '../../../src/pilot/history.js';
import type { Entry, MirrorBatch } from '../../../src/store/store.js';

const head = (revision: number, modRevision: bigint): Entry => ({
  key: 'rev/head',
  value: JSON.stringify({ revision }),
  createRevision: 1n,
  modRevision,
  lease: '',
});
const batch = (regressed: boolean): MirrorBatch => ({
  storeRevision: 9n,
  puts: [],
  deletes: [],
  relisted: regressed,
  regressed,
});
const known: History = { head: head(4, 40n), isLost: false };

test('follows the head of its own history', () => {
  expect(followHistory(noHistory, batch(false), head(1, 7n))).toEqual({ head: head(1, 7n), isLost: false });
  expect(followHistory(known, batch(false), head(5, 50n))).toEqual({ head: head(5, 50n), isLost: false });
});

test('a store that is another one has lost the history, be it empty, older, or as long', () => {
  for (const other of [undefined, head(3, 30n), head(4, 41n), head(9, 90n)]) {
    expect(followHistory(known, batch(true), other)).toEqual({ head: known.head, isLost: true });
  }
});

test('what is lost stays lost while others write to the new store, and is back with its own head', () => {
  const lost = followHistory(known, batch(true), undefined);
  expect(followHistory(lost, batch(false), head(1, 3n)).isLost).toBe(true);
  expect(followHistory(lost, batch(true), head(4, 40n))).toEqual(known);
});

test('a store that kept its head, or a pilot that had none, has lost nothing', () => {
  expect(followHistory(known, batch(true), head(4, 40n)).isLost).toBe(false);
  expect(followHistory(noHistory, batch(true), head(1, 2n)).isLost).toBe(false);
});
