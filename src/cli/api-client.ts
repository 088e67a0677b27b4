/** The pilot's HTTP API as typed calls. Over which wire they go is the transport's business: HTTP, or in process for --store. */
import type {
  AckWaitResponse,
  ApplyRequest,
  ApplyResponse,
  CallerView,
  CallerViewRequest,
  DefinitionItem,
  DeleteRequest,
  DeploymentItem,
  DeployRequest,
  DeployResponse,
  ErrorBody,
  EventItem,
  EvictionStatus,
  GrayCommandRequest,
  GrayHistoryItem,
  GrayResponse,
  GrayShiftRequest,
  GrayStartRequest,
  GrayStatus,
  HistoryItem,
  InstanceItem,
  List,
  NodeItem,
  PlanRequest,
  PlanResponse,
  ProxyChangesResponse,
  ProxyConfig,
  ProxyItem,
  RollbackRequest,
  StatusResponse,
  ThawRequest,
  ThawResponse,
} from '../model/api.js';
import { type ErrorCode, errorCodes } from '../runtime/error-codes.js';
import { MeshError } from '../runtime/mesh-error.js';
import { InvalidInput } from './failure.js';

export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}

export interface Transport {
  /** For messages: `http://127.0.0.1:7070`. */
  readonly address: string;
  send(request: ApiRequest, signal: AbortSignal): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): Promise<void>;
}

export interface DefinitionQuery {
  readonly kind: string;
  /** Undefined for kinds without one, `all` for every one. */
  readonly namespace?: string | undefined;
  readonly names?: readonly string[];
  readonly selector?: string | undefined;
}

export interface HistoryQuery {
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly limit?: number;
}

export interface InstanceQuery {
  readonly service?: string | undefined;
  readonly namespace?: string | undefined;
  readonly node?: string | undefined;
}

export interface EventQuery {
  readonly namespace: string;
  readonly kind?: string;
  readonly name?: string;
  readonly service?: string;
  readonly sinceMs: number;
}

export type GrayCommand = 'promote' | 'rollback' | 'pause' | 'resume' | 'undo';

export interface Api {
  readonly address: string;
  apply(request: ApplyRequest): Promise<ApplyResponse>;
  delete(request: DeleteRequest): Promise<ApplyResponse>;
  rollback(request: RollbackRequest): Promise<ApplyResponse>;
  definitions(query: DefinitionQuery): Promise<List<DefinitionItem>>;
  history(query: HistoryQuery): Promise<List<HistoryItem>>;
  revision(revision: number): Promise<HistoryItem>;
  plan(request: PlanRequest): Promise<PlanResponse>;
  deploy(request: DeployRequest): Promise<DeployResponse>;
  deployments(): Promise<List<DeploymentItem>>;
  instances(query: InstanceQuery): Promise<List<InstanceItem>>;
  events(query: EventQuery): Promise<List<EventItem>>;
  nodes(): Promise<List<NodeItem>>;
  status(): Promise<StatusResponse>;
  evictions(): Promise<EvictionStatus>;
  thaw(request: ThawRequest): Promise<ThawResponse>;
  grayStart(namespace: string, service: string, request: GrayStartRequest): Promise<GrayResponse>;
  grayShift(namespace: string, service: string, request: GrayShiftRequest): Promise<GrayResponse>;
  grayCommand(
    namespace: string,
    service: string,
    command: GrayCommand,
    request: GrayCommandRequest,
  ): Promise<GrayResponse>;
  grayStatus(namespace: string, service: string): Promise<GrayStatus>;
  grayList(): Promise<List<GrayStatus>>;
  grayHistory(namespace: string, service: string): Promise<List<GrayHistoryItem>>;
  proxies(): Promise<List<ProxyItem>>;
  proxyConfig(proxy: string, type: string): Promise<ProxyConfig>;
  proxyChanges(request: ApplyRequest): Promise<ProxyChangesResponse>;
  callerView(request: CallerViewRequest): Promise<CallerView>;
  /** Waits on the server until every live proxy has acknowledged that store revision. */
  acks(storeRevision: string, waitMs: number): Promise<AckWaitResponse>;
}

/** What the answer to a long poll may take beyond the time that the server was asked to wait. */
const ACK_MARGIN_MS = 2000;

