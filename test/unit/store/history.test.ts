import { expect, test } from 'vitest';
import type { Epoch } from '../../../src/store/epoch.js';
import { followHistory, type History, isWitness, noHistory, type Sight } from '../../../src/store/history.js';
import type { Entry } from '../../../src/store/store.js';

const head = (revision: number, modRevision: bigint): Entry => ({
  key: 'rev/head',
  value: JSON.stringify({ revision }),
  createRevision: 1n,
  modRevision,
  lease: '',
});
const epoch = (id: string, accepts: readonly string[] = []): Epoch => {
  return { id, at: 1, made: accepts.length > 0 ? 'adopt' : 'first', by: '', why: '', after: '', accepts };
};
const known: History = { epoch: 'one', storeRevision: 40n, head: head(4, 40n), lost: undefined };
const sight = (rest: Partial<Sight>): Sight => {
  return { regressed: true, storeRevision: 9n, epoch: epoch('one'), head: undefined, ...rest };
};
const wiped = sight({ epoch: undefined, storeRevision: 1n });

test('follows the head of its own history, and takes the first one that it sees', () => {
  const first = followHistory(noHistory, sight({ head: head(1, 7n), storeRevision: 8n }));
  expect(first).toEqual({ epoch: 'one', storeRevision: 8n, head: head(1, 7n), lost: undefined });
  const next = followHistory(first, sight({ regressed: false, head: head(5, 50n), storeRevision: 50n }));
  expect(next).toEqual({ epoch: 'one', storeRevision: 50n, head: head(5, 50n), lost: undefined });
});

test.each([
  ['is empty', wiped, 'is empty'],
  ['has another epoch', sight({ epoch: epoch('two'), storeRevision: 90n, head: head(9, 90n) }), 'another history'],
  ['has another epoch and the same head', sight({ epoch: epoch('two'), head: known.head }), 'another history'],
  ['went back', sight({ head: head(3, 30n), storeRevision: 30n }), 'gone back behind revision 40'],
  ['went back, but not behind the head', sight({ head: known.head, storeRevision: 39n }), 'gone back'],
])('a store that %s has lost the history, and what was known stays known', (_, seen, why) => {
  const lost = followHistory(known, seen);
  expect(lost).toMatchObject({ epoch: 'one', head: known.head, storeRevision: 40n });
  expect(lost.lost).toContain(why);
});

test('what is lost stays lost while others write to the store, and is back with the mesh that was known', () => {
  const lost = followHistory(known, wiped);
  const other = followHistory(
    lost,
    sight({ regressed: false, epoch: epoch('two'), head: head(1, 60n), storeRevision: 60n }),
  );
  expect(other.lost).toContain('another history');
  const back = sight({ head: known.head, storeRevision: 41n, regressed: true });
  expect(followHistory(other, back)).toEqual({ ...known, storeRevision: 41n });
});

test('one loss has one reason, however much is written to the store meanwhile', () => {
  const lost = followHistory(known, sight({ storeRevision: 20n }));
  for (const storeRevision of [21n, 39n]) {
    expect(followHistory(lost, sight({ regressed: false, storeRevision }))).toEqual(lost);
  }
});

test('an operator who adopts the store ends it, for those whose history he gave up and for nobody else', () => {
  const lost = followHistory(known, wiped);
  const adopted = sight({ epoch: epoch('three', ['one', 'two']), storeRevision: 12n });
  expect(followHistory(lost, adopted)).toEqual({
    epoch: 'three',
    storeRevision: 12n,
    head: undefined,
    lost: undefined,
  });
  expect(followHistory(lost, sight({ epoch: epoch('three', ['two']) })).lost).toContain('made by adopt');
  // An adoption of before, brought back by a backup, is none.
  const later: History = { ...known, epoch: 'four' };
  expect(followHistory(later, sight({ epoch: epoch('three', ['one']) })).lost).toContain('another history');
});

test('an epoch that continues the known one is followed without a word', () => {
  expect(followHistory(known, sight({ epoch: epoch('two', ['one']), storeRevision: 41n })).lost).toBeUndefined();
});

test('who knows a lost history objects until that history is given up', () => {
  const lost = { epoch: 'one', reason: 'the store is empty' };
  expect(isWitness(lost, undefined)).toBe(true);
  expect(isWitness(lost, epoch('one'))).toBe(true);
  expect(isWitness(lost, epoch('two', ['one']))).toBe(false);
  expect(isWitness(undefined, epoch('two'))).toBe(false);
});
