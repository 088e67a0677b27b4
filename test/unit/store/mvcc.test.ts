import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mvcc } from '../../../src/store/embedded/mvcc.js';
import { SortedKeys } from '../../../src/store/embedded/sorted-keys.js';

const all = { key: '', single: false, end: undefined };
const value = (text: string): Buffer => Buffer.from(text);
const texts = (mvcc: Mvcc, atRevision?: number): string[] =>
  [...mvcc.range(all, atRevision)].map((version) => `${version.key}=${String(version.value)}`);

function filled(): Mvcc {
  const mvcc = new Mvcc();
  mvcc.put('a', value('1'), '0');
  mvcc.put('b', value('1'), '0');
  mvcc.commit(1000);
  mvcc.put('a', value('2'), '0');
  mvcc.commit(2000);
  mvcc.delete('b');
  mvcc.commit(3000);
  return mvcc;
}

describe('versions', () => {
  it('can be read as they were at each revision', () => {
    const mvcc = filled();
    expect([1, 2, 3, 4].map((revision) => texts(mvcc, revision))).toEqual([
      [],
      ['a=1', 'b=1'],
      ['a=2', 'b=1'],
      ['a=2'],
    ]);
    expect(mvcc.head).toBe(4);
  });

  it('count the writes of one life of a key', () => {
    const mvcc = filled();
    expect(mvcc.get('a')).toMatchObject({ createRevision: 2, modRevision: 3, version: 2 });
    mvcc.put('b', value('again'), '0');
    mvcc.commit(4000);
    expect(mvcc.get('b')).toMatchObject({ createRevision: 5, modRevision: 5, version: 1 });
  });

  it('take no revision when nothing changes', () => {
    const mvcc = filled();
    mvcc.delete('not there');
    expect(mvcc.commit(4000)).toBeUndefined();
    expect(mvcc.head).toBe(4);
  });

  it('keep what a reader at the compacted revision needs, and forget what is older', () => {
    const mvcc = filled();
    mvcc.compact(3);
    expect(texts(mvcc, 3)).toEqual(['a=2', 'b=1']);
    expect(() => mvcc.checkReadable(2)).toThrow('etcdserver: mvcc: required revision has been compacted');
    expect(() => mvcc.checkReadable(5)).toThrow('etcdserver: mvcc: required revision is a future revision');
    expect(mvcc.revisionAt(3)).toBeUndefined();
    expect(mvcc.revisionAt(4)?.changes.map(({ key }) => key)).toEqual(['b']);
    mvcc.compact(4);
    expect([mvcc.keyCount, mvcc.bytes]).toEqual([1, 2]);
    expect(() => mvcc.compact(4)).toThrow('compacted');
  });

  it('know which revision is older than a time', () => {
    const mvcc = filled();
    expect([500, 2000, 9000].map((ms) => mvcc.revisionBefore(ms))).toEqual([1, 2, 4]);
  });

  it('equal a plain model after any changes and compactions, at every revision that is left', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key, text: fc.string({ maxLength: 3 }) }),
      fc.record({ kind: fc.constant('delete' as const), key, text: fc.constant('') }),
      fc.record({ kind: fc.constant('compact' as const), key, text: fc.constant('') }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const mvcc = new Mvcc();
        const model = new Map<number, Map<string, string>>([[1, new Map()]]);
        for (const { kind, key: name, text } of steps) {
          const next = new Map(model.get(mvcc.head));
          if (kind === 'compact') {
            if (mvcc.head > mvcc.compacted) mvcc.compact(mvcc.head - Math.floor((mvcc.head - mvcc.compacted) / 2));
          } else if (kind === 'put') {
            mvcc.put(name, value(text), '0');
            next.set(name, text);
          } else {
            mvcc.delete(name);
            next.delete(name);
          }
          mvcc.commit(0);
          model.set(mvcc.head, next);
        }
        for (let revision = Math.max(1, mvcc.compacted); revision <= mvcc.head; revision++) {
          const expected = [...(model.get(revision) ?? [])].map(([name, text]) => `${name}=${text}`).sort();
          expect(texts(mvcc, revision)).toEqual(expected);
        }
      }),
      { seed: 42, numRuns: 200 },
    );
  });
});

describe('sorted keys', () => {
  it('stay in order over chunks, and give every range', () => {
    const keys = new SortedKeys();
    const names = Array.from({ length: 3000 }, (_, i) => String((i * 7919) % 3000).padStart(4, '0'));
    for (const name of names) keys.add(name);
    keys.add('0000');
    for (const name of names.filter((text) => text.endsWith('5'))) keys.delete(name);
    const expected = names.filter((text) => !text.endsWith('5')).sort();
    expect([...keys.range('', undefined)]).toEqual(expected);
    expect([...keys.range('1234', '1250')]).toEqual(expected.filter((text) => text >= '1234' && text < '1250'));
    expect(keys.size).toBe(expected.length);
  });
});
