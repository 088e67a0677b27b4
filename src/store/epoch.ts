/**
 * `meta/epoch` names the history that a store holds. It is made when a store is first used, and made anew only by an
 * operator's word (copy, restore, adopt), so whoever knows another one looks at a store that is not the one he knew.
 */
import { valueOf } from '../model/stored-value.js';

export interface Epoch {
  /** Random. */
  readonly id: string;
  /** Milliseconds since the epoch of the clock. */
  readonly at: number;
  readonly made: 'first' | 'copy' | 'restore' | 'adopt';
  /** Who and why; empty for the first. */
  readonly by: string;
  readonly why: string;
  /** What it continues: the epoch of the source of a copy or restore, or the one that stood here. Empty for the first. */
  readonly after: string;
  /** Who knows one of these goes on with this store without asking. */
  readonly accepts: readonly string[];
}

export function encodeEpoch(epoch: Epoch): string {
  return JSON.stringify(epoch);
}

/** Undefined for an absent one. A bare id is one that lightmesh wrote before epochs said more. */
export function parseEpoch(value: string | undefined): Epoch | undefined {
  if (value === undefined) return undefined;
  const known = valueOf<Epoch>(value, ['id', 'at', 'made', 'accepts']);
  return known ?? { id: value, at: 0, made: 'first', by: '', why: '', after: '', accepts: [] };
}
