/**
 * What a command decides on: the mesh at one revision of the store, read for that command alone. It does not come from the
 * mirror, so commands also work where no pilot runs (`mesh --store`), and a decision never stands on a copy that lags.
 */
import type { Document } from '../model/definition.js';
import type { StoredDefinition } from '../model/revision.js';
import { valueOf } from '../model/stored-value.js';
import { namingRanges } from '../store/naming.js';
import type { Entry, Range, Store } from '../store/store.js';
import { emptySnapshot, type SnapshotOptions, type SnapshotState, updateSnapshot } from './snapshot.js';

export interface MeshState extends SnapshotState {
  /** Of `rev/head`: what a commit compares with. 0n while there is no revision. */
  readonly headModRevision: bigint;
  /** Definitions as stored, by key: also those that cannot be read any more. */
  readonly stored: ReadonlyMap<string, StoredDefinition>;
}

/** Definitions, releases and plans; with `instances` also records and registrations. */
export async function readMeshState(
  store: Store,
  options: SnapshotOptions,
  wanted: { readonly instances: boolean },
  signal?: AbortSignal,
): Promise<MeshState> {
  const { keys } = store;
  const definitions: Range[] = [keys.below('def'), keys.below('release'), keys.below('plan'), { key: keys.revHead }];
  const running: Range[] = wanted.instances ? [keys.below('instance'), ...namingRanges()] : [];
  const { entries, storeRevision } = await store.list([...definitions, ...running], {}, signal);
  return meshStateOf(entries, storeRevision, options);
}

export function meshStateOf(entries: readonly Entry[], storeRevision: bigint, options: SnapshotOptions): MeshState {
  const batch = { storeRevision, puts: entries, deletes: [], relisted: true, regressed: false };
  const stored = new Map<string, StoredDefinition>();
  for (const { key, value } of entries) {
    const parsed = options.keys.parse(key);
    const definition = parsed?.kind === 'def' ? valueOf<StoredDefinition>(value, ['document']) : undefined;
    if (parsed?.kind === 'def' && definition !== undefined) stored.set(key, named(definition, parsed.name));
  }
  const head = entries.find((entry) => entry.key === options.keys.revHead);
  return {
    ...updateSnapshot(emptySnapshot, batch, options),
    headModRevision: head?.modRevision ?? 0n,
    stored,
  };
}

/** Written by a hand that does not know the form, a document may lack its name: the key has it, so that lists can show what is wrong. */
function named(definition: StoredDefinition, name: string): StoredDefinition {
  const { document } = definition;
  if (typeof (document as Partial<Document>).metadata?.name === 'string') return definition;
  return { ...definition, document: { ...document, metadata: { name } } };
}
