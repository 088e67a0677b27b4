/** A store in memory with etcd's semantics of revisions and transactions, that dies where a test wants it to. */
import { keysUnder } from '../../src/store/keys.js';
import { covers, toInterval } from '../../src/store/range.js';
import type { Compare, Entry, MirrorBatch, Range, Store, Transaction } from '../../src/store/store.js';

export interface ModelStore {
  /** Only what commands use: any other method is undefined and throws when it is called. */
  readonly store: Store;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly storeRevision: bigint;
  /** Called after each transaction that was applied. */
  onBatch: (batch: MirrorBatch) => void;
  /** Called before each transaction, with how many there were: what it throws is the end of the writer. */
  before: (count: number, transaction: Transaction) => void | Promise<void>;
}

export function modelStore(): ModelStore {
  const keys = keysUnder('lightmesh/');
  const entries = new Map<string, Entry>();
  let storeRevision = 1n;
  let count = 0;
  const holds = (compare: Compare): boolean => {
    const entry = entries.get(compare.key);
    if ('modRevision' in compare) return (entry?.modRevision ?? 0n) === compare.modRevision;
    if ('createRevision' in compare) return (entry?.createRevision ?? 0n) === compare.createRevision;
    return (entry !== undefined) === compare.exists;
  };
  const within = (ranges: readonly Range[]): Entry[] =>
    [...entries.values()]
      .filter(({ key }) => covers(ranges.map(toInterval), Buffer.from(key)))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const store = {
    keys,
    prefix: keys.prefix,
    get: async (key: string) => entries.get(key),
    async list(ranges: Range | readonly Range[], options: { limit?: number; descending?: boolean } = {}) {
      const found = within(Array.isArray(ranges) ? ranges : [ranges]);
      const ordered = options.descending ? found.toReversed() : found;
      return { entries: ordered.slice(0, options.limit), storeRevision };
    },
    async transact(transaction: Transaction) {
      await model.before(count++, transaction);
      if (!transaction.compare.every(holds)) return { ok: false, storeRevision };
      storeRevision++;
      const gone = within(transaction.delete.map((one): Range => (typeof one === 'string' ? { key: one } : one)));
      for (const { key } of gone) entries.delete(key);
      const puts = transaction.put.map(({ key, value }): Entry => {
        const createRevision = entries.get(key)?.createRevision ?? storeRevision;
        return { key, value, modRevision: storeRevision, createRevision, lease: '0' };
      });
      for (const entry of puts) entries.set(entry.key, entry);
      const deletes = gone.map((previous) => ({ key: previous.key, previous }));
      model.onBatch({ storeRevision, puts, deletes, relisted: false, regressed: false });
      return { ok: true, storeRevision };
    },
  } as unknown as Store; // the rest is not there, and would be a mistake of the test
  const model: ModelStore = {
    store,
    entries,
    get storeRevision() {
      return storeRevision;
    },
    onBatch: () => undefined,
    before: () => undefined,
  };
  return model;
}
