/** What the leader does about instances that are missing, as data, and as operations on the store. */
import { type Eviction, type Freeze, MESH_SCOPE, type SeenAddress } from '../../model/eviction.js';
import type { Keys } from '../../store/keys.js';
import type { Transaction } from '../../store/store.js';

/** Of which instance; the id of what registers itself is its `ip:port`. */
export interface Of {
  readonly namespace: string;
  readonly service: string;
  readonly id: string;
}

export type EvictionStep =
  /** It registers itself: what it says is remembered, so that it can be missed. */
  | (Of & { readonly action: 'remember'; readonly seen: SeenAddress })
  /** What was remembered is not needed: an agent answers for that address now, or it has left in order. */
  | (Of & { readonly action: 'forget' })
  /** It is missing. */
  | (Of & { readonly action: 'suspect'; readonly eviction: Eviction })
  /** It is back, or it has left in order since. */
  | (Of & { readonly action: 'clear'; readonly why: 'returned' | 'left' })
  /** It is removed. `isManaged`: its record stays, so the key must say that it is evicted. */
  | (Of & {
      readonly action: 'evict';
      readonly eviction: Eviction;
      readonly isManaged: boolean;
      readonly by: EvictedBy;
    })
  /** Nobody of the scope is removed by time alone. `modRevision` of what is replaced, 0n for none: an operator may have thawed it in between. */
  | {
      readonly action: 'freeze';
      readonly scope: string;
      readonly freeze: Freeze;
      readonly modRevision: bigint;
      /** False when it is frozen already, and only more is known of it. */
      readonly isNew: boolean;
    }
  /** `by`: the operator who said so; undefined when it has become calm. */
  | { readonly action: 'thaw'; readonly scope: string; readonly modRevision: bigint; readonly by: string | undefined };

/** Its time was up, another node's agent has seen it dead, or an operator has given it up. */
export const evictedBy = ['linger', 'witness', 'thaw'] as const;
export type EvictedBy = (typeof evictedBy)[number];

export function operationsOf(step: EvictionStep, keys: Keys): Transaction {
  const nothing = { compare: [], put: [], delete: [] };
  const put = (key: string, value: object) => [{ key, value: JSON.stringify(value) }];
  switch (step.action) {
    case 'remember':
      return { ...nothing, put: put(keys.seen(step.namespace, step.service, step.id), step.seen) };
    case 'forget':
      return { ...nothing, delete: [keys.seen(step.namespace, step.service, step.id)] };
    case 'suspect':
      return { ...nothing, put: put(keys.evict(step.namespace, step.service, step.id), step.eviction) };
    case 'clear':
      return { ...nothing, delete: [keys.evict(step.namespace, step.service, step.id)] };
    case 'evict': {
      const { namespace, service, id, eviction, isManaged } = step;
      const key = keys.evict(namespace, service, id);
      return isManaged
        ? { ...nothing, put: put(key, eviction) }
        : { ...nothing, delete: [key, keys.seen(namespace, service, id)] };
    }
    case 'freeze': {
      const key = freezeKey(keys, step.scope);
      return { ...nothing, compare: [{ key, modRevision: step.modRevision }], put: put(key, step.freeze) };
    }
    case 'thaw': {
      const key = freezeKey(keys, step.scope);
      return { ...nothing, compare: [{ key, modRevision: step.modRevision }], delete: [key] };
    }
  }
}

export function freezeKey(keys: Keys, scope: string): string {
  const [namespace, service] = scope.split('/');
  return scope === MESH_SCOPE ? keys.freeze() : keys.freeze(namespace, service);
}
