/** One ADS stream of a proxy: brings its messages to the pure state of `ordering.ts`, and what that decides to the wire. */
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { Admission } from './admission.js';
import type { AdsHost, ProxyHandle, ProxyNode, ProxyStatus, XdsMetrics } from './ads-host.js';
import { fieldsOf, fieldsOfMap } from './layer-bytes.js';
import { createStreamState, nextStep, receive, type StreamState, updateView } from './ordering.js';
import { MAX_NAMES, type Received, readDeltaRequest, readNode, readSotwRequest, TooMuch } from './read-request.js';
import { type ResourceShort, type ResourceType, resourceType, resourceTypes, typeOfUrl } from './resource-types.js';
import type { Response } from './response.js';
import { statusOf } from './stream-status.js';
import type { Request } from './subscribe.js';
import type { StreamKind } from './subscription.js';
import { type Call, type CallHandler, type GrpcCode, grpcCode } from './transport/transport.js';
import type { Verdict } from './verdict.js';
import { deltaDiscoveryResponse, discoveryResponse } from './wire.js';

/** A proxy that is silent for this long after a response hangs; on a new stream it can start afresh. */
export const ACK_TIMEOUT_MS = 30_000;
/** A stream on which nothing is asked. Envoy opens such ones when it has two control planes, and does not leave them by itself. */
const FIRST_REQUEST_LIMIT_MS = 500;
const PER_SILENT_STREAM_MS = 20;
const MAX_FIRST_REQUEST_LIMIT_MS = 10_000;
/** Where hundreds come at once, a machine has not yet got round to let all of them speak: to send those away makes more work of it. */
export function firstRequestLimitMs(silentStreams: number): number {
  return Math.min(FIRST_REQUEST_LIMIT_MS + (silentStreams - 1) * PER_SILENT_STREAM_MS, MAX_FIRST_REQUEST_LIMIT_MS);
}
/** Messages, and their bytes, that may wait until a new proxy is let in and the host has made up its mind about it. */
export const MAX_WAITING_MESSAGES = 64;
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export interface StreamSurroundings {
  readonly host: AdsHost;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: XdsMetrics;
  readonly admission: Admission;
  /** When to ask a stream to begin anew; another number for each. */
  ageLimitMs(): number;
  /** The stream has introduced itself. Throws when it is one too many. */
  joined(stream: AdsStream): void;
  left(stream: AdsStream): void;
  /** What the stream has acknowledged rose. */
  acked(stream: AdsStream): void;
}

export type EndReason =
  | 'client'
  | 'shutdown'
  | 'silent'
  | 'resync'
  | 'sent away'
  | 'aged'
  | 'ack timeout'
  | 'bad request'
  | 'too much'
  | 'refused';
/** Nothing is wrong with these. */
const ordinary: ReadonlySet<EndReason> = new Set(['client', 'shutdown', 'silent', 'resync', 'sent away', 'aged']);

export class AdsStream implements CallHandler {
  readonly #call: Call;
  readonly #kind: StreamKind;
  /** The type of a stream that is no ADS. */
  readonly only: ResourceType | undefined;
  readonly #around: StreamSurroundings;
  readonly #abort = new AbortController();
  readonly #connectedSince: number;
  readonly #openedMs: number;
  readonly #ageLimitMs: number;
  readonly #sentAtMs = new Map<ResourceShort, number>();
  readonly #ackedAt = new Map<ResourceShort, number>();
  readonly #unknownTypes = new Set<string>();
  #waiting: Request[] = [];
  #waitingBytes = 0;
  #hasSpoken = false;
  #node: ProxyNode | undefined;
  #handle: ProxyHandle | undefined;
  #state: StreamState | undefined;
  #wakeAtMs: number | undefined;
  #earlier: EarlierContent = 'none';

  constructor(call: Call, kind: StreamKind, only: ResourceType | undefined, around: StreamSurroundings) {
    this.#call = call;
    this.#kind = kind;
    this.only = only;
    this.#around = around;
    this.#connectedSince = around.clock.now();
    this.#openedMs = around.clock.monotonic();
    this.#ageLimitMs = around.ageLimitMs();
    around.metrics.connected(kind);
  }

  get node(): ProxyNode | undefined {
    return this.#node;
  }

