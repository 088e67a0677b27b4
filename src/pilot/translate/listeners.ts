/** Listeners of one proxy: the explicit proxy for its app, upstreams with a port of their own, and the way in. */
import type { Tunnel } from '../../dsl/destination-rule-shape.js';
import type { ServerTls } from '../../dsl/server-tls.js';
import type { Protocol } from '../../model/fields.js';
import { inboundClusterName } from '../../model/names.js';
import { any } from '../../xds/envoy-any.js';
import type {
  AddressJson,
  FilterChainJson,
  FilterJson,
  ListenerFilterJson,
  ListenerJson,
} from '../../xds/envoy-json.js';
import { accessLog } from './access-log.js';
import { callerReplies } from './caller-replies.js';
import { cidrRange } from './cidr-range.js';
import { inboundHttp, outboundHttp } from './http-connection.js';
import { tunnelled } from './onward-tunnel.js';
import { entranceChains } from './peer-chains.js';
import { type Entrance, entranceAt, type Peers } from './peers.js';
import type { ProxyScope, ProxyUpstream } from './proxy.js';
import { remember, sameContent } from './remember.js';
import { inboundName } from './routes.js';
import { downstreamTls } from './server-tls.js';
import { tunnelAddress } from './tunnel.js';

const BUFFER_BYTES = 32_768;
const BACKLOG = 1024;
const ACCEPTS_PER_EVENT = 16;
const TUNNEL = 'tunnel';

/** Everything but the listeners of TCP upstreams, which depend on rules. */
export const fixedListeners: (scope: ProxyScope, peers: Peers) => readonly ListenerJson[] = remember(
  (scope: ProxyScope, peers: Peers): readonly ListenerJson[] => [
    ...scope.servicePorts.map((port, i) => inbound(scope, port, i, entranceAt(peers, port.port))),
    outbound(scope),
    tunnel(scope),
    ...scope.upstreams.filter(isHttpListener).map((upstream) => upstreamListener(scope, upstream)),
  ],
);

function isHttpListener(upstream: ProxyUpstream): boolean {
  return upstream.listener !== undefined && upstream.protocol !== 'tcp';
}

function outbound(scope: ProxyScope): ListenerJson {
  const filter = outboundHttp({
    listener: 'outbound',
    routeConfig: 'outbound',
    isConnectAllowed: true,
    localReplies: callerReplies(scope),
  });
  return listener('outbound', loopback(scope.ports.proxy), filter, 'OUTBOUND');
}

/** The inside of CONNECT tunnels; the same routes, but no CONNECT. */
function tunnel(scope: ProxyScope): ListenerJson {
  const filter = outboundHttp({
    listener: TUNNEL,
    routeConfig: 'outbound',
    isConnectAllowed: false,
    localReplies: callerReplies(scope),
  });
  return listener(TUNNEL, tunnelAddress(scope.ports.proxy), filter, 'OUTBOUND');
}

function upstreamListener(scope: ProxyScope, upstream: ProxyUpstream): ListenerJson {
  const name = upstreamListenerName(upstream);
  const filter = outboundHttp({
    listener: name,
    routeConfig: name,
    defaultHost: `${upstream.service}:${upstream.port}`,
    isConnectAllowed: false,
    localReplies: callerReplies(scope),
  });
  return listener(name, loopback(upstream.listener as number), filter, 'OUTBOUND'); // it was filtered for having one
}

export function upstreamListenerName(upstream: ProxyUpstream): string {
  return `upstream|${upstream.name}`;
}

function inbound(
  scope: ProxyScope,
  { name: portName, port, protocol }: ProxyScope['servicePorts'][number],
  index: number,
  entrance: Entrance,
): ListenerJson {
  return inboundListener(scope, {
    name: index === 0 ? 'inbound' : inboundName(port),
    address: socket(scope.address, scope.ports.inbound[portName] ?? port),
    protocol,
    clusterName: inboundClusterName(port),
    routeName: inboundName(port),
    entrance,
  });
}

export interface Inlet {
  readonly name: string;
  readonly address: AddressJson;
  readonly protocol: Protocol;
  readonly clusterName: string;
  readonly routeName: string;
  readonly entrance: Entrance;
  /** TLS of the app's own that ends here, where callers come in plain. */
  readonly tls?: ServerTls | undefined;
}

export function inboundListener(
  scope: ProxyScope,
  { name, address, protocol, clusterName, routeName, entrance, tls }: Inlet,
): ListenerJson {
  const filter =
    protocol === 'tcp'
      ? tcpProxy('inbound', name, { cluster: clusterName })
      : inboundHttp({ listener: name, routeConfig: routeName, defaultHost: scope.service });
  if (tls === undefined || entrance.kind !== 'plain') {
    const chains = entranceChains(entrance, filter, protocol === 'tcp' ? 'tcp' : 'http');
    const waiting = entrance.kind === 'both' && protocol === 'tcp' ? notForever : {};
    return { ...listenerOf(name, address, chains, 'INBOUND'), ...waiting };
  }
  const transportSocket = downstreamTls(tls, protocol === 'tcp' ? [] : ['h2', 'http/1.1']);
  return listenerOf(name, address, [{ filters: [filter], transportSocket }], 'INBOUND');
}

