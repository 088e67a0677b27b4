/**
 * The connection to etcd. One client per endpoint and everybody on the same one until it fails: the package's own choice
 * of a random endpoint per call costs leases while one member hangs. Its circuit breaker (three failures shut the door
 * for 5 s) and its blind retries are off; every call has a deadline of ours.
 */
import { ConstantBackoff, noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import type { Clock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import { untilAborted } from '../runtime/until-aborted.js';
import { hintFor, shortReason } from './advice.js';
import { faultOf, isLate, isUnanswered } from './fault.js';

export interface TlsOptions {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Of an etcd with authentication on. */
export interface EtcdLogin {
  readonly user: string;
  readonly password: string;
}

export interface ConnectionOptions {
  readonly addresses: readonly string[];
  /** `true`: TLS with the system's authorities. */
  readonly tls: TlsOptions | boolean;
  readonly login?: EtcdLogin | undefined;
  readonly clock: Clock;
  /** How long a call may take in total, over all endpoints. */
  readonly timeoutMs: number;
}

export interface Endpoint {
  readonly address: string;
  readonly client: Etcd3;
}

/** Absolute, in wall time, as gRPC wants it. */
export interface Deadline {
  readonly deadline: number;
}

export interface Connection {
  readonly addresses: readonly string[];
  /** For what concerns a member and not the store. */
  readonly endpoints: readonly Endpoint[];
  readonly timeoutMs: number;
  current(): Endpoint;
  /**
   * Move on, if nobody has yet: several users of one failed endpoint rotate by one step only. `isSilent`: it has neither
   * answered nor refused.
   */
  failed(endpoint: Endpoint, isSilent: boolean): void;
  /** One try on that endpoint; a failure moves on to the next one and is thrown as it is. */
  on<T>(endpoint: Endpoint, limitMs: number, send: Send<T>): Promise<T>;
  /** The same on the current endpoint. */
  once<T>(limitMs: number, send: Send<T>): Promise<T>;
  /**
   * Tries endpoint after endpoint until one answers. So `send` must be something that may safely arrive twice: a read, or
   * a write that knows its own traces. No answer at all: MESH2001, whose cause is a request that may have arrived, if there
   * was one. An answer that says no: MESH2006, the cause kept.
   */
  call<T>(what: string, send: Send<T>, signal?: AbortSignal): Promise<T>;
  close(): void;
}

export type Send<T> = (client: Etcd3, options: Deadline) => Promise<T>;

const ATTEMPT_MS = 2000;
/**
 * An endpoint that says nothing for so long gets a new connection. While packets are dropped, the kernel doubles the pauses
 * between its attempts to connect, up to a minute, and gRPC waits for them.
 */
const RECONNECT_AFTER_MS = 3000;
/** Rounds over all endpoints before giving up early: a refused connection fails at once, a restart takes a moment. */
const MAX_ROUNDS = 4;
const ROUND_PAUSE_MS = 150;

export function connect(options: ConnectionOptions): Connection {
  const { addresses, clock, timeoutMs } = options;
  let connections = 0;
  const open = (address: string): Endpoint => ({ address, client: clientOf(address, options, connections++) });
  const endpoints = addresses.map(open);
  /** By address: since when a word is owed. */
  const silentSinceMs = new Map<string, number>();
  const attemptMs = Math.min(ATTEMPT_MS, timeoutMs / endpoints.length);
  let index = 0;

  const current = (): Endpoint => endpoints[index % endpoints.length] as Endpoint; // never empty: a URL names at least one
  const failed = (endpoint: Endpoint, isSilent: boolean): void => {
    if (!endpoints.includes(endpoint)) return; // its connection is another one by now
    if (endpoint === current()) index++;
    // What is not silence is no word of the endpoint either: the package ends what waits on a channel beside one that was late.
    if (isSilent) reconnectInTime(endpoint);
  };
  const reconnectInTime = (endpoint: Endpoint): void => {
    const { address, client } = endpoint;
    const nowMs = clock.monotonic();
    const sinceMs = silentSinceMs.get(address) ?? nowMs;
    const isTime = nowMs - sinceMs >= RECONNECT_AFTER_MS;
    silentSinceMs.set(address, isTime ? nowMs : sinceMs);
    if (!isTime) return;
    endpoints[endpoints.indexOf(endpoint)] = open(address);
    client.close();
  };
  const on = async <T>(endpoint: Endpoint, limitMs: number, send: Send<T>): Promise<T> => {
    try {
      const answer = await send(endpoint.client, { deadline: Date.now() + limitMs });
      silentSinceMs.delete(endpoint.address);
      return answer;
    } catch (error) {
      if (isUnanswered(faultOf(error))) failed(endpoint, isLate(error));
      throw error;
    }
  };
  const once = <T>(limitMs: number, send: Send<T>): Promise<T> => on(current(), limitMs, send);

  const call = async <T>(what: string, send: Send<T>, signal?: AbortSignal): Promise<T> => {
    const untilMs = clock.monotonic() + timeoutMs;
    const tried = new Map<string, string>();
    let lost: unknown; // the first request that may have arrived although its answer did not
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const { address } = current();
      const leftMs = untilMs - clock.monotonic();
      try {
        const answer = once(Math.min(attemptMs, leftMs), send);
        // The request itself runs on until its deadline; nobody waits for it any more.
        return await (signal ? untilAborted(answer, signal) : answer);
      } catch (error) {
        signal?.throwIfAborted();
        const fault = faultOf(error);
        if (!isUnanswered(fault)) throw refused(what, address, error);
        if (fault === 'no-answer') lost ??= error;
        tried.set(address, shortReason(error));
        const roundEnds = attempt % endpoints.length === 0;
        const pauseMs = roundEnds ? ROUND_PAUSE_MS : 0;
        if (attempt >= MAX_ROUNDS * endpoints.length || clock.monotonic() + pauseMs >= untilMs) {
          throw unreachable(what, tried, lost ?? error);
        }
        await clock.sleep(pauseMs, signal);
      }
    }
  };

  const close = (): void => {
    for (const { client } of endpoints) client.close();
  };
  return { addresses, endpoints, timeoutMs, current, failed, on, once, call, close };
}

/** `generation`: gRPC shares connections among clients with equal options, and a new one must not get the old one's. */
function clientOf(address: string, { tls, login }: ConnectionOptions, generation: number): Etcd3 {
  const options: IOptions = {
    hosts: [`${tls ? 'https' : 'http'}://${address}`],
    grpcOptions: {
      // A stream to a silent host is noticed after 8 s; etcd answers pings closer than 5 s with GOAWAY.
      'grpc.keepalive_time_ms': 6000,
      'grpc.keepalive_timeout_ms': 2000,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // An application's http_proxy, perhaps our own sidecar's, must not stand between us and etcd.
      'grpc.enable_http_proxy': 0,
      // gRPC would wait up to two minutes: a store that is back must be found at once, a lease is running out.
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 500,
      'lightmesh.generation': generation,
    },
    faultHandling: { host: () => noop, global: noop, watchBackoff: new ConstantBackoff(300).next() },
    ...(login ? { auth: authOf(login) } : {}),
  };
  if (typeof tls === 'boolean') return new Etcd3(options);
  const credentials = {
    rootCertificate: tls.ca,
    ...(tls.key ? { privateKey: tls.key } : {}),
    ...(tls.cert ? { certChain: tls.cert } : {}),
  };
  return new Etcd3({ ...options, credentials });
}

/** The package gets a token with the first call and a new one when it has run out; that call needs a deadline too. */
function authOf({ user, password }: EtcdLogin): NonNullable<IOptions['auth']> {
  return { username: user, password, callOptions: () => ({ deadline: Date.now() + ATTEMPT_MS }) };
}

function unreachable(what: string, tried: ReadonlyMap<string, string>, cause: unknown): MeshError {
  const reasons = [...tried].map(([address, reason]) => `${address} (${reason})`).join(', ');
  return new MeshError('MESH2001', `could not ${what}: no etcd endpoint answered: ${reasons}`, {
    cause,
    retryable: true,
    hint: hintFor(cause) ?? 'Check the address in --store and that etcd runs there.',
  });
}

function refused(what: string, address: string, cause: unknown): MeshError {
  const hint = hintFor(cause);
  const message = `could not ${what}: etcd ${address} refused: ${shortReason(cause)}`;
  return new MeshError('MESH2006', message, { cause, ...(hint === undefined ? {} : { hint }) });
}
