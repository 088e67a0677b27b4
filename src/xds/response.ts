/** The next response of one subscription, as data; and what it leaves behind in the subscription. */
import { digestOf, type EncodedResource, listOf, type ResourceMap, sumOf } from './resource-cache.js';
import { compact, isWanted, NOTHING, type Subscription, sendsFullState } from './subscription.js';

export interface Response {
  readonly subscription: Subscription;
  readonly nonce: string;
  /** Goes out as `version_info` or `system_version_info`. */
  readonly version: string;
  readonly resources: readonly EncodedResource[];
  /** The map of which `resources` are all there is, if they are. */
  readonly whole: ResourceMap | undefined;
  readonly removed: readonly string[];
  /** The new ones among `resources`: a full state also repeats what the proxy has. */
  readonly sent: readonly EncodedResource[];
}

/** Additions and changes. Call only when `hasAdditions` and nothing is outstanding. */
export function takeAdditions(subscription: Subscription, nonce: string): Response {
  const removed = [...subscription.absent];
  const isAll = isAllDue(subscription);
  const sent = isAll ? takeAll(subscription) : takePart(subscription);
  subscription.absent.clear();
  subscription.isAnswerDue = false;
  const content = sendsFullState(subscription) ? unionOf(subscription) : { resources: sent, isWhole: isAll };
  return issue(subscription, nonce, { ...content, removed, sent, isRemoval: false });
}

/** As for each proxy that comes: what it has afterwards is the map itself, so there is nothing to note of each name. */
function isAllDue({ pending, map, suspects, removals }: Subscription): boolean {
  return pending.size === map.size && suspects.size === 0 && removals.size === 0;
}

function takeAll(subscription: Subscription): readonly EncodedResource[] {
  subscription.pending.clear();
  subscription.refused.clear();
  return listOf(subscription.map);
}

function takePart(subscription: Subscription): readonly EncodedResource[] {
  const sent = nextPart(subscription).flatMap((name) => subscription.map.get(name) ?? []);
  for (const { name, digest } of sent) {
    subscription.pending.delete(name);
    note(subscription, name, digest);
  }
  return sent;
}

/** Removals. In state-of-the-world that is the exact set, after the union of old and new was acknowledged. */
export function takeRemovals(subscription: Subscription, nonce: string): Response {
  const removed = [...subscription.removals];
  for (const name of removed) note(subscription, name, NOTHING);
  subscription.removals.clear();
  subscription.held.clear();
  const isFull = sendsFullState(subscription);
  return issue(subscription, nonce, {
    ...(isFull ? unionOf(subscription) : nothing),
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

function unionOf(subscription: Subscription): Pick<Content, 'resources' | 'isWhole'> {
  const { map, held, isWildcard } = subscription;
  if (isWildcard && held.size === 0) return { resources: listOf(map), isWhole: true };
  const wanted = listOf(map).filter((resource) => isWanted(subscription, resource.name));
  return { resources: [...wanted, ...held.values()], isWhole: false };
}

const nothing = { resources: [], isWhole: false } as const;

interface Content {
  readonly resources: readonly EncodedResource[];
  /** `resources` are all that the map has. */
  readonly isWhole: boolean;
  readonly removed: readonly string[];
  readonly sent: readonly EncodedResource[];
  readonly isRemoval: boolean;
}

function issue(subscription: Subscription, nonce: string, content: Content): Response {
  const { resources, isWhole, removed, sent, isRemoval } = content;
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
    version: sendsFullState(subscription) && !isWhole ? sumOf(resources) : version,
    resources,
    whole: isWhole ? subscription.map : undefined,
    removed,
    sent,
  };
}
