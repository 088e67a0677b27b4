/**
 * What one stream wants of one type, what it was sent, and what it said to that. State and bookkeeping only: `subscribe.ts`
 * reads the proxy's wishes into it, `verdict.ts` its answers, `response.ts` decides what to send. No clock, no I/O.
 *
 * One record per (stream, type), changed in place: a copy for each acknowledgement of 3,000 names would cost more than
 * everything else here.
 */
import { differenceOf, type EncodedResource, type ResourceMap, resourcesOf, type View } from './resource-cache.js';
import type { ResourceType } from './resource-types.js';

export type StreamKind = 'delta' | 'sotw';

/** A response that is not answered yet. At most one per subscription. */
export interface Outstanding {
  readonly nonce: string;
  readonly isRemoval: boolean;
  /** What it adds or changes. */
  readonly sent: readonly EncodedResource[];
  /** Digest over all resources of the type in the view it was made from. */
  readonly version: string;
}

export interface Refusal {
  readonly digest: string;
  readonly error: string;
}

/** The digest of what is not there. */
export const NOTHING = '';

export interface Subscription {
  readonly type: ResourceType;
  readonly kind: StreamKind;
  /** False until the first request for this type. */
  isStarted: boolean;
  isWildcard: boolean;
  /** State-of-the-world only: it began without names, and there were none since. Then no names still mean all of them. */
  isLegacyWildcard: boolean;
  readonly names: Set<string>;
  /** The newest view's resources of this type. */
  map: ResourceMap;
  mayEmpty: boolean;
  /**
   * What the proxy was last sent: `base`, except for the names in `deviations`. A settled subscription is a reference to a
   * map that all proxies share, which keeps 3,000 names times 1,000 proxies out of memory.
   */
  base: ResourceMap;
  readonly deviations: Map<string, string>;
  /** Has the proxy anything of this type, from us or from an earlier stream? */
  hasContent: boolean;
  /** To be sent (again). */
  readonly pending: Set<string>;
  /** Asked for by name but not in the view: delta answers that they do not exist. */
  readonly absent: Set<string>;
  /** Sent, and no longer in the view. */
  readonly removals: Set<string>;
  /** State-of-the-world only: the last content of `removals`, which a full-state response repeats until they may go. */
  readonly held: Map<string, EncodedResource>;
  /** An answer is owed even if it is empty, since a proxy waits for the first one. */
  isAnswerDue: boolean;
  outstanding: Outstanding | undefined;
  lastNonce: string;
  /** What was sent last of a name and refused. Not sent again until the view has another digest. */
  readonly refused: Map<string, Refusal>;
  /** Of a refused response with several resources: sent again half by half, to find the guilty one. */
  readonly suspects: Set<string>;
  removalRefusal: string | undefined;
  ackedVersion: string;
}

const emptyMap: ResourceMap = new Map();

export function createSubscription(type: ResourceType, kind: StreamKind): Subscription {
  return {
    type,
    kind,
    isStarted: false,
    isWildcard: false,
    isLegacyWildcard: false,
    names: new Set(),
    map: emptyMap,
    mayEmpty: false,
    base: emptyMap,
    deviations: new Map(),
    hasContent: false,
    pending: new Set(),
    absent: new Set(),
    removals: new Set(),
    held: new Map(),
    isAnswerDue: false,
    outstanding: undefined,
    lastNonce: '',
    refused: new Map(),
    suspects: new Set(),
    removalRefusal: undefined,
    ackedVersion: '',
  };
}

export function isWanted(subscription: Subscription, name: string): boolean {
  return subscription.isWildcard || subscription.names.has(name);
}

/** In state-of-the-world a response for clusters or listeners is always everything. */
export function sendsFullState(subscription: Subscription): boolean {
  return subscription.kind === 'sotw' && subscription.type.isFullState;
}

export function sentDigest(subscription: Subscription, name: string): string {
  return subscription.deviations.get(name) ?? subscription.base.get(name)?.digest ?? NOTHING;
}

/** Neither from us nor from an earlier stream. */
export function hasNothing({ base, deviations }: Subscription): boolean {
  return base.size === 0 && deviations.size === 0;
}

