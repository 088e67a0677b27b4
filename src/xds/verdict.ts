/** What a proxy's ACK or NACK means for its subscription. */
import type { EncodedResource } from './resource-cache.js';
import { compact, type Outstanding, resend, type Subscription, sendsFullState } from './subscription.js';

export type Verdict =
  | { readonly kind: 'acked'; readonly answered: Outstanding }
  /** `resources` is empty while the guilty one is still being looked for. */
  | {
      readonly kind: 'refused';
      readonly error: string;
      readonly resources: readonly { readonly name: string; readonly digest: string }[];
    };

/** Undefined when the message answers nothing that is outstanding: a first request, or a stale nonce. */
export function judge(subscription: Subscription, nonce: string, error: string | undefined): Verdict | undefined {
  const answered = subscription.outstanding;
  if (!answered || nonce !== answered.nonce) return undefined;
  subscription.outstanding = undefined;
  return error === undefined ? acknowledge(subscription, answered) : refuse(subscription, answered, error);
}

function acknowledge(subscription: Subscription, answered: Outstanding): Verdict {
  if (subscription.suspects.size > 0) for (const { name } of answered.sent) subscription.suspects.delete(name);
  endSearch(subscription);
  subscription.ackedVersion = answered.version;
  return { kind: 'acked', answered };
}

/**
 * A NACK speaks for the whole response and leaves the proxy in an unknown state: of several resources the good ones may or
 * may not have been taken. So they are sent again in halves until each guilty one stands alone, and only that stays away.
 */
function refuse(subscription: Subscription, answered: Outstanding, error: string): Verdict {
  if (answered.isRemoval) {
    subscription.removalRefusal = error;
    return { kind: 'refused', error, resources: [] };
  }
  const isSearch = answered.sent.length > 1 && !sendsFullState(subscription);
  if (isSearch) searchAmong(subscription, answered.sent);
  else for (const { name, digest } of answered.sent) subscription.refused.set(name, { digest, error });
  endSearch(subscription);
  return {
    kind: 'refused',
    error,
    resources: isSearch ? [] : answered.sent.map(({ name, digest }) => ({ name, digest })),
  };
}

/** The refusal of a part explains the refusal of the whole, so only the part stays under suspicion. */
function searchAmong(subscription: Subscription, sent: readonly EncodedResource[]): void {
  subscription.suspects.clear();
  for (const { name } of sent) {
    resend(subscription, name);
    subscription.suspects.add(name);
  }
}

function endSearch(subscription: Subscription): void {
  for (const name of subscription.suspects) if (!subscription.pending.has(name)) subscription.suspects.delete(name);
  compact(subscription);
}