export interface ApiOptions {
  /** Of each request. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export function createApi(transport: Transport, options: ApiOptions): Api {
  const call = <Body>(request: ApiRequest, timeoutMs = options.timeoutMs): Promise<Body> =>
    exchange<Body>(transport, request, timeoutMs, options.signal);
  const get = <Body>(path: string): Promise<Body> => call({ method: 'GET', path });
  const post = <Body>(path: string, body: unknown): Promise<Body> => call({ method: 'POST', path, body });
  return {
    address: transport.address,
    apply: (request) => post('/v1/apply', request),
    delete: (request) => post('/v1/delete', request),
    rollback: (request) => post('/v1/rollback', request),
    definitions: ({ kind, namespace, names, selector }) =>
      get(path(['v1', 'definitions', kind], { namespace, name: names, selector })),
    history: (query) => get(path(['v1', 'history'], { ...query })),
    revision: (revision) => get(path(['v1', 'history', String(revision)])),
    plan: (request) => post('/v1/plan', request),
    deploy: (request) => post('/v1/deploy', request),
    deployments: () => get('/v1/deployments'),
    instances: (query) => get(path(['v1', 'instances'], { ...query })),
    events: (query) => get(path(['v1', 'events'], { ...query })),
    nodes: () => get('/v1/nodes'),
    status: () => get('/v1/status'),
    evictions: () => get('/v1/evictions'),
    thaw: (request) => post('/v1/thaw', request),
    grayStart: (namespace, service, request) => post(path(['v1', 'gray', namespace, service, 'start']), request),
    grayShift: (namespace, service, request) => post(path(['v1', 'gray', namespace, service, 'shift']), request),
    grayCommand: (namespace, service, command, request) =>
      post(path(['v1', 'gray', namespace, service, command]), request),
    grayStatus: (namespace, service) => get(path(['v1', 'gray', namespace, service])),
    grayList: () => get('/v1/gray'),
    grayHistory: (namespace, service) => get(path(['v1', 'gray', namespace, service, 'history'])),
    proxies: () => get('/v1/proxies?all=true'),
    proxyConfig: (proxy, type) => get(path(['v1', 'proxies', proxy, 'config'], { type })),
    proxyChanges: (request) => post('/v1/proxy-changes', request),
    callerView: (request) => get(path(['v1', 'caller-view'], { ...request })),
    acks: (storeRevision, waitMs) =>
      call({ method: 'GET', path: path(['v1', 'acks'], { storeRevision, timeoutMs: waitMs }) }, waitMs + ACK_MARGIN_MS),
  };
}

type QueryValue = string | number | readonly string[] | undefined;

/** Segments are encoded (a proxy's id holds slashes); an absent query value is left out, a list repeats its key. */
function path(segments: readonly string[], query: Readonly<Record<string, QueryValue>> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(key, String(one));
  }
  const tail = search.size === 0 ? '' : `?${search.toString()}`;
  return `/${segments.map(encodeURIComponent).join('/')}${tail}`;
}

async function exchange<Body>(
  transport: Transport,
  request: ApiRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Body> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const { status, body } = await transport.send(request, AbortSignal.any([signal, deadline]));
    if (status >= 400) throw failureOf(status, body, request, transport);
    // The shapes are the contract of model/api.ts, which the server is typed by as well.
    return body as Body;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (deadline.aborted && !(error instanceof MeshError)) {
      throw new MeshError('MESH2003', `${transport.address} did not answer ${request.path} within ${timeoutMs} ms`, {
        cause: error,
        retryable: true,
        hint: 'look whether the pilot is alive (`mesh status`), or wait longer with --timeout',
      });
    }
    throw error;
  }
}

function failureOf(status: number, body: unknown, request: ApiRequest, transport: Transport): Error {
  const failure = (body as Partial<ErrorBody> | undefined)?.error;
  if (failure === undefined) {
    return new MeshError('MESH2000', `${transport.address} answered ${request.path} with status ${status}`, {
      hint: 'is it really a pilot that listens there?',
    });
  }
  if (failure.problems !== undefined && failure.problems.length > 0) return new InvalidInput(failure.problems);
  const code: ErrorCode = isErrorCode(failure.code) ? failure.code : 'MESH2000';
  return new MeshError(code, failure.message, failure.hint === undefined ? {} : { hint: failure.hint });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
