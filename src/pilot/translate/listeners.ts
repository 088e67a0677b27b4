/** Listeners of one proxy: the explicit proxy for its app, upstreams with a port of their own, and the way in. */
import { inboundClusterName } from '../../model/names.js';
import { any } from '../../xds/envoy-any.js';
import type { AddressJson, FilterJson, ListenerJson } from '../../xds/envoy-json.js';
import { accessLog } from './access-log.js';
import { callerReplies } from './caller-replies.js';
import { inboundHttp, outboundHttp } from './http-connection.js';
import type { ProxyScope, ProxyUpstream } from './proxy.js';
import { remember } from './remember.js';
import { inboundName } from './routes.js';
import { tunnelAddress } from './tunnel.js';

const BUFFER_BYTES = 32_768;
const BACKLOG = 1024;
const ACCEPTS_PER_EVENT = 16;
const TUNNEL = 'tunnel';

/** Everything but the listeners of TCP upstreams, which depend on rules. */
export const fixedListeners: (scope: ProxyScope) => readonly ListenerJson[] = remember(
  (scope: ProxyScope): readonly ListenerJson[] => [
    ...scope.servicePorts.map((port, i) => inbound(scope, port, i)),
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
): ListenerJson {
  const name = index === 0 ? 'inbound' : inboundName(port);
  const address = socket(scope.address, scope.ports.inbound[portName] ?? port);
  const filter =
    protocol === 'tcp'
      ? tcpProxy('inbound', name, { cluster: inboundClusterName(port) })
      : inboundHttp({ listener: name, routeConfig: inboundName(port), defaultHost: scope.service });
  return listener(name, address, filter, 'INBOUND');
}

export interface WeighedCluster {
  readonly name: string;
  readonly weight: number;
}

/** A TCP upstream's own listener. The clusters come in as their names and weights, so that equal ones give the same listener. */
export function tcpUpstreamListener(
  upstream: ProxyUpstream,
  clusters: readonly WeighedCluster[],
  isBySource: boolean,
): ListenerJson {
  return tcpListener(upstream, clusters.map(({ name, weight }) => `${weight} ${name}`).join('\n'), isBySource);
}

const tcpListener = remember((upstream: ProxyUpstream, clusters: string, isBySource: boolean): ListenerJson => {
  const weighed = clusters.split('\n').map((line) => {
    const space = line.indexOf(' ');
    return { name: line.slice(space + 1), weight: Number(line.slice(0, space)) };
  });
  const [first] = weighed;
  const name = upstreamListenerName(upstream);
  const target =
    weighed.length === 1 && first !== undefined ? { cluster: first.name } : { weightedClusters: { clusters: weighed } };
  const hash = isBySource ? { hashPolicy: [{ sourceIp: {} }] } : {};
  return listener(
    name,
    loopback(upstream.listener as number),
    tcpProxy('outbound', name, { ...target, ...hash }),
    'OUTBOUND',
  );
});

function tcpProxy(direction: 'inbound' | 'outbound', name: string, target: object): FilterJson {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: any('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      statPrefix: name.replaceAll(/[^a-zA-Z0-9-]/g, '_'),
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
  return {
    name,
    address,
    filterChains: [{ filters: [filter] }],
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

function loopback(port: number): AddressJson {
  return socket('127.0.0.1', port);
}

function socket(address: string, portValue: number): AddressJson {
  return { socketAddress: { address, portValue } };
}
