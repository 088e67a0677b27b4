/**
 * One stream's subscriptions together: what may be sent now, so that a proxy never refers to what it does not have.
 * Additions go in the order of `resourceTypes`, each type after the earlier ones were acknowledged and after what their
 * resources need was delivered; removals only when nothing is left to add. Pure: time is a parameter.
 */
import type { EncodedResource, View } from './resource-cache.js';
import { type ResourceShort, type ResourceType, removalOrder, resourceType, resourceTypes } from './resource-types.js';
import { type Response, takeAdditions, takeRemovals } from './response.js';
import { type Request, subscribeDelta, subscribeSotw } from './subscribe.js';
import {
  createSubscription,
  hasAdditions,
  hasRemovals,
  isSettled,
  isWanted,
  refusalOf,
  resend,
  type StreamKind,
  type Subscription,
  takeView,
} from './subscription.js';
import { judge, type Verdict } from './verdict.js';

/** A proxy asks for what a new cluster or listener needs right after acknowledging it; a proxy that never asks holds up nobody for longer. */
export const NEED_WAIT_MS = 1_000;

export interface StreamState {
  readonly kind: StreamKind;
  readonly subscriptions: Map<ResourceShort, Subscription>;
  /** Names that an acknowledged resource needs and the proxy has not asked for yet, with the time when we stop waiting. */
  readonly awaited: Map<ResourceShort, Map<string, number>>;
  view: View;
  nonces: number;
  ackedRevision: bigint;
}

export function createStreamState(kind: StreamKind, view: View): StreamState {
  return { kind, subscriptions: new Map(), awaited: new Map(), view, nonces: 0, ackedRevision: -1n };
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
  if (verdict?.kind === 'acked') followNeeds(stream, type, verdict.answered.sent, nowMs);
  if (request.kind === 'delta') subscribeDelta(subscription, request);
  else if (request.nonce === '' || request.nonce === subscription.lastNonce) subscribeSotw(subscription, request);
  if (isFirst) awaitNeeds(stream, subscription, nowMs);
  const awaited = stream.awaited.get(type.short);
  for (const name of awaited?.keys() ?? []) if (isWanted(subscription, name)) awaited?.delete(name);
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

/**
 * A changed cluster warms up until its endpoints come, also when they are the same as before and the proxy, being
 * subscribed already, does not ask again (xDS protocol, "Resource warming"). A listener finds routes that it knows.
 */
function followNeeds(stream: StreamState, type: ResourceType, sent: readonly EncodedResource[], nowMs: number): void {
  if (!type.needs) return;
  const needed = resourceType(type.needs);
  const subscription = stream.subscriptions.get(needed.short);
  for (const name of sent.flatMap((resource) => resource.needs)) {
    if (!subscription || !isWanted(subscription, name)) awaitName(stream, needed, name, nowMs);
    else if (type.short === 'CDS') resend(subscription, name);
  }
}

/** A reconnected proxy will ask at once for what its resources need, though nothing of theirs is sent again. */
function awaitNeeds(stream: StreamState, subscription: Subscription, nowMs: number): void {
  const { type, map, pending } = subscription;
  if (!type.needs) return;
  const needed = resourceType(type.needs);
  const asked = stream.subscriptions.get(needed.short);
  for (const resource of map.values()) {
    if (pending.has(resource.name) || !isWanted(subscription, resource.name)) continue;
    for (const name of resource.needs) if (!asked || !isWanted(asked, name)) awaitName(stream, needed, name, nowMs);
  }
}

function awaitName(stream: StreamState, type: ResourceType, name: string, nowMs: number): void {
  if (!stream.view.byType.get(type.typeUrl)?.has(name)) return;
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
  if (stream.subscriptions.size > 0 && isAllSettled(stream)) stream.ackedRevision = stream.view.storeRevision;
  return { responses, wakeAtMs };
}

function additions(stream: StreamState): { responses: Response[]; isBlocked: boolean } {
  const responses: Response[] = [];
  let isBlocked = false;
  for (const type of resourceTypes) {
    const subscription = stream.subscriptions.get(type.short);
    if (subscription && !subscription.outstanding && hasAdditions(subscription) && !(type.isOrdered && isBlocked)) {
      responses.push(takeAdditions(subscription, nextNonce(stream)));
    }
    if (type.isOrdered && (isBusy(subscription) || isAwaiting(stream, type))) isBlocked = true;
  }
  return { responses, isBlocked };
}

function isBusy(subscription: Subscription | undefined): boolean {
  if (!subscription) return false;
  return hasAdditions(subscription) || (subscription.outstanding !== undefined && !subscription.outstanding.isRemoval);
}

function isAwaiting(stream: StreamState, type: ResourceType): boolean {
  return (stream.awaited.get(type.short)?.size ?? 0) > 0;
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

/** A proxy that has not come round yet to ask for its clusters or listeners has not acknowledged the view. */
function isAllSettled(stream: StreamState): boolean {
  if (![...stream.subscriptions.values()].every(isSettled)) return false;
  if ([...stream.awaited.values()].some((names) => names.size > 0)) return false;
  return resourceTypes.every(({ short, typeUrl, wildcard }) => {
    return !wildcard || stream.subscriptions.has(short) || !stream.view.byType.get(typeUrl)?.size;
  });
}
