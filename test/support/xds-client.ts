/** A hand-driven xDS client over real gRPC: sends exactly what a test says and keeps every response, decoded. */
import { Client, type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import { decodeMessage, encodeMessage } from '../../src/xds/encode.js';
import { type ResourceShort, resourceTypes } from '../../src/xds/resource-types.js';

const LIMIT_MS = 10_000;
const DISCOVERY = 'envoy.service.discovery.v3';
const methods = {
  delta: { method: 'DeltaAggregatedResources', request: 'DeltaDiscoveryRequest', response: 'DeltaDiscoveryResponse' },
  sotw: { method: 'StreamAggregatedResources', request: 'DiscoveryRequest', response: 'DiscoveryResponse' },
} as const;

export interface XdsResponse {
  readonly type: ResourceShort;
  readonly nonce: string;
  readonly version: string;
  /** By name; in delta with each resource's own version. */
  readonly resources: ReadonlyMap<string, { readonly version: string; readonly json: Record<string, unknown> }>;
  readonly removed: readonly string[];
}

export interface XdsStream {
  readonly responses: readonly XdsResponse[];
  /** Called with each response as it comes. */
  onResponse(listener: (response: XdsResponse) => void): void;
  /** What a test wants to say of a type; the node is added to the first message. */
  send(type: ResourceShort | { typeUrl: string }, fields?: object): void;
  /** The next response that no call of `next` has answered yet. */
  next(type?: ResourceShort): Promise<XdsResponse>;
  ack(response: XdsResponse, fields?: object): void;
  nack(response: XdsResponse, message: string, fields?: object): void;
  sendRaw(bytes: Buffer): void;
  status(): Promise<StatusObject>;
  end(): void;
}

export interface XdsClient {
  delta(node?: object): XdsStream;
  sotw(node?: object): XdsStream;
  /** Another service than ADS; `method` is its full path. */
  at(method: string, kind: 'delta' | 'sotw', node?: object): XdsStream;
  /** Any bidirectional or unary method, as bytes. */
  raw: Client;
  close(): void;
}

const same = (bytes: Buffer): Buffer => bytes;

export function createXdsClient(address: string): XdsClient {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  return {
    delta: (node) => openStream(client, 'delta', node),
    sotw: (node) => openStream(client, 'sotw', node),
    at: (method, kind, node) => openStream(client, kind, node, method),
    raw: client,
    close: () => client.close(),
  };
}

function openStream(
  client: Client,
  kind: 'delta' | 'sotw',
  node: object = { id: 'proxy-1', cluster: 'tests' },
  path = `/${DISCOVERY}.AggregatedDiscoveryService/${methods[kind].method}`,
): XdsStream {
  const { request, response } = methods[kind];
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(path, same, same);
  const responses: XdsResponse[] = [];
  const taken = new Set<XdsResponse>();
  let isFirst = true;
  let ended: StatusObject | undefined;
  const listeners: ((response: XdsResponse) => void)[] = [];
  const looks = new Set<() => void>();
  /** Like `until`, but looks when something has come: hundreds of tests wait here. */
  const seen = <T>(what: string, fact: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`not seen within ${LIMIT_MS} ms: ${what}`)), LIMIT_MS);
      const look = (): void => {
        const value = fact();
        if (value === undefined) return;
        clearTimeout(limit);
        looks.delete(look);
        resolve(value);
      };
      looks.add(look);
      look();
    });
  call.on('data', (bytes: Buffer) => {
    const read = readResponse(decodeMessage(`${DISCOVERY}.${response}`, bytes));
    responses.push(read);
    for (const listener of listeners) listener(read);
    for (const look of looks) look();
  });
  call.on('status', (status) => {
    ended = status;
    for (const look of looks) look();
  });
  call.on('error', () => undefined); // the status says the same

  const send: XdsStream['send'] = (type, fields = {}) => {
    const typeUrl = typeof type === 'string' ? urlOf(type) : type.typeUrl;
    const message = { typeUrl, ...(isFirst ? { node } : {}), ...fields };
    isFirst = false;
    call.write(Buffer.from(encodeMessage(`${DISCOVERY}.${request}`, message)));
  };
  const reply = ({ type, nonce, version }: XdsResponse, fields: object): void => {
    send(type, { responseNonce: nonce, ...(kind === 'sotw' ? { versionInfo: version } : {}), ...fields });
  };
  return {
    responses,
    onResponse: (listener) => void listeners.push(listener),
    send,
    next(type) {
      const isNext = (candidate: XdsResponse): boolean => !taken.has(candidate) && (!type || candidate.type === type);
      return seen(`a response of ${type ?? 'any type'}`, () => {
        const found = responses.find(isNext);
        if (found) taken.add(found);
        return found;
      });
    },
    ack: (answered, fields = {}) => reply(answered, fields),
    nack: (answered, message, fields = {}) => {
      reply({ ...answered, version: '' }, { errorDetail: { code: 13, message }, ...fields });
    },
    sendRaw: (bytes) => void call.write(bytes),
    status: () => seen('the end of the stream', () => ended),
    end: () => call.end(),
  };
}

interface ResponseJson {
  readonly typeUrl?: string;
  readonly nonce?: string;
  readonly versionInfo?: string;
  readonly systemVersionInfo?: string;
  readonly removedResources?: string[];
  readonly resources?: { name?: string; clusterName?: string; version?: string; resource?: Record<string, unknown> }[];
}

function readResponse(decoded: unknown): XdsResponse {
  const json = decoded as ResponseJson; // the shape is the descriptor's own
  const type = resourceTypes.find((row) => row.typeUrl === json.typeUrl);
  if (!type) throw new Error(`a response of an unknown type ${json.typeUrl}`);
  const resources = (json.resources ?? []).map((entry) => {
    const body = entry.resource ?? (entry as Record<string, unknown>);
    const name = (
      type.nameField === 'name' ? body['name'] : (entry.resource?.['clusterName'] ?? entry.clusterName)
    ) as string;
    return [name, { version: entry.version ?? '', json: body }] as const;
  });
  return {
    type: type.short,
    nonce: json.nonce ?? '',
    version: json.versionInfo ?? json.systemVersionInfo ?? '',
    resources: new Map(resources),
    removed: json.removedResources ?? [],
  };
}

function urlOf(short: ResourceShort): string {
  return resourceTypes.find((row) => row.short === short)?.typeUrl ?? short;
}
