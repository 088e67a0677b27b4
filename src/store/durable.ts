/**
 * What of a store outlives its processes: every key of the mesh that hangs on no lease, and registrations without one. Keys
 * are named so that they can be put below another prefix: `~/def/…` for the mesh's own, naming keys as they are.
 */
import { namingRanges } from './naming.js';
import type { Entry, Range, Store } from './store.js';

/** By portable key. */
export type Durable = ReadonlyMap<string, string>;

const OWN = '~/';
/** Written anew in every store, or of use only while somebody holds it. */
const LEFT_BEHIND: ReadonlySet<string> = new Set(['meta', 'txn', 'lock', 'leader']);

export function everything(store: Pick<Store, 'keys'>): Range[] {
  return [store.keys.all, ...namingRanges()];
}

export function durableOf(store: Pick<Store, 'keys'>, entries: readonly Entry[]): Durable {
  const { prefix } = store.keys;
  const kept = entries.filter(({ key, lease }) => lease === '0' && !LEFT_BEHIND.has(firstSegment(prefix, key)));
  return new Map(kept.map(({ key, value }) => [key.startsWith(prefix) ? OWN + key.slice(prefix.length) : key, value]));
}

/** Where a portable key stands in this store. */
export function keyIn(store: Pick<Store, 'keys'>, portable: string): string {
  return portable.startsWith(OWN) ? store.keys.prefix + portable.slice(OWN.length) : portable;
}

function firstSegment(prefix: string, key: string): string {
  return key.startsWith(prefix) ? (key.slice(prefix.length).split('/')[0] ?? '') : '';
}
