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
  hasNothing,
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
  /** What acknowledged resources need and the proxy has not asked for yet. */
  readonly awaited: Map<ResourceShort, readonly Awaited[]>;
  /** Endpoint names of clusters that this stream brought, to be sent as soon as the proxy asks, also when it has them from before. */
  owed: string[];
  view: View;
  nonces: number;
  ackedRevision: bigint;
  /** The last view of which the proxy has acknowledged everything that it subscribes to. */
  settledView: View | undefined;
}

/** Needed together, and asked for together as a rule. */
interface Awaited {
  readonly names: readonly string[];
  /** When we stop waiting. */
  readonly untilMs: number;
}

export function createStreamState(kind: StreamKind, view: View, only?: ResourceType): StreamState {
  return {
    kind,
    only,
    subscriptions: new Map(),
    awaited: new Map(),
    owed: [],
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
  stopAwaiting(stream, subscription);
  return verdict;
}

/** What it has asked for by now. */
function stopAwaiting(stream: StreamState, subscription: Subscription): void {
  const { short } = subscription.type;
  const awaited = stream.awaited.get(short) ?? [];
  const still = awaited.flatMap((one): readonly Awaited[] => {
    const names = one.names.filter((name) => name !== ANYTHING && !isWanted(subscription, name));
    return names.length === 0 ? [] : [{ ...one, names }];
  });
  if (awaited.length > 0) stream.awaited.set(short, still);
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
  if (subscription.pending.size === subscription.map.size) return [];
  return [...subscription.map.values()].filter(({ name }) => {
    return isWanted(subscription, name) && !subscription.pending.has(name);
  });
}

function awaitNeeds(stream: StreamState, type: ResourceType, has: readonly EncodedResource[], nowMs: number): void {
  if (!type.needs || stream.only) return;
  const needed = resourceType(type.needs);
  const asked = stream.subscriptions.get(needed.short);
  const given = stream.view.byType.get(needed.typeUrl);
  const names: string[] = [];
  for (const resource of has) {
    for (const name of resource.needs) {
      if (given?.has(name) === true && !(asked && isWanted(asked, name))) names.push(name);
    }
  }
  awaitNames(stream, needed, names, nowMs);
}

/**
 * A changed cluster warms up until its endpoints come, also when they are the same as before and the proxy, being
 * subscribed already, does not ask again (xDS protocol, "Resource warming"). A listener finds routes that it knows.
 */
function oweEndpoints(stream: StreamState, clusters: readonly EncodedResource[]): void {
  for (const cluster of clusters) stream.owed.push(...cluster.needs);
  const endpoints = stream.subscriptions.get('EDS');
  if (endpoints) payEndpoints(stream, endpoints);
}

function payEndpoints(stream: StreamState, endpoints: Subscription): void {
  if (stream.owed.length === 0) return;
  // Who has nothing yet is sent all that it asks for anyway.
  const isNew = hasNothing(endpoints);
  stream.owed = stream.owed.filter((name) => {
    if (!isWanted(endpoints, name)) return true;
    if (!isNew || !endpoints.pending.has(name)) answer(endpoints, name);
    return false;
  });
}

/**
 * A reconnected proxy tells of its clusters before it tells of the listeners and routes that lead to them, of which we know
 * nothing until then: nothing may be taken away.
 */
function awaitReferring(stream: StreamState, { type, hasContent }: Subscription, nowMs: number): void {
  if (type.short !== 'CDS' || !hasContent) return;
  for (const short of ['LDS', 'RDS'] as const)
    if (!stream.subscriptions.has(short)) awaitNames(stream, resourceType(short), [ANYTHING], nowMs);
}

function awaitNames(stream: StreamState, { short }: ResourceType, names: readonly string[], nowMs: number): void {
  if (names.length === 0) return;
  const others = stream.awaited.get(short) ?? [];
  stream.awaited.set(short, [...others, { names, untilMs: nowMs + NEED_WAIT_MS }]);
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
  return (stream.awaited.get(short)?.length ?? 0) > 0;
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
  for (const [short, awaited] of stream.awaited) {
    const still = awaited.filter(({ untilMs }) => untilMs > nowMs);
    if (still.length < awaited.length) stream.awaited.set(short, still);
    for (const { untilMs } of still) wakeAtMs = Math.min(wakeAtMs ?? untilMs, untilMs);
  }
  return wakeAtMs;
}

/**
 * A proxy that has not come round yet to ask for its clusters or listeners has not acknowledged the view. One that asks for
 * them by name, as gRPC does, may never need the others.
 */
function isAllSettled(stream: StreamState): boolean {
  if (![...stream.subscriptions.values()].every(isSettled)) return false;
  if ([...stream.awaited.values()].some((awaited) => awaited.length > 0)) return false;
  const isByName = [...stream.subscriptions.values()].some(({ type, isWildcard }) => type.wildcard && !isWildcard);
  if (stream.only || isByName) return true;
  return resourceTypes.every(({ short, typeUrl, wildcard }) => {
    return !wildcard || stream.subscriptions.has(short) || !stream.view.byType.get(typeUrl)?.size;
  });
}