/** Some clients let the server speak first: theirs is not TLS. */
const notForever = { listenerFiltersTimeout: '1s', continueOnListenerFiltersTimeout: true };

/** For the hosts of a Sidecar's egress; `isConnectAllowed` where it is a proxy, as the shared port is. */
export function egressHttpListener(
  scope: ProxyScope,
  name: string,
  address: AddressJson,
  isConnectAllowed: boolean,
): ListenerJson {
  const filter = outboundHttp({
    listener: name,
    routeConfig: name,
    isConnectAllowed,
    localReplies: callerReplies(scope),
  });
  return listener(name, address, filter, 'OUTBOUND');
}

export function egressTcpListener(name: string, address: AddressJson, streams: readonly PassedOn[]): ListenerJson {
  const chains = streams.map((stream) => streamChain('outbound', name, stream));
  return listenerOf(name, address, chains, 'OUTBOUND');
}

export interface WeighedCluster {
  readonly name: string;
  readonly weight: number;
}

/** Connections that are passed on as they are. */
export interface PassedOn {
  readonly serverNames: readonly string[];
  readonly subnets: readonly string[];
  readonly clusters: readonly WeighedCluster[];
  /** One caller keeps to one instance. */
  readonly isBySource: boolean;
  /** The clusters are proxies, which are asked for this. */
  readonly tunnel?: Tunnel | undefined;
}

/** A TCP upstream's own listener. Made anew only when what it says is another thing. */
export function tcpUpstreamListener(upstream: ProxyUpstream, streams: readonly PassedOn[]): ListenerJson {
  return tcpListener(upstream, JSON.stringify(streams));
}

const tcpListener = remember((upstream: ProxyUpstream, text: string): ListenerJson => {
  const streams = JSON.parse(text) as readonly PassedOn[]; // written just above
  const name = upstreamListenerName(upstream);
  const chains = streams.map((stream) => streamChain('outbound', name, stream));
  return listenerOf(name, loopback(upstream.listener as number), chains, 'OUTBOUND');
});

export function streamChain(
  direction: 'inbound' | 'outbound',
  name: string,
  stream: PassedOn,
  statName = name,
): FilterChainJson {
  const { clusters, isBySource, tunnel } = stream;
  const [first] = clusters;
  const target =
    clusters.length === 1 && first !== undefined ? { cluster: first.name } : { weightedClusters: { clusters } };
  const hash = isBySource ? { hashPolicy: [{ sourceIp: {} }] } : {};
  const proxied = { ...target, ...hash, ...tunnelled(tunnel) };
  return { ...chainMatch(stream), filters: [tcpProxy(direction, name, proxied, statName)] };
}

/** What a filter chain takes; without anything, what no other does. */
export function chainMatch({
  serverNames,
  subnets = [],
}: {
  readonly serverNames: readonly string[];
  readonly subnets?: readonly string[];
}): FilterChainJson {
  const match = {
    ...(serverNames.length === 0 ? {} : { serverNames: [...serverNames] }),
    ...(subnets.length === 0 ? {} : { prefixRanges: subnets.map(cidrRange) }),
  };
  return Object.keys(match).length === 0 ? {} : { filterChainMatch: match };
}

function tcpProxy(direction: 'inbound' | 'outbound', name: string, target: object, statName = name): FilterJson {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: any('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      statPrefix: statName.replaceAll(/[^a-zA-Z0-9-]/g, '_'),
      ...target,
      accessLog: accessLog(direction, name),
    }),
  };
}

function listener(
  name: string,
  address: AddressJson,
  filter: FilterJson,
  trafficDirection: 'INBOUND' | 'OUTBOUND',
): ListenerJson {
  return listenerOf(name, address, [{ filters: [filter] }], trafficDirection);
}

export function listenerOf(
  name: string,
  address: AddressJson,
  filterChains: readonly FilterChainJson[],
  trafficDirection: 'INBOUND' | 'OUTBOUND',
): ListenerJson {
  return {
    name,
    address,
    // The first message of TLS is read only where a chain asks for the name in it.
    ...(filterChains.some(asksServerName) ? { listenerFilters: [tlsInspector] } : {}),
    filterChains: filterChains.map(({ filters = [], ...chain }) => ({ ...chain, filters: filters.map(sameContent) })),
    trafficDirection,
    // Draining an instance must not cut off the calls that its last requests make.
    drainType: trafficDirection === 'OUTBOUND' ? 'MODIFY_ONLY' : 'DEFAULT',
    // Two sidecars that share a port by accident would share its requests, silently.
    enableReusePort: false,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    tcpBacklogSize: BACKLOG,
    maxConnectionsToAcceptPerSocketEvent: ACCEPTS_PER_EVENT,
  };
}

function asksServerName({ filterChainMatch, transportSocket }: FilterChainJson): boolean {
  return filterChainMatch?.serverNames !== undefined || transportSocket !== undefined;
}

const tlsInspector: ListenerFilterJson = {
  name: 'envoy.filters.listener.tls_inspector',
  typedConfig: any('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', {}),
};

function loopback(port: number): AddressJson {
  return socket('127.0.0.1', port);
}

export function socket(address: string, portValue: number): AddressJson {
  return { socketAddress: { address, portValue } };
}
