/** What the guard needs and no proxy is sent: which agents live, what is frozen, what witnesses say. Entries to facts, pure. */
import { type Freeze, MESH_SCOPE, type WitnessReport } from '../../model/eviction.js';
import { fullName } from '../../model/names.js';
import type { Read } from '../../model/stored-value.js';
import type { Keys } from '../../store/keys.js';
import type { Entry, MirrorBatch } from '../../store/store.js';
import { editMap, type MapEdit } from '../map-edit.js';
import { readFreeze, readWitness } from '../stored-values.js';

export interface StoredFreeze {
  readonly value: Freeze;
  readonly modRevision: bigint;
}

export interface GuardFacts {
  /** Nodes whose agent's lease lives. */
  readonly liveNodes: ReadonlyMap<string, true>;
  /** By scope: `<ns>/<service>`, or MESH_SCOPE. */
  readonly freezes: ReadonlyMap<string, StoredFreeze>;
  /** By node. */
  readonly witnesses: ReadonlyMap<string, WitnessReport>;
}

export const noFacts: GuardFacts = { liveNodes: new Map(), freezes: new Map(), witnesses: new Map() };

/** The same object when the batch has nothing of it. */
export function followFacts(before: GuardFacts, batch: MirrorBatch, keys: Keys): GuardFacts {
  const liveNodes = editMap(before.liveNodes);
  const freezes = editMap(before.freezes);
  const witnesses = editMap(before.witnesses);
  const apply = (key: string, entry: Entry | undefined): void => {
    const parsed = keys.parse(key);
    if (parsed?.kind === 'node') setOrDelete(liveNodes, parsed.node, entry && true);
    if (parsed?.kind === 'freeze') setOrDelete(freezes, scopeOf(parsed), entry && storedFreeze(entry));
    if (parsed?.kind === 'witness') setOrDelete(witnesses, parsed.node, entry && valueIn(readWitness(entry.value)));
  };
  for (const entry of batch.puts) apply(entry.key, entry);
  for (const { key } of batch.deletes) apply(key, undefined);
  const after: GuardFacts = { liveNodes: liveNodes.done(), freezes: freezes.done(), witnesses: witnesses.done() };
  const parts = Object.keys(after) as (keyof GuardFacts)[];
  return parts.every((part) => after[part] === before[part]) ? before : after;
}

function setOrDelete<Value>(map: MapEdit<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function valueIn<Value>(read: Read<Value>): Value | undefined {
  return 'value' in read ? read.value : undefined;
}

/** A damaged one freezes nevertheless: nobody is removed on a doubt. */
function storedFreeze({ value, modRevision }: Entry): StoredFreeze {
  return { value: valueIn(readFreeze(value)) ?? damaged, modRevision };
}

const damaged: Freeze = { since: 0, why: 'its value in the store cannot be read', sizes: {} };

function scopeOf({
  namespace,
  service,
}: {
  readonly namespace: string | undefined;
  readonly service: string | undefined;
}): string {
  return namespace === undefined || service === undefined ? MESH_SCOPE : fullName(namespace, service);
}