/** Brings the subscription to a newer view. The same map as before costs nothing. */
export function takeView(subscription: Subscription, view: View): void {
  const before = subscription.map;
  const after = resourcesOf(view, subscription.type.typeUrl);
  subscription.mayEmpty = view.allowEmpty?.has(subscription.type.short) ?? false;
  if (after === before) return;
  subscription.map = after;
  subscription.removalRefusal = undefined;
  if (!subscription.isStarted) return;
  const { changed, removed } = differenceOf(before, after);
  for (const name of removed) {
    const resource = before.get(name);
    const wasSent = isWanted(subscription, name) && sentDigest(subscription, name) !== NOTHING;
    if (resource && wasSent && sendsFullState(subscription)) subscription.held.set(name, resource);
    consider(subscription, name);
  }
  for (const name of changed) consider(subscription, name);
  compact(subscription);
}

/** Compares what the proxy has of this name with what it should have, and notes what is to do. */
export function consider(subscription: Subscription, name: string): void {
  const should = subscription.map.get(name)?.digest ?? NOTHING;
  const has = sentDigest(subscription, name);
  const isAnswerOwed = subscription.pending.has(name) || subscription.absent.has(name);
  forget(subscription, name, should);
  if (!isWanted(subscription, name)) return;
  if (should === has) {
    // Asked for, and gone again before it could be sent: the proxy still waits to hear of it.
    if (isAnswerOwed && should === NOTHING) noteAbsent(subscription, name);
  } else if (should !== NOTHING) subscription.pending.add(name);
  else if (subscription.kind === 'delta' || subscription.type.isFullState) subscription.removals.add(name);
  // State-of-the-world cannot say that a route or an endpoint list is gone: the proxy stops asking for it by itself.
  else subscription.deviations.set(name, NOTHING);
}

function forget(subscription: Subscription, name: string, should: string): void {
  subscription.pending.delete(name);
  subscription.removals.delete(name);
  subscription.absent.delete(name);
  if (should !== NOTHING) subscription.held.delete(name);
}

/** What the proxy was sent of this name no longer counts: it goes out again as soon as the view has it. */
export function resend(subscription: Subscription, name: string): void {
  subscription.refused.delete(name);
  subscription.deviations.set(name, NOTHING);
  consider(subscription, name);
}

/** The same for a name that the proxy has just asked for, so it must also be told when it does not exist. */
export function answer(subscription: Subscription, name: string): void {
  resend(subscription, name);
  if (!subscription.map.has(name)) noteAbsent(subscription, name);
}

function noteAbsent(subscription: Subscription, name: string): void {
  if (subscription.kind === 'delta' && subscription.names.has(name)) subscription.absent.add(name);
}

/** Drops what was planned for a name that the proxy no longer wants. */
export function drop(subscription: Subscription, name: string): void {
  forget(subscription, name, NOTHING);
  subscription.held.delete(name);
  subscription.refused.delete(name);
  subscription.suspects.delete(name);
}

/** Once nothing is left to send, all that the proxy was sent is the newest map itself. */
export function compact(subscription: Subscription): void {
  if (subscription.pending.size > 0 || subscription.removals.size > 0) return;
  subscription.base = subscription.map;
  subscription.deviations.clear();
}

/**
 * An empty set of clusters or listeners is obeyed at once and costs every request, so it is only sent when the host says
 * that it means it; a proxy that has nothing yet may have its empty answer.
 */
export function isWithheld(subscription: Subscription): boolean {
  return subscription.isWildcard && subscription.hasContent && subscription.map.size === 0 && !subscription.mayEmpty;
}

export function hasAdditions(subscription: Subscription): boolean {
  if (isWithheld(subscription)) return false;
  return subscription.pending.size > 0 || subscription.absent.size > 0 || subscription.isAnswerDue;
}

export function hasRemovals(subscription: Subscription): boolean {
  return subscription.removals.size > 0 && !isWithheld(subscription);
}

/** Why the proxy does not have what the view has, if it refused it. */
export function refusalOf(subscription: Subscription): string | undefined {
  for (const [name, { digest, error }] of subscription.refused) {
    if (subscription.map.get(name)?.digest === digest) return error;
  }
  return subscription.removalRefusal;
}

/** Has the proxy acknowledged everything that the newest view has for it? */
export function isSettled(subscription: Subscription): boolean {
  return (
    subscription.outstanding === undefined &&
    subscription.pending.size === 0 &&
    subscription.absent.size === 0 &&
    subscription.removals.size === 0 &&
    !subscription.isAnswerDue &&
    refusalOf(subscription) === undefined
  );
}
