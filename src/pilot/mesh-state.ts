/**
 * What a command decides on: the mesh at one revision of the store, read for that command alone. It does not come from the
 * mirror, so commands also work where no pilot runs (`mesh --store`), and a decision never stands on a copy that lags.
 */
import type { Document } from '../model/definition.js';
import type { StagedParts, StoredDefinition } from '../model/revision.js';
import { valueOf } from '../model/stored-value.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Keys } from '../store/keys.js';
import { namingRanges } from '../store/naming.js';
import { covers, toInterval } from '../store/range.js';
import type { Entry, Listing, Range, Store } from '../store/store.js';
import { emptySnapshot, type SnapshotOptions, type SnapshotState, updateSnapshot } from './snapshot.js';
import { publishedEntries } from './staged.js';
import { headValue } from './stored-values.js';

export interface MeshState extends SnapshotState {
  /** Of `rev/head`: what a commit compares with. 0n while there is no revision. */
  readonly headModRevision: bigint;
  /** Definitions as stored, by key: also those that cannot be read any more. */
  readonly stored: ReadonlyMap<string, StoredDefinition>;
  /** What the present head has published and nobody has folded yet (large-change.ts). */
  readonly unfolded: StagedParts | undefined;
  /** Parts lie in the store that no head names: their writer is at work, or has died. */
  readonly hasUnpublished: boolean;
}

/** Definitions, releases and plans; with `instances` also records and registrations. */
export async function readMeshState(
  store: Store,
  options: SnapshotOptions,
  wanted: { readonly instances: boolean },
  signal?: AbortSignal,
): Promise<MeshState> {
  const { keys } = store;
  const definitions: Range[] = [
    keys.below('def'),
    keys.below('release'),
    keys.below('plan'),
    { key: keys.revHead },
    keys.allStaged,
  ];
  const running: Range[] = wanted.instances ? [keys.below('instance'), ...namingRanges()] : [];
  const { entries, storeRevision } = await store.list([...definitions, ...running], {}, signal);
  const head = entries.find(({ key }) => key === keys.revHead);
  if (head !== undefined && headValue(head.value) === undefined) throw damagedHead(keys);
  return meshStateOf(entries, storeRevision, options);
}

/** Ranges of definitions, releases and plans, as they count: without what is staged, with what is published and not yet folded. */
export async function listPublished(store: Store, ranges: readonly Range[], signal?: AbortSignal): Promise<Listing> {
  const { keys } = store;
  const listing = await store.list([...ranges, { key: keys.revHead }], {}, signal);
  const head = headValue(listing.entries.find(({ key }) => key === keys.revHead)?.value);
  if (head?.staged === undefined) return listing;
  const { storeRevision } = listing;
  const staged = await store.list(keys.staging(head.staged.id), { revision: storeRevision }, signal);
  const wanted = [...ranges, { key: keys.revHead }].map(toInterval);
  const entries = publishedEntries([...listing.entries, ...staged.entries], keys);
  return { storeRevision, entries: entries.filter(({ key }) => covers(wanted, Buffer.from(key))) };
}

export function meshStateOf(listed: readonly Entry[], storeRevision: bigint, options: SnapshotOptions): MeshState {
  const { keys } = options;
  const entries = publishedEntries(listed, keys);
  const batch = { storeRevision, puts: entries, deletes: [] };
  const stored = new Map<string, StoredDefinition>();
  for (const { key, value } of entries) {
    const parsed = keys.parse(key);
    const definition = parsed?.kind === 'def' ? valueOf<StoredDefinition>(value, ['document']) : undefined;
    if (parsed?.kind === 'def' && definition !== undefined) stored.set(key, named(definition, parsed.name));
  }
  const head = entries.find((entry) => entry.key === keys.revHead);
  const published = headValue(head?.value)?.staged;
  const staged = new Set(listed.flatMap(({ key }) => stagingOf(keys, key)));
  return {
    ...updateSnapshot(emptySnapshot, batch, options),
    headModRevision: head?.modRevision ?? 0n,
    stored,
    unfolded: published !== undefined && staged.has(published.id) ? published : undefined,
    hasUnpublished: [...staged].some((id) => id !== published?.id),
  };
}

/** Written by a hand that does not know the form, a document may lack its name: the key has it, so that lists can show what is wrong. */
function named(definition: StoredDefinition, name: string): StoredDefinition {
  const { document } = definition;
  if (typeof (document as Partial<Document>).metadata?.name === 'string') return definition;
  return { ...definition, document: { ...document, metadata: { name } } };
}

function stagingOf(keys: Keys, key: string): string[] {
  const parsed = keys.parse(key);
  return parsed?.kind === 'staged' ? [parsed.id] : [];
}

/** To go on from revision 0 would write over the history. */
function damagedHead({ revHead, prefix }: Keys): MeshError {
  return new MeshError('MESH2006', `${revHead} in the store cannot be read: somebody else has written it`, {
    hint: `Put back the number of the newest key below ${prefix}rev/: etcdctl put ${revHead} '{"revision":N}'`,
  });
}
