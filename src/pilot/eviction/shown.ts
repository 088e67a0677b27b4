/** What is missing and what is frozen, for people: `mesh status`, `mesh ps`, the API. */
import type { EvictionItem, EvictionStatus, FreezeItem } from '../../model/api.js';
import { MESH_SCOPE } from '../../model/eviction.js';
import { byText } from '../../model/order.js';
import type { SnapshotState } from '../snapshot.js';
import type { GuardFacts } from './facts.js';
import { policyOf } from './guard.js';

/** `leader`: id of the pilot that decides, undefined while none does. */
export function evictionStatus(
  state: SnapshotState,
  { freezes }: Pick<GuardFacts, 'freezes'>,
  leader: string | undefined,
): EvictionStatus {
  const on = new Set([...freezes].filter(([, { value }]) => value.thaw === undefined).map(([scope]) => scope));
  const { lingerMs } = policyOf(state.snapshot.mesh);
  const items = [...state.sources].flatMap(([scope, { evictions }]) => {
    const [namespace = '', service = ''] = scope.split('/');
    const isFrozen = on.has(scope) || on.has(MESH_SCOPE);
    return [...evictions].map(([instance, { value }]): EvictionItem => {
      const { state: stage, since, why, address, node, version } = value;
      const until = stage === 'suspect' && !isFrozen ? since + lingerMs : null;
      return { namespace, service, version, instance, node, address, state: stage, since, until, isFrozen, why };
    });
  });
  const frozen = [...freezes].map(([scope, { value }]): FreezeItem => {
    const { since, why, thaw } = value;
    return { scope, since, why, ...(thaw === undefined ? {} : { thaw }) };
  });
  return {
    leader: leader ?? null,
    frozen: frozen.toSorted(byText(({ scope }) => scope)),
    missing: items.toSorted(byText(({ namespace, service, instance }) => `${namespace}/${service}/${instance}`)),
  };
}
