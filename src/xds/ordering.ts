/**
 * One stream's subscriptions together: what may be sent now, so that a proxy never refers to what it does not have.
 * Additions go in the order of `resourceTypes`, and listeners and routes only after clusters and endpoints were
 * acknowledged and what these need was delivered; removals only when nothing is left to add. Pure: time is a parameter.
 */
import type { EncodedResource, View } from './resource-cache.js';
import { type ResourceShort, type ResourceType, removalOrder, resourceType, resourceTypes } from './resource-types.js';
import { type Response, takeAdditions, takeRemovals } from './response.js';
import { type Request, subscribeDelta, subscribeSotw } from './subscribe.js';
import {
  answer,
  createSubscription,
  hasAdditions,
  hasRemovals,
  isSettled,
  isWanted,
  refusalOf,
  type StreamKind,
  type Subscription,
  takeView,
} from './subscription.js';
import { judge, type Verdict } from './verdict.js';

/** A proxy asks for what a new cluster or listener needs right after acknowledging it; a proxy that never asks holds up nobody for longer. */
export const NEED_WAIT_MS = 1_000;

/** Awaited of a type whose names are not known. */
const ANYTHING = '*';

export interface StreamState {
  readonly kind: StreamKind;
  /** Set when the stream serves one type by itself: what that needs comes by another, and cannot be waited for. */
  readonly only: ResourceType | undefined;
  readonly subscriptions: Map<ResourceShort, Subscription>;
  /** Names that an acknowledged resource needs and the proxy has not asked for yet, with the time when we stop waiting. */
  readonly awaited: Map<ResourceShort, Map<string, number>>;
  /** Endpoint names of clusters that this stream brought, to be sent as soon as the proxy asks, also when it has them from before. */
  readonly owed: Set<string>;
  view: View;
  nonces: number;
  ackedRevision: bigint;
  /** The last view of which the proxy has acknowledged everything that it subscribes to. */
  settledView: View | undefined;
}

export function createStreamState(kind: StreamKind, view: View, only?: ResourceType): StreamState {
  return {
    kind,
    only,
    subscriptions: new Map(),
    awaited: new Map(),
    owed: new Set(),
    view,
    nonces: 0,
    ackedRevision: -1n,
    settledView: undefined,
  };
}

export function updateView(stream: StreamState, view: View): void {
  stream.view = view;
  for (const subscription of stream.subscriptions.values()) takeView(subscription, view);
}

/** Reads one message of the proxy into the state. Undefined: it answered nothing. */
export function receive(stream: StreamState, type: ResourceType, request: Request, nowMs: number): Verdict | undefined {
  const subscription = subscriptionOf(stream, type);
  const isFirst = !subscription.isStarted;
  const verdict = judge(subscription, request.nonce, request.error);
  if (verdict?.kind === 'acked') awaitNeeds(stream, type, verdict.answered.sent, nowMs);
  if (request.kind === 'delta') subscribeDelta(subscription, request);
  else if (isFirst || request.nonce === '' || request.nonce === subscription.lastNonce)
    subscribeSotw(subscription, request);
  if (type.short === 'EDS') payEndpoints(stream, subscription);
  // A reconnected proxy will ask at once for what its resources need, though nothing of theirs is sent again.
  if (isFirst && type.needs) awaitNeeds(stream, type, upToDate(subscription), nowMs);
  if (isFirst) awaitReferring(stream, subscription, nowMs);
  const awaited = stream.awaited.get(type.short);
  for (const name of awaited?.keys() ?? [])
    if (name === ANYTHING || isWanted(subscription, name)) awaited?.delete(name);
  return verdict;
}

function subscriptionOf(stream: StreamState, type: ResourceType): Subscription {
  let subscription = stream.subscriptions.get(type.short);
  if (!subscription) {
    subscription = createSubscription(type, stream.kind);
    takeView(subscription, stream.view);
    stream.subscriptions.set(type.short, subscription);
  }
  return subscription;
}

function upToDate(subscription: Subscription): EncodedResource[] {
  return [...subscription.map.values()].filter(({ name }) => {
    return isWanted(subscription, name) && !subscription.pending.has(name);
  });
}

function awaitNeeds(stream: StreamState, type: ResourceType, has: readonly EncodedResource[], nowMs: number): void {
  if (!type.needs || stream.only) return;
  const needed = resourceType(type.needs);
  const asked = stream.subscriptions.get(needed.short);
  for (const name of has.flatMap((resource) => resource.needs)) {
    if (!asked || !isWanted(asked, name)) awaitName(stream, needed, name, nowMs);
  }
}

/**
 * A changed cluster warms up until its endpoints come, also when they are the same as before and the proxy, being
 * subscribed already, does not ask again (xDS protocol, "Resource warming"). A listener finds routes that it knows.
 */
function oweEndpoints(stream: StreamState, clusters: readonly EncodedResource[]): void {
  for (const name of clusters.flatMap((cluster) => cluster.needs)) stream.owed.add(name);
  const endpoints = stream.subscriptions.get('EDS');
  if (endpoints) payEndpoints(stream, endpoints);
}

