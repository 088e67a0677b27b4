/** An operator's word that ends a freeze: the store is taken as it is, and what others know of an earlier one is given up. */
import { randomUUID } from 'node:crypto';
import type { LostHistory } from '../model/leased-values.js';
import { valueOf } from '../model/stored-value.js';
import { MeshError } from '../runtime/mesh-error.js';
import { type Epoch, encodeEpoch, parseEpoch } from './epoch.js';
import { isWitness } from './history.js';
import type { Entry, Store } from './store.js';

export interface Frozen {
  /** `pilot p1`, `node node-a`. */
  readonly who: string;
  readonly lost: LostHistory;
}

/** Those who live and know a mesh that the store has lost. */
export function frozenIn(store: Pick<Store, 'keys'>, entries: readonly Entry[], epoch: Epoch | undefined): Frozen[] {
  return entries.flatMap(({ key, value }) => {
    const parsed = store.keys.parse(key);
    if (parsed?.kind !== 'pilot' && parsed?.kind !== 'node') return [];
    const lost = valueOf<{ lost?: LostHistory }>(value, [])?.lost;
    if (lost === undefined || !isWitness(lost, epoch)) return [];
    return [{ who: parsed.kind === 'pilot' ? `pilot ${parsed.id}` : `node ${parsed.node}`, lost }];
  });
}

export interface Authored {
  readonly by: string;
  readonly why: string;
  /** Wall time, ms. */
  readonly at: number;
}

/** MESH2004 when the store becomes another one again meanwhile. */
export async function adoptStore(
  store: Store,
  frozen: readonly Frozen[],
  before: Entry | undefined,
  { by, why, at }: Authored,
): Promise<Epoch> {
  const after = parseEpoch(before?.value)?.id ?? '';
  const accepts = [...new Set([after, ...frozen.map(({ lost }) => lost.epoch)])];
  const epoch: Epoch = { id: randomUUID(), at, made: 'adopt', by, why, after, accepts };
  const key = store.keys.metaEpoch;
  const { ok } = await store.transact({
    compare: [{ key, modRevision: before?.modRevision ?? 0n }],
    put: [{ key, value: encodeEpoch(epoch) }],
    delete: [],
  });
  if (ok) return epoch;
  throw new MeshError('MESH2004', 'somebody else has just named what this store holds', {
    hint: 'See who (`mesh store status`), then type it again if it is still needed.',
  });
}
