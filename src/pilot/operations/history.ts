/** Past revisions, newest first, read from the store page by page. */
import { type Change, changeAction, type Revision, type StagedPart, type StagedParts } from '../../model/revision.js';
import { valueOf } from '../../model/stored-value.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { Store } from '../../store/store.js';
import { partsAt, readPart } from '../staged.js';

const PAGE_ENTRIES = 100;
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
  const start = store.keys.rev(revision);
  // A zero follows the slash in the order of bytes: the revision and its parts.
  for await (const found of newestIn(store, { start, end: `${start}0` }, signal)) return found;
  throw new MeshError('MESH2005', `revision ${revision} does not exist`, { hint: 'see `mesh history`' });
}

/** From the newest down to `first`. */
export function newestFirst(store: Store, first: number, signal?: AbortSignal): AsyncGenerator<Revision> {
  // A colon follows the digits in the order of bytes, so the range holds every number, and not the head.
  return newestIn(store, { start: store.keys.rev(first), end: `${store.prefix}rev/:` }, signal);
}

async function* newestIn(
  store: Store,
  range: { readonly start: string; readonly end: string },
  signal?: AbortSignal,
): AsyncGenerator<Revision> {
  const { keys } = store;
  let { end } = range;
  let parts: StagedPart[] = []; // of the revision whose own key comes next
  while (true) {
    const page = await store.list({ ...range, end }, { limit: PAGE_ENTRIES, descending: true }, signal);
    for (const { key, value } of page.entries) {
      const parsed = keys.parse(key);
      if (parsed?.kind !== 'rev') continue;
      if (parsed.part !== undefined) {
        const part = readPart(value);
        if (part !== undefined) parts.unshift(part);
        continue;
      }
      const revision = valueOf<Revision>(value, ['revision', 'changes']);
      if (revision !== undefined) yield await complete(store, revision, parts, signal);
      parts = [];
    }
    const last = page.entries.at(-1);
    if (last === undefined || page.entries.length < PAGE_ENTRIES) return;
    end = last.key;
  }
}

/** With the changes of its parts, which come before it in this order. */
async function complete(
  store: Store,
  { staged, ...revision }: Revision,
  listed: readonly StagedPart[],
  signal?: AbortSignal,
): Promise<Revision> {
  if (staged === undefined) return revision;
  const parts = listed.length === staged.parts ? listed : await partsAnywhere(store, revision.revision, staged, signal);
  return { ...revision, changes: parts.flatMap((part) => part.changes) };
}

/** Read at one moment: they are moved from the one place to the other. */
async function partsAnywhere(
  store: Store,
  revision: number,
  staged: StagedParts,
  signal?: AbortSignal,
): Promise<readonly StagedPart[]> {
  const { keys } = store;
  const start = `${keys.rev(revision)}/`;
  const { entries } = await store.list([{ prefix: start }, keys.staging(staged.id)], {}, signal);
  const values = new Map(entries.map(({ key, value }) => [key, value]));
  const parts =
    partsAt(staged, (part) => values.get(keys.rev(revision, part))) ??
    partsAt(staged, (part) => values.get(keys.staged(staged.id, part)));
  if (parts !== undefined) return parts;
  throw new MeshError('MESH2006', `revision ${revision} is not complete in the store: some of its parts are missing`, {
    hint: 'Somebody has deleted keys below rev/: restore them from a backup (`mesh history` works from there on).',
  });
}

function isAbout(change: Change, filter: HistoryFilter): boolean {
  return (
    changeAction(change) !== 'unchanged' &&
    (filter.kind === undefined || change.kind === filter.kind) &&
    (filter.namespace === undefined || change.namespace === undefined || change.namespace === filter.namespace) &&
    (filter.name === undefined || change.name === filter.name)
  );
}
