/** What a watch's events, or a new list, mean for a local copy. Pure: data in, batches out. */
import type { IEvent } from 'etcd3';
import { toEntry } from './entry.js';
import { covers, type Interval } from './range.js';
import type { Entry, Listing, MirrorBatch } from './store.js';

export type Copy = ReadonlyMap<string, Entry>;

export interface RevisionEvents {
  readonly storeRevision: bigint;
  readonly events: readonly IEvent[];
}

/**
 * The events of one watch answer by store revision, ascending. Revisions up to `known` are left out: a resumed watch may
 * repeat them. A revision is never torn over two answers: etcd does that only to watchers that ask for fragments.
 */
export function newRevisions(known: bigint, events: readonly IEvent[]): RevisionEvents[] {
  const revisions: { storeRevision: bigint; events: IEvent[] }[] = [];
  for (const event of events) {
    const storeRevision = BigInt(event.kv.mod_revision);
    const last = revisions.at(-1);
    if (last?.storeRevision === storeRevision) last.events.push(event);
    else if (storeRevision > (last?.storeRevision ?? known)) revisions.push({ storeRevision, events: [event] });
  }
  return revisions;
}

/** Undefined when none of it concerns the copy. */
export function batchOfEvents(
  copy: Copy,
  held: readonly Interval[],
  revision: RevisionEvents,
): MirrorBatch | undefined {
  // A transaction of somebody else may touch a key twice; the last one counts.
  const lastByKey = new Map(revision.events.map((event) => [event.kv.key.toString(), event]));
  const ours = [...lastByKey.values()].filter((event) => covers(held, event.kv.key));
  const puts = ours.filter((event) => event.type === 'Put').map((event) => toEntry(event.kv));
  const deletes = deletesOf(
    copy,
    ours.filter((event) => event.type === 'Delete').map((event) => event.kv.key.toString()),
  );
  if (puts.length + deletes.length === 0) return undefined;
  return { storeRevision: revision.storeRevision, puts, deletes, relisted: false, regressed: false };
}

export function batchOfListing(copy: Copy, listing: Listing, regressed: boolean): MirrorBatch {
  const listed = new Set(listing.entries.map((entry) => entry.key));
  const puts = listing.entries
    .filter((entry) => !sameEntry(copy.get(entry.key), entry))
    .toSorted((a, b) => Number(a.modRevision - b.modRevision));
  const gone = [...copy.keys()].filter((key) => !listed.has(key));
  return { storeRevision: listing.storeRevision, puts, deletes: deletesOf(copy, gone), relisted: true, regressed };
}

export function applyBatch(copy: Map<string, Entry>, batch: MirrorBatch): void {
  for (const { key } of batch.deletes) copy.delete(key);
  for (const entry of batch.puts) copy.set(entry.key, entry);
}

function deletesOf(copy: Copy, keys: readonly string[]): { key: string; previous: Entry }[] {
  return keys.flatMap((key) => {
    const previous = copy.get(key);
    return previous ? [{ key, previous }] : [];
  });
}

/** Of one history the revisions alone would do; a restored store may reach the same numbers with other values. */
function sameEntry(a: Entry | undefined, b: Entry): boolean {
  return (
    a !== undefined &&
    a.modRevision === b.modRevision &&
    a.createRevision === b.createRevision &&
    a.value === b.value &&
    a.lease === b.lease
  );
}
