/**
 * A pilot that runs keeps what it could read of a value that is damaged later. One that has just started has nothing to keep,
 * and to its proxies the object would be gone; but history has every value that was ever accepted.
 */
import type { Store } from '../store/store.js';
import { changeKey, changeValue } from './changes.js';
import { newestFirst } from './operations/history.js';
import { emptySnapshot, type SnapshotOptions, type SnapshotState, updateSnapshot } from './snapshot.js';

/** How far back it looks for those that it has not found yet. */
const MAX_SEARCHED = 2000;

type Values = ReadonlyMap<string, string>;

/** By key, the newest readable value of each object that this state could not read. Found in history, or absent. */
export async function readLastGood(
  store: Store,
  { findings }: SnapshotState,
  options: SnapshotOptions,
  signal: AbortSignal,
): Promise<Values> {
  const good = new Map<string, string>();
  const open = new Set([...findings.keys()].filter((key) => hasHistory(key, options)));
  let searched = 0;
  for await (const revision of open.size === 0 ? [] : newestFirst(store, 0, signal)) {
    for (const change of revision.changes) {
      const key = changeKey(options.keys, change);
      if (!open.has(key)) continue;
      const value = changeValue(change, revision);
      if (value !== undefined && !isReadable(key, value, options)) continue;
      // Deleted since: then what stands there was never accepted.
      if (value !== undefined) good.set(key, value);
      open.delete(key);
    }
    if (open.size === 0 || ++searched >= MAX_SEARCHED) break;
  }
  return good;
}

/** The state as if each of these had been read before the value that is there now. A finding stays one. Pure. */
export function withLastGood(
  state: SnapshotState,
  good: Values,
  present: (key: string) => string | undefined,
  options: SnapshotOptions,
): SnapshotState {
  const puts = [...good].flatMap(([key, value]) => {
    const now = present(key);
    return now === undefined ? [] : [value, now].map((one) => ({ key, value: one }));
  });
  return updateSnapshot(state, { storeRevision: state.snapshot.storeRevision, puts, deletes: [] }, options);
}

function hasHistory(key: string, { keys }: SnapshotOptions): boolean {
  return ['def', 'release', 'plan'].includes(keys.parse(key)?.kind ?? '');
}

function isReadable(key: string, value: string, options: SnapshotOptions): boolean {
  const changes = { storeRevision: 0n, puts: [{ key, value }], deletes: [] };
  return updateSnapshot(emptySnapshot, changes, options).findings.size === 0;
}
