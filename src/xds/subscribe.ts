/** Reads a proxy's wishes into its subscription, after the xDS protocol's "How the client specifies what resources to return". */
import { digestOf } from './resource-cache.js';
import { answer, compact, consider, drop, hasNothing, isWanted, type Subscription } from './subscription.js';

export interface DeltaRequest {
  readonly kind: 'delta';
  readonly typeUrl: string;
  /** Nonce of the response that this message answers; empty when it answers none. */
  readonly nonce: string;
  /** Set in a NACK. */
  readonly error: string | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: readonly (readonly [name: string, digest: string])[];
}

export interface SotwRequest {
  readonly kind: 'sotw';
  readonly typeUrl: string;
  readonly nonce: string;
  readonly error: string | undefined;
  /** All names that are wanted, not the difference. */
  readonly names: readonly string[];
  /** Of the last response that the proxy accepted, on this stream or an earlier one. */
  readonly version: string;
}

export type Request = DeltaRequest | SotwRequest;

const WILDCARD = '*';

/** In delta, wishes count even in a message with a stale nonce: they are told once. */
export function subscribeDelta(subscription: Subscription, request: DeltaRequest): void {
  const isFirst = !subscription.isStarted;
  subscription.isStarted = true;
  if (isFirst) rememberEarlierStream(subscription, request.initialVersions);
  for (const name of request.unsubscribe) unsubscribe(subscription, name);
  const isLegacyWildcard = isFirst && request.subscribe.length === 0 && subscription.type.wildcard;
  if (isLegacyWildcard || request.subscribe.includes(WILDCARD)) startWildcard(subscription, isFirst);
  for (const name of request.subscribe) {
    if (name !== WILDCARD) subscribeName(subscription, name, isFirst);
  }
  // What an earlier stream brought and nobody wants any more needs no removal: the proxy has unsubscribed from it.
  if (isFirst) for (const [name] of request.initialVersions) consider(subscription, name);
  compact(subscription);
}

function rememberEarlierStream(subscription: Subscription, versions: DeltaRequest['initialVersions']): void {
  for (const [name, digest] of versions) subscription.deviations.set(name, digest);
  subscription.hasContent = versions.length > 0;
}

function startWildcard(subscription: Subscription, isFirst: boolean): void {
  if (subscription.isWildcard) return;
  subscription.isWildcard = true;
  subscription.isAnswerDue = !isFirst || !subscription.hasContent;
  if (isFirst && hasNothing(subscription)) return wantAll(subscription);
  for (const name of subscription.map.keys()) {
    if (!isFirst && !subscription.names.has(name)) subscription.deviations.set(name, '');
    consider(subscription, name);
  }
}

function wantAll({ map, pending }: Subscription): void {
  for (const name of map.keys()) pending.add(name);
}

function subscribeName(subscription: Subscription, name: string, isFirst: boolean): void {
  const known = subscription.map.get(name);
  // The map's own string, if it has one: a thousand streams then share the text of their names.
  subscription.names.add(known?.name ?? name);
  if (known !== undefined && isFirst && hasNothing(subscription)) return void subscription.pending.add(known.name);
  // A name that is asked for again is sent again, unchanged or not. Only after a reconnect is what is up to date not sent.
  if (isFirst && subscription.deviations.has(name)) consider(subscription, name);
  else answer(subscription, name);
}

function unsubscribe(subscription: Subscription, name: string): void {
  if (name === WILDCARD) return endWildcard(subscription);
  if (!subscription.names.delete(name)) return;
  // Under a wildcard the proxy cannot know whether the name is still its own, so it must be told.
  if (subscription.isWildcard) answer(subscription, name);
  else drop(subscription, name);
}

function endWildcard(subscription: Subscription): void {
  subscription.isWildcard = false;
  for (const set of [subscription.pending, subscription.removals, subscription.absent, subscription.suspects]) {
    for (const name of set) if (!subscription.names.has(name)) drop(subscription, name);
  }
  for (const name of subscription.refused.keys()) if (!subscription.names.has(name)) drop(subscription, name);
}

/** Not for messages with a stale nonce: the proxy repeats all names in its answer to the response that it has not seen yet. */
export function subscribeSotw(subscription: Subscription, request: SotwRequest): void {
  const isFirst = !subscription.isStarted;
  subscription.isStarted = true;
  const wanted = new Set(request.names);
  const isNamed = wanted.size > 0;
  const isLegacyWildcard = !isNamed && subscription.type.wildcard && (isFirst || subscription.isLegacyWildcard);
  subscription.isLegacyWildcard = isLegacyWildcard;
  const isWildcard = wanted.delete(WILDCARD) || isLegacyWildcard;
  if (isFirst) subscription.hasContent = request.version !== '';
  const added = [...wanted].filter((name) => !subscription.names.has(name));
  const gone = [...subscription.names].filter((name) => !wanted.has(name));
  const wasWildcard = subscription.isWildcard;
  subscription.isWildcard = isWildcard;
  for (const name of gone) subscription.names.delete(name);
  for (const name of added) subscription.names.add(subscription.map.get(name)?.name ?? name);
  if (isFirst && isWildcard && isUpToDate(subscription, request.version)) return compact(subscription);
  if (wasWildcard && !isWildcard) endWildcard(subscription);
  for (const name of gone) if (!isWanted(subscription, name)) drop(subscription, name);
  for (const name of isWildcard && !wasWildcard ? [...subscription.map.keys(), ...added] : added) {
    answer(subscription, name);
  }
  const isNews = added.length > 0 || (isWildcard && !wasWildcard);
  if (isNews && subscription.type.isFullState) subscription.isAnswerDue = true;
  compact(subscription);
}

/** Only for types whose responses are complete: the version then stands for everything that the proxy has. */
function isUpToDate(subscription: Subscription, version: string): boolean {
  return subscription.type.isFullState && version !== '' && version === digestOf(subscription.map);
}
