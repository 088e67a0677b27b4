import type { ProxyStatus, TypeStatus } from './ads-host.js';
import type { StreamState } from './ordering.js';
import { type ResourceShort, type ResourceType, resourceTypes } from './resource-types.js';
import { isSettled, isWithheld, refusalOf, type Subscription } from './subscription.js';

/** One entry per type that the proxy subscribes to, and NOT_SENT for those that every proxy should (of the stream's `only` type). */
export function statusOf(
  stream: StreamState | undefined,
  ackedAt: ReadonlyMap<ResourceShort, number>,
  only?: ResourceType,
): Partial<Record<ResourceShort, TypeStatus>> {
  const types: Partial<Record<ResourceShort, TypeStatus>> = {};
  for (const { short, isOrdered } of only ? [only] : resourceTypes) {
    const subscription = stream?.subscriptions.get(short);
    if (!subscription && !isOrdered) continue;
    const at = ackedAt.get(short);
    types[short] = { ...typeStatus(subscription), ...(at === undefined ? {} : { ackedAt: at }) };
  }
  return types;
}

function typeStatus(subscription: Subscription | undefined): TypeStatus {
  if (!subscription?.hasContent && !subscription?.lastNonce) return { state: 'NOT_SENT', version: '' };
  const version = subscription.ackedVersion;
  const error = refusalOf(subscription);
  if (error !== undefined) return { state: 'NACK', version, error };
  if (isWithheld(subscription))
    return { state: 'STALE', version, error: 'the view is empty; the proxy keeps what it has' };
  return { state: isSettled(subscription) ? 'SYNCED' : 'STALE', version };
}

/** Of a proxy that has a stream per type: all its types, and what all of them have acknowledged. */
export function togetherOf(statuses: readonly ProxyStatus[]): ProxyStatus | undefined {
  return statuses.reduce<ProxyStatus | undefined>((whole, status) => {
    if (!whole) return status;
    return {
      ...status,
      types: { ...whole.types, ...status.types },
      ackedRevision: lower(whole.ackedRevision, status.ackedRevision),
      viewRevision: lower(whole.viewRevision, status.viewRevision),
    };
  }, undefined);
}

export function lower(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