function payEndpoints(stream: StreamState, endpoints: Subscription): void {
  for (const name of stream.owed) {
    if (!isWanted(endpoints, name)) continue;
    stream.owed.delete(name);
    answer(endpoints, name);
  }
}

/**
 * A reconnected proxy tells of its clusters before it tells of the listeners and routes that lead to them, of which we know
 * nothing until then: nothing may be taken away.
 */
function awaitReferring(stream: StreamState, { type, hasContent }: Subscription, nowMs: number): void {
  if (type.short !== 'CDS' || !hasContent) return;
  for (const short of ['LDS', 'RDS'] as const)
    if (!stream.subscriptions.has(short)) awaitName(stream, resourceType(short), ANYTHING, nowMs);
}

function awaitName(stream: StreamState, type: ResourceType, name: string, nowMs: number): void {
  if (name !== ANYTHING && !stream.view.byType.get(type.typeUrl)?.has(name)) return;
  let names = stream.awaited.get(type.short);
  if (!names) stream.awaited.set(type.short, (names = new Map()));
  names.set(name, nowMs + NEED_WAIT_MS);
}

export interface Step {
  readonly responses: readonly Response[];
  /** Ask again at this time even if nothing happens until then. */
  readonly wakeAtMs: number | undefined;
}

/** Takes what may be sent now out of the state. Call again after each message and each view. */
export function nextStep(stream: StreamState, nowMs: number): Step {
  const wakeAtMs = dropOverdue(stream, nowMs);
  const { responses, isBlocked } = additions(stream);
  if (!isBlocked) responses.push(...removals(stream));
  if (stream.subscriptions.size > 0 && isAllSettled(stream)) {
    stream.ackedRevision = stream.view.storeRevision;
    stream.settledView = stream.view;
  }
  return { responses, wakeAtMs };
}

function additions(stream: StreamState): { responses: Response[]; isBlocked: boolean } {
  const responses: Response[] = [];
  const busy = new Set<ResourceShort>();
  for (const { short, waitsFor, isOrdered } of resourceTypes) {
    const subscription = stream.subscriptions.get(short);
    const mayGo = !waitsFor.some((earlier) => busy.has(earlier));
    if (subscription && !subscription.outstanding && hasAdditions(subscription) && mayGo) {
      const response = takeAdditions(subscription, nextNonce(stream));
      responses.push(response);
      if (short === 'CDS') oweEndpoints(stream, response.sent);
    }
    if (isOrdered && (isBusy(subscription) || isAwaiting(stream, short))) busy.add(short);
  }
  return { responses, isBlocked: busy.size > 0 };
}

function isBusy(subscription: Subscription | undefined): boolean {
  if (!subscription) return false;
  return hasAdditions(subscription) || (subscription.outstanding !== undefined && !subscription.outstanding.isRemoval);
}

function isAwaiting(stream: StreamState, short: ResourceShort): boolean {
  return (stream.awaited.get(short)?.size ?? 0) > 0;
}

/**
 * One type at a time. A refused resource keeps everything, since the proxy then still works with the old one and
 * whatever that refers to.
 */
function removals(stream: StreamState): Response[] {
  const subscriptions = [...stream.subscriptions.values()];
  if (subscriptions.some((subscription) => subscription.type.isOrdered && refusalOf(subscription) !== undefined))
    return [];
  for (const short of removalOrder) {
    const subscription = stream.subscriptions.get(short);
    if (subscription?.outstanding) return [];
    if (subscription && hasRemovals(subscription)) return [takeRemovals(subscription, nextNonce(stream))];
  }
  return [];
}

function nextNonce(stream: StreamState): string {
  stream.nonces += 1;
  return String(stream.nonces);
}

function dropOverdue(stream: StreamState, nowMs: number): number | undefined {
  let wakeAtMs: number | undefined;
  for (const names of stream.awaited.values()) {
    for (const [name, untilMs] of names) {
      if (untilMs <= nowMs) names.delete(name);
      else wakeAtMs = Math.min(wakeAtMs ?? untilMs, untilMs);
    }
  }
  return wakeAtMs;
}

/**
 * A proxy that has not come round yet to ask for its clusters or listeners has not acknowledged the view. One that asks for
 * them by name, as gRPC does, may never need the others.
 */
function isAllSettled(stream: StreamState): boolean {
  if (![...stream.subscriptions.values()].every(isSettled)) return false;
  if ([...stream.awaited.values()].some((names) => names.size > 0)) return false;
  const isByName = [...stream.subscriptions.values()].some(({ type, isWildcard }) => type.wildcard && !isWildcard);
  if (stream.only || isByName) return true;
  return resourceTypes.every(({ short, typeUrl, wildcard }) => {
    return !wildcard || stream.subscriptions.has(short) || !stream.view.byType.get(typeUrl)?.size;
  });
}
