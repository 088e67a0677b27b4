/** How many are missing and what is frozen, as the store shows it: for gauges. */
import { MESH_SCOPE } from '../../model/eviction.js';
import type { SnapshotState } from '../snapshot.js';
import type { GuardFacts } from './facts.js';

export interface GuardCounts {
  readonly suspects: number;
  readonly frozenServices: number;
  readonly isMeshFrozen: boolean;
}

export function countsOf(
  { sources }: Pick<SnapshotState, 'sources'>,
  { freezes }: Pick<GuardFacts, 'freezes'>,
): GuardCounts {
  const evictions = [...sources.values()].flatMap((service) => [...service.evictions.values()]);
  const on = [...freezes].filter(([, { value }]) => value.thaw === undefined).map(([scope]) => scope);
  return {
    suspects: evictions.filter(({ value }) => value.state === 'suspect').length,
    frozenServices: on.filter((scope) => scope !== MESH_SCOPE).length,
    isMeshFrozen: on.includes(MESH_SCOPE),
  };
}
