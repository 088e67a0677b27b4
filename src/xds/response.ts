/** The next response of one subscription, as data; and what it leaves behind in the subscription. */
import { digestOf, type EncodedResource, sumOf } from './resource-cache.js';
import { compact, isWanted, NOTHING, type Subscription, sendsFullState } from './subscription.js';

export interface Response {
  readonly subscription: Subscription;
  readonly nonce: string;
  /** Goes out as `version_info` or `system_version_info`. */
  readonly version: string;
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
  /** The new ones among `resources`: a full state also repeats what the proxy has. */
  readonly sent: readonly EncodedResource[];
}

/** Additions and changes. Call only when `hasAdditions` and nothing is outstanding. */
export function takeAdditions(subscription: Subscription, nonce: string): Response {
  const names = nextPart(subscription);
  const removed = [...subscription.absent];
  const sent = names.flatMap((name) => subscription.map.get(name) ?? []);
  const resources = sendsFullState(subscription) ? unionOf(subscription) : sent;
  for (const name of names) subscription.pending.delete(name);
  subscription.absent.clear();
  subscription.isAnswerDue = false;
  for (const { name, digest } of sent) note(subscription, name, digest);
  return issue(subscription, nonce, { resources, removed, sent, isRemoval: false });
}

/** Removals. In state-of-the-world that is the exact set, after the union of old and new was acknowledged. */
export function takeRemovals(subscription: Subscription, nonce: string): Response {
  const removed = [...subscription.removals];
  for (const name of removed) note(subscription, name, NOTHING);
  subscription.removals.clear();
  subscription.held.clear();
  const isFull = sendsFullState(subscription);
  return issue(subscription, nonce, {
    resources: isFull ? unionOf(subscription) : [],
    removed: isFull ? [] : removed,
    sent: [],
    isRemoval: true,
  });
}

function note(subscription: Subscription, name: string, digest: string): void {
  subscription.deviations.set(name, digest);
  subscription.refused.delete(name);
}

function nextPart(subscription: Subscription): string[] {
  if (subscription.suspects.size === 0 || sendsFullState(subscription)) return [...subscription.pending];
  const suspects = [...subscription.suspects].filter((name) => subscription.pending.has(name));
  return suspects.length > 0 ? suspects.slice(0, Math.ceil(suspects.length / 2)) : [...subscription.pending];
}

function unionOf(subscription: Subscription): EncodedResource[] {
  const wanted = [...subscription.map.values()].filter((resource) => isWanted(subscription, resource.name));
  return [...wanted, ...subscription.held.values()];
}

interface Content {
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
  readonly sent: readonly EncodedResource[];
  readonly isRemoval: boolean;
}

function issue(subscription: Subscription, nonce: string, { resources, removed, sent, isRemoval }: Content): Response {
  const version = digestOf(subscription.map);
  subscription.lastNonce = nonce;
  subscription.hasContent ||= resources.length > 0;
  subscription.removalRefusal = undefined;
  subscription.outstanding = { nonce, sent, isRemoval, version };
  compact(subscription);
  // A reconnecting proxy repeats this version, so for a full state it must stand for exactly what was in it.
  return {
    subscription,
    nonce,
    version: sendsFullState(subscription) ? sumOf(resources) : version,
    resources,
    removed,
    sent,
  };
}
