/**
 * A mesh into another store, from a store or from a backup. The target is made equal to the source, read again and compared,
 * until nothing is left to write; only then its epoch says so. Meanwhile `meta/incoming` keeps everybody else out, and whoever
 * was interrupted starts again: what is there already is not written twice.
 */
import { randomUUID } from 'node:crypto';
import type { LostHistory } from '../model/leased-values.js';
import { valueOf } from '../model/stored-value.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Authored } from './adopt.js';
import { type Durable, durableOf, everything, keyIn } from './durable.js';
import { type Epoch, encodeEpoch, parseEpoch } from './epoch.js';
import type { Store } from './store.js';
import { inTransactions, type Write } from './transact.js';

/** Value of `meta/incoming`. */
export interface Incoming {
  readonly command: 'copy' | 'restore';
  /** For people: a store or a file. */
  readonly from: string;
  readonly by: string;
  readonly at: number;
}

export interface MoveOptions extends Authored {
  readonly command: Incoming['command'];
  readonly from: string;
  /** Overwrite a mesh that is there. */
  readonly replace: boolean;
  /** Epoch of the source; empty when it had none. */
  readonly after: string;
  /** May pilots that know the source go on with the target without asking? */
  readonly isContinuation: boolean;
  readonly onProgress: (writtenKeys: number) => void;
}

export interface Moved {
  readonly keys: number;
  readonly epoch: Epoch;
}

/** Agents go on writing into a source that lives; more passes than this mean that somebody else does as well. */
const MAX_PASSES = 8;

/** `read` is asked again until the target is equal to its answer. */
export async function moveInto(target: Store, read: () => Promise<Durable>, options: MoveOptions): Promise<Moved> {
  const { keys } = target;
  await refuseToOverwrite(target, options);
  const { command, from, by, at } = options;
  const incoming: Incoming = { command, from, by, at };
  await target.transact({
    compare: [],
    put: [{ key: keys.metaIncoming, value: JSON.stringify(incoming) }],
    delete: [],
  });
  let written = 0;
  for (let pass = 1; ; pass++) {
    const wanted = await read();
    const changed = await makeEqual(target, wanted, (count) => options.onProgress((written += count)));
    if (changed === 0) return { keys: wanted.size, epoch: await finish(target, options) };
    if (pass >= MAX_PASSES) {
      throw new MeshError('MESH2004', `${from} has changed in each of ${MAX_PASSES} passes`, {
        retryable: true,
        hint: 'See who still writes there, stop it, and type the same again.',
      });
    }
  }
}

/** Pilots that serve from a store which is being written would push what is half there. */
export async function refuseLivePilots(store: Store, options: { readonly frozenToo: boolean }): Promise<void> {
  const { entries } = await store.list(store.keys.below('pilot'));
  const serving = entries.filter(({ value }) => {
    return options.frozenToo || valueOf<{ lost?: LostHistory }>(value, [])?.lost === undefined;
  });
  if (serving.length === 0) return;
  const names = serving.map(({ key }) => key.slice(key.lastIndexOf('/') + 1));
  throw new MeshError(
    'MESH2051',
    `${names.length === 1 ? 'a pilot runs' : 'pilots run'} on ${store.description}: ${names.join(', ')}`,
    {
      hint: 'Stop them first (`mesh down`, or the process of `mesh pilot`); proxies go on with what they have. One that was killed is gone after 10 s.',
    },
  );
}

async function refuseToOverwrite(target: Store, options: MoveOptions): Promise<void> {
  await refuseLivePilots(target, { frozenToo: options.isContinuation });
  const { entries } = await target.list(everything(target));
  const isBegun = entries.some(({ key }) => key === target.keys.metaIncoming);
  const found = durableOf(target, entries).size;
  if (found === 0 || isBegun || options.replace) return;
  throw new MeshError('MESH2052', `${target.description} holds a mesh already: ${found} keys`, {
    hint: 'Look at it with `mesh store status`; --replace overwrites it.',
  });
}

/** How many keys were not as they should be. */
async function makeEqual(target: Store, wanted: Durable, onWritten: (keys: number) => void): Promise<number> {
  const { entries } = await target.list(everything(target));
  const found = durableOf(target, entries);
  const gone = [...found.keys()].filter((key) => !wanted.has(key)).map((key): Write => ({ key, value: undefined }));
  const puts = [...wanted]
    .filter(([key, value]) => found.get(key) !== value)
    .map(([key, value]): Write => ({ key, value }));
  const writes = [...gone, ...puts].map(({ key, value }) => ({ key: keyIn(target, key), value }));
  for (const batch of inTransactions(writes)) {
    await target.transact({ ...batch, compare: [] });
    onWritten(batch.put.length + batch.delete.length);
  }
  return writes.length;
}

/** The epoch comes last: before it the store is nobody's. */
async function finish(target: Store, options: MoveOptions): Promise<Epoch> {
  const { keys } = target;
  await refuseLivePilots(target, { frozenToo: options.isContinuation });
  const before = await target.get(keys.metaEpoch);
  const { command, by, why, at, after } = options;
  // Who knew the target as it was before has nothing to compare it with any more.
  const own = parseEpoch(before?.value)?.id;
  const accepts = options.isContinuation ? [after, ...(own === undefined ? [] : [own])] : [];
  const epoch: Epoch = { id: randomUUID(), at, made: command, by, why, after, accepts };
  const { ok } = await target.transact({
    compare: [
      { key: keys.metaEpoch, modRevision: before?.modRevision ?? 0n },
      { key: keys.metaIncoming, exists: true },
    ],
    put: [{ key: keys.metaEpoch, value: encodeEpoch(epoch) }],
    delete: [keys.metaIncoming],
  });
  if (ok) return epoch;
  throw new MeshError('MESH2004', `somebody else finished a ${command} into ${target.description} meanwhile`, {
    hint: 'See what is there with `mesh store status`.',
  });
}