  /** Takes the host's newest view and sends what it allows. */
  refresh(): void {
    if (!this.#state || !this.#handle || this.#abort.signal.aborted) return;
    this.#takeView(this.#state, this.#handle);
    this.#push(this.#state);
  }

  /** Nothing was asked on it yet. */
  get isSilent(): boolean {
    return !this.#hasSpoken;
  }

  /** Called a few times a second: what waits for time alone. */
  tick(nowMs: number, silentLimitMs: number): void {
    const oldestMs = Math.min(...this.#sentAtMs.values());
    if (this.isSilent && this.#openedMs + silentLimitMs <= nowMs) {
      this.end('silent', grpcCode.UNAVAILABLE, `no request for ${silentLimitMs} ms`);
    } else if (oldestMs + ACK_TIMEOUT_MS <= nowMs) {
      this.end('ack timeout', grpcCode.DEADLINE_EXCEEDED, `no answer to a response for ${ACK_TIMEOUT_MS / 1000} s`);
    } else if (this.#isAged(nowMs)) {
      this.end('aged', grpcCode.UNAVAILABLE, 'connected for long; come back, here or to another control plane');
    } else if (this.#state && this.#wakeAtMs !== undefined && this.#wakeAtMs <= nowMs) this.#push(this.#state);
  }

  /** Between two control planes old streams spread over both. Not while it owes an answer: that would be sent again. */
  #isAged(nowMs: number): boolean {
    return this.#openedMs + this.#ageLimitMs <= nowMs && this.#sentAtMs.size === 0;
  }

  /** -1n before anything was. */
  get ackedRevision(): bigint {
    return this.#state?.ackedRevision ?? -1n;
  }

  /** Undefined until it has introduced itself. */
  status(): ProxyStatus | undefined {
    const node = this.#node;
    if (!node) return undefined;
    return {
      id: node.id,
      node,
      connectedSince: this.#connectedSince,
      streamKind: this.#kind,
      types: statusOf(this.#state, this.#ackedAt, this.only),
      ackedRevision: this.ackedRevision,
      viewRevision: this.#state?.view.storeRevision ?? -1n,
    };
  }

  ended(): void {
    this.end('client');
  }

  end(reason: EndReason, code: GrpcCode = grpcCode.OK, details = ''): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(new Error(`stream ended: ${reason}`));
    this.#call.end(code, details);
    this.#around.metrics.disconnected(this.#kind, reason);
    this.#around.left(this);
    this.#handle?.closed();
    const proxy = this.#node?.id;
    if (!ordinary.has(reason)) {
      this.#around.logger.warn({ proxy, peer: this.#call.peer, reason, details }, 'stream of a proxy ended');
    }
  }

  received(message: Buffer): void {
    if (this.#abort.signal.aborted) return;
    try {
      const { node, request } = this.#read(message);
      if (!this.#hasSpoken) this.#introduce(node);
      this.#earlier = withRequest(this.#earlier, request, this.#state);
      if (this.#state) this.#answer(this.#state, request);
      else this.#keep(request, message.length);
    } catch (error) {
      this.#endOver(error);
    }
  }

  /** The proxy's own fault. */
  #endOver(error: unknown): void {
    const isTooMuch = error instanceof TooMuch;
    const code = isTooMuch ? grpcCode.RESOURCE_EXHAUSTED : grpcCode.INVALID_ARGUMENT;
    this.end(isTooMuch ? 'too much' : 'bad request', code, messageOf(error));
  }

  #read(message: Buffer): Received<Request> {
    return this.#kind === 'delta' ? readDeltaRequest(message) : readSotwRequest(message);
  }

  #introduce(bytes: Buffer | undefined): void {
    if (!bytes) throw new RangeError('the first message of a stream must carry a node with an id');
    this.#hasSpoken = true;
    void this.#enter(bytes); // its errors end the stream, inside
  }

  /** Nothing that costs is done for a stream before its turn. */
  async #enter(bytes: Buffer): Promise<void> {
    try {
      const { peer } = this.#call;
      await this.#around.admission.enter(peer, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      const node = readNode(bytes, peer);
      if (node.id === '') throw new RangeError('the first message of a stream must carry a node with an id');
      this.#node = node;
      this.#around.joined(this);
      await this.#connect(node);
    } catch (error) {
      this.#endOver(error); // also of a stream that has left, to no effect
    }
  }

  #keep(request: Request, bytes: number): void {
    this.#waitingBytes += bytes;
    if (this.#waiting.length >= MAX_WAITING_MESSAGES || this.#waitingBytes > MAX_WAITING_BYTES) {
      throw new TooMuch('too many messages before the first answer');
    }
    this.#waiting.push(request);
  }

