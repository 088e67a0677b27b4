/** Past revisions, newest first, read from the store page by page. */
import { type Change, changeAction, type Revision } from '../../model/revision.js';
import { valueOf } from '../../model/stored-value.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { Store } from '../../store/store.js';

const PAGE_REVISIONS = 100;
/** How far back a filtered history looks. */
const MAX_SEARCHED = 2000;
/** One undo walks back over so many revisions at most. */
const MAX_UNDONE = 1000;
export const DEFAULT_HISTORY = 50;

export interface HistoryFilter {
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly limit?: number | undefined;
}

export async function history(store: Store, filter: HistoryFilter, signal?: AbortSignal): Promise<readonly Revision[]> {
  const limit = filter.limit ?? DEFAULT_HISTORY;
  const found: Revision[] = [];
  let searched = 0;
  for await (const revision of newestFirst(store, 0, signal)) {
    if (revision.changes.some((change) => isAbout(change, filter))) found.push(revision);
    if (found.length >= limit || ++searched >= MAX_SEARCHED) break;
  }
  return found;
}

/** Those after `revision`, newest first. MESH2007 when there are more than one command may undo. */
export async function revisionsSince(
  store: Store,
  revision: number,
  signal?: AbortSignal,
): Promise<readonly Revision[]> {
  const found: Revision[] = [];
  for await (const one of newestFirst(store, revision + 1, signal)) {
    found.push(one);
    if (found.length > MAX_UNDONE) {
      throw new MeshError('MESH2007', `revision ${revision} is more than ${MAX_UNDONE} revisions ago`);
    }
  }
  return found;
}

export async function readRevision(store: Store, revision: number, signal?: AbortSignal): Promise<Revision> {
  const entry = await store.get(store.keys.rev(revision), signal);
  const value = entry && valueOf<Revision>(entry.value, ['revision', 'changes']);
  if (value === undefined) {
    throw new MeshError('MESH2005', `revision ${revision} does not exist`, { hint: 'see `mesh history`' });
  }
  return value;
}

/** From the newest down to `first`. */
export async function* newestFirst(store: Store, first: number, signal?: AbortSignal): AsyncGenerator<Revision> {
  // A colon follows the digits in the order of bytes, so the range holds every number, and not the head.
  let end = `${store.prefix}rev/:`;
  const start = store.keys.rev(first);
  while (true) {
    const page = await store.list({ start, end }, { limit: PAGE_REVISIONS, descending: true }, signal);
    for (const { value } of page.entries) {
      const revision = valueOf<Revision>(value, ['revision', 'changes']);
      if (revision !== undefined) yield revision;
    }
    const last = page.entries.at(-1);
    if (last === undefined || page.entries.length < PAGE_REVISIONS) return;
    end = last.key;
  }
}

function isAbout(change: Change, filter: HistoryFilter): boolean {
  return (
    changeAction(change) !== 'unchanged' &&
    (filter.kind === undefined || change.kind === filter.kind) &&
    (filter.namespace === undefined || change.namespace === undefined || change.namespace === filter.namespace) &&
    (filter.name === undefined || change.name === filter.name)
  );
}
