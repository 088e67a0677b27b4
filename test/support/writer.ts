/** One client that writes to a handful of keys, one after the other, and remembers what it was answered. */
import type { Store } from '../../src/store/store.js';
import type { ReadRecord, WriteOutcome, WriteRecord } from './history.js';

const KEYS = 30;
/** Of ten turns: one compares before it writes, one deletes, one reads everything, one writes three keys; the rest write one. */
const TURNS = 10;
const FLOOD_WORKERS = 32;

export interface Writer {
  readonly records: readonly WriteRecord[];
  readonly reads: readonly ReadRecord[];
  acked(): number;
  /** Of all that it has asked for, writes and reads. */
  sent(): number;
  failed(): number;
  /** The longest time in which none of its calls succeeded. */
  longestGapMs(): number;
  /** Resolves when the last call has ended. */
  stop(): Promise<void>;
}

/** One write and what was answered. */
async function attempt(store: Store, write: Pick<WriteRecord, 'puts' | 'deletes' | 'compare'>): Promise<WriteRecord> {
  const { puts, deletes = [], compare } = write;
  const put = Object.entries(puts).map(([key, value]) => ({ key, value }));
  const calledMs = performance.now();
  const outcome = await store.transact({ compare: compare ? [compare] : [], put, delete: deletes }).then(
    ({ ok, storeRevision }): WriteOutcome => ({ kind: ok ? 'acked' : 'refused', storeRevision }),
    (error: unknown): WriteOutcome => ({
      kind: /may have been written all the same/.test(String(error)) ? 'ambiguous' : 'failed',
    }),
  );
  return { ...write, outcome, calledMs, endedMs: performance.now() };
}

/** So many single writes, some at a time: a revision for each, for somebody who has to catch up with them. */
export async function flood(store: Store, name: string, count: number): Promise<WriteRecord[]> {
  const records: WriteRecord[] = [];
  const worker = async (first: number): Promise<void> => {
    for (let n = first; n < count; n += FLOOD_WORKERS) {
      records.push(await attempt(store, { puts: { [store.keys.plan(`k${n % KEYS}`)]: `${name}-${n}` } }));
    }
  };
  await Promise.all(Array.from({ length: FLOOD_WORKERS }, (_, first) => worker(first)));
  return records;
}

/** Keys are `plan/<name>` of the store, shared by all writers; values carry the writer's name and a count. */
export function startWriter(store: Store, name: string, pauseMs: number): Writer {
  const records: WriteRecord[] = [];
  const reads: ReadRecord[] = [];
  const over = new AbortController();
  let failedReads = 0;
  let lastGoodMs = performance.now();
  let longestGapMs = 0;
  const good = (): void => {
    const nowMs = performance.now();
    longestGapMs = Math.max(longestGapMs, nowMs - lastGoodMs);
    lastGoodMs = nowMs;
  };

  const keyOf = (n: number): string => store.keys.plan(`k${(n * 7) % KEYS}`);
  const write = async (write: Parameters<typeof attempt>[1]): Promise<void> => {
    const record = await attempt(store, write);
    records.push(record);
    if (record.outcome.kind === 'acked') good();
  };
  const put = (n: number, keys: readonly string[], compare?: WriteRecord['compare']): Promise<void> => {
    const puts = Object.fromEntries(keys.map((key, i) => [key, `${name}-${n}.${i}`]));
    return write({ puts, ...(compare ? { compare } : {}) });
  };
  const turn = async (n: number): Promise<void> => {
    switch (n % TURNS) {
      case 3: {
        const seen = await store.get(keyOf(n)).catch(() => undefined);
        return put(n, [keyOf(n)], { key: keyOf(n), modRevision: seen?.modRevision ?? 0n });
      }
      case 5:
        return write({ puts: {}, deletes: [keyOf(n)] });
      case 7: {
        const calledMs = performance.now();
        const listing = await store.list(store.keys.below('plan')).catch(() => undefined);
        if (!listing) return void failedReads++;
        const values = Object.fromEntries(listing.entries.map(({ key, value }) => [key, value]));
        reads.push({ values, storeRevision: listing.storeRevision, calledMs, endedMs: performance.now() });
        return good();
      }
      case 9:
        return put(n, [keyOf(n), keyOf(n + 1), keyOf(n + 2)]);
      default:
        return put(n, [keyOf(n)]);
    }
  };
  const run = async (): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n++) {
      await turn(n);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const done = run();
  const failures = (): number => records.filter(({ outcome }) => !('storeRevision' in outcome)).length;
  return {
    records,
    reads,
    acked: () => records.filter(({ outcome }) => outcome.kind === 'acked').length,
    sent: () => records.length + reads.length + failedReads,
    failed: () => failures() + failedReads,
    longestGapMs: () => longestGapMs,
    stop() {
      over.abort();
      return done;
    },
  };
}