  async #connect(node: ProxyNode): Promise<void> {
    try {
      const handle = await this.#around.host.connect(node, this.#abort.signal, () => this.#earlier !== 'none');
      if (this.#abort.signal.aborted) return handle.closed();
      this.#handle = handle;
      const state = createStreamState(this.#kind, handle.view(), this.only);
      this.#state = state;
      this.#answerWaiting(state);
    } catch (error) {
      const isForGood = error instanceof MeshError && !error.retryable;
      this.end('refused', isForGood ? grpcCode.PERMISSION_DENIED : grpcCode.UNAVAILABLE, messageOf(error));
    }
  }

  #answerWaiting(state: StreamState): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      for (const request of waiting) this.#answer(state, request);
    } catch (error) {
      this.#endOver(error);
    }
  }

  #answer(state: StreamState, request: Request): void {
    const type = this.#typeOf(request.typeUrl);
    if (!type) return this.#ignore(request.typeUrl);
    const verdict = receive(state, type, request, this.#around.clock.monotonic());
    const names = state.subscriptions.get(type.short)?.names.size ?? 0;
    if (names > MAX_NAMES) throw new TooMuch(`${names} names of ${type.short}; at most ${MAX_NAMES} are served`);
    if (verdict) this.#note(type.short, verdict);
    else if (this.#handle) this.#takeView(state, this.#handle); // it asks for something, so it gets the newest
    this.#push(state);
  }

  /** A service of one type needs no type_url; ADS does. */
  #typeOf(typeUrl: string): ResourceType | undefined {
    if (!this.only) {
      if (typeUrl === '') throw new RangeError('a message over ADS must have a type_url');
      return typeOfUrl(typeUrl);
    }
    if (typeUrl !== '' && typeUrl !== this.only.typeUrl) {
      throw new RangeError(`this service serves ${this.only.typeUrl}, not ${typeUrl}; ask for that over ADS`);
    }
    return this.only;
  }

  /**
   * A type that we do not serve is never answered and does not end the stream: Envoy waits its initial fetch timeout for
   * that one resource, whereas a status would make it reconnect for ever and lose the types that we do serve.
   */
  #ignore(typeUrl: string): void {
    if (this.#unknownTypes.size >= MAX_WAITING_MESSAGES) throw new TooMuch('too many types that are not served');
    if (this.#unknownTypes.has(typeUrl)) return;
    this.#unknownTypes.add(typeUrl);
    this.#around.logger.warn({ proxy: this.#node?.id, typeUrl }, 'proxy asks for a type that is not served');
  }

  #note(short: ResourceShort, verdict: Verdict): void {
    const { host, metrics, clock, logger } = this.#around;
    this.#sentAtMs.delete(short);
    if (verdict.kind === 'acked') {
      this.#ackedAt.set(short, clock.now());
      metrics.acknowledged(short);
      if (this.#earlier === 'untold' && resourceType(short).wildcard) this.#resync();
      return;
    }
    metrics.rejected(short);
    const { error, resources } = verdict;
    logger.warn({ proxy: this.#node?.id, type: short, resources, error }, 'proxy refused a response');
    if (this.#node) host.rejected?.(this.#node, { type: short, error, resources });
  }

  /**
   * The proxy has resources of another control plane (the agent's last good ones) and has not told us which: those that we
   * do not know would stay for ever. Envoy tells it on the next stream to a control plane from which it has had an answer.
   */
  #resync(): void {
    this.end('resync', grpcCode.UNAVAILABLE, 'come back and tell what you have');
  }

  #takeView(state: StreamState, handle: ProxyHandle): void {
    try {
      updateView(state, handle.view());
    } catch (error) {
      // The host failed for this one proxy: it keeps what it has, and the others go on.
      this.#around.logger.error({ proxy: this.#node?.id, error: messageOf(error) }, 'no view for a proxy');
    }
  }

  #push(state: StreamState): void {
    if (this.#abort.signal.aborted) return;
    const { ackedRevision: ackedBefore, settledView: settledBefore } = state;
    const nowMs = this.#around.clock.monotonic();
    const { responses, wakeAtMs } = nextStep(state, nowMs);
    this.#wakeAtMs = wakeAtMs;
    for (const response of responses) this.#send(response, nowMs);
    const { settledView } = state;
    // A stream of one type cannot say it of the proxy.
    if (settledView && settledView !== settledBefore && !this.only) this.#handle?.settled?.(settledView);
    if (state.ackedRevision === ackedBefore) return;
    this.#around.acked(this);
  }

  #send({ subscription: { type }, version, nonce, resources, whole, removed }: Response, nowMs: number): void {
    const isDelta = this.#kind === 'delta';
    const frame = isDelta ? 'deltaField' : 'sotwField';
    const fields = whole === undefined ? fieldsOf(resources, frame) : fieldsOfMap(whole, frame);
    const message = isDelta
      ? deltaDiscoveryResponse(type.typeUrl, version, nonce, fields, removed)
      : discoveryResponse(type.typeUrl, version, nonce, fields);
    this.#sentAtMs.set(type.short, nowMs);
    this.#around.metrics.pushed(type.short, message.byteLength);
    this.#call.write(message);
  }
}

/** What the proxy had when it came. `untold`: it asks for what only earlier clusters or listeners can have named. */
type EarlierContent = 'none' | 'told' | 'untold';

function withRequest(known: EarlierContent, request: Request, stream: StreamState | undefined): EarlierContent {
  const isTold = request.kind === 'delta' ? request.initialVersions.length > 0 : request.version !== '';
  if (isTold || known === 'told') return 'told';
  if (request.kind === 'sotw') return known; // a full state takes away by itself what is too much
  const asked = typeOfUrl(request.typeUrl);
  const referring = resourceTypes.find(({ needs }) => needs !== undefined && needs === asked?.short);
  const hasSent = referring !== undefined && (stream?.subscriptions.get(referring.short)?.lastNonce ?? '') !== '';
  return referring !== undefined && !hasSent && request.subscribe.length > 0 ? 'untold' : known;
}
