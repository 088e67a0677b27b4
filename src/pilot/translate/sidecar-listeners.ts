/** Listeners that a Sidecar opens: for calls of the app to some hosts, and for calls from outside to a port of the app. */

import { protocolOf } from '../../dsl/protocol.js';
import { isPassedThrough } from '../../dsl/server-tls.js';
import { isRequestPort, localEndpoint, type SidecarEgress, type SidecarIngress } from '../../dsl/sidecar-shape.js';
import { isUnixAddress, unixPath } from '../../dsl/workload-shape.js';
import { inboundClusterName } from '../../model/names.js';
import type { AddressJson, ClusterJson, ListenerJson, RouteConfigurationJson } from '../../xds/envoy-json.js';
import { appCluster, type ConnectionPool } from './clusters.js';
import { egressHttpListener, egressTcpListener, inboundListener, type PassedOn } from './listeners.js';
import type { HostPort, MeshHost } from './mesh-index.js';
import { entranceAt, type Peers } from './peers.js';
import type { ProxyScope } from './proxy.js';
import { remember } from './remember.js';
import { inboundName, inboundRoutesNamed } from './routes.js';
import type { Sidecar } from './sidecar-scope.js';

const LOOPBACK = '127.0.0.1';

/** Name of the listener, and of its routes. */
export function egressName({ port, bind = LOOPBACK }: SidecarEgress): string {
  return `egress|${bind}|${port?.number ?? 0}`;
}

/** Those with a port, which are listeners of their own. */
export const ownEgress: (sidecar: Sidecar) => readonly SidecarEgress[] = remember(({ spec }: Sidecar) =>
  spec.egress.filter(({ port }) => port !== undefined),
);

/** Ports of a host that a listener stands for: those of its number; all, for a unix socket or a proxy. */
export function portsAt({ port }: SidecarEgress, host: MeshHost): readonly HostPort[] {
  const isAny = port?.number === 0 || isProxy(port?.protocol);
  return host.ports.filter(
    (one) =>
      (isAny || one.port === port?.number) &&
      (one.protocol !== 'tcp' || isProxy(port?.protocol) || !isRequestPort(port?.protocol)),
  );
}

export function isProxy(protocol: string | undefined): boolean {
  return protocol?.toUpperCase() === 'HTTP_PROXY';
}

export const egressHttp: (scope: ProxyScope, egress: SidecarEgress) => ListenerJson = remember(
  (scope: ProxyScope, egress: SidecarEgress): ListenerJson =>
    egressHttpListener(scope, egressName(egress), addressOf(egress), isProxy(egress.port?.protocol)),
);

export function egressTcp(egress: SidecarEgress, streams: readonly PassedOn[]): ListenerJson {
  return egressTcpOf(egress, JSON.stringify(streams));
}

const egressTcpOf = remember(
  (egress: SidecarEgress, streams: string): ListenerJson =>
    egressTcpListener(egressName(egress), addressOf(egress), JSON.parse(streams) as PassedOn[]), // written just above
);

function addressOf({ port, bind = LOOPBACK }: SidecarEgress): AddressJson {
  return isUnixAddress(bind)
    ? { pipe: { path: unixPath(bind) } }
    : { socketAddress: { address: bind, portValue: port?.number ?? 0 } };
}

export interface Ingress {
  readonly listeners: readonly ListenerJson[];
  readonly clusters: readonly ClusterJson[];
  readonly routes: readonly RouteConfigurationJson[];
}

const none: Ingress = { listeners: [], clusters: [], routes: [] };

/** Beside the listeners of the service's own ports, which are what others find in the registry. */
export const ingressOf: (scope: ProxyScope, sidecar: Sidecar | undefined, peers: Peers) => Ingress = remember(
  (scope: ProxyScope, sidecar: Sidecar | undefined, peers: Peers): Ingress => {
    if (sidecar === undefined || sidecar.spec.ingress.length === 0) return none;
    const { ingress, inboundConnectionPool } = sidecar.spec;
    const made = ingress.map((one) => ingressAt(one, scope, inboundConnectionPool, peers));
    return {
      listeners: made.map(({ listener }) => listener),
      clusters: made.map(({ cluster }) => cluster),
      routes: made.flatMap(({ routes }) => routes ?? []),
    };
  },
);

function ingressAt(
  { port, bind, defaultEndpoint, connectionPool, tls }: SidecarIngress,
  scope: ProxyScope,
  pool: ConnectionPool | undefined,
  peers: Peers,
): { listener: ListenerJson; cluster: ClusterJson; routes: RouteConfigurationJson | undefined } {
  const ended = tls === undefined || isPassedThrough(tls) ? undefined : tls;
  const isHttps = ended !== undefined && port.protocol?.toUpperCase() === 'HTTPS';
  const protocol = isHttps ? 'http' : (protocolOf(port.protocol) ?? 'tcp');
  // A port of the service has Envoy's usual name already.
  const isTaken = scope.servicePorts.some((own) => own.port === port.number);
  const clusterName = isTaken ? `ingress|${port.number}||` : inboundClusterName(port.number);
  const routeName = isTaken ? `ingress|${port.number}` : inboundName(port.number);
  const cluster = appCluster(
    clusterName,
    `ingress;${port.number}`,
    appAddress(scope, port.number, defaultEndpoint),
    protocol,
    connectionPool ?? pool,
  );
  const listener = inboundListener(scope, {
    name: `ingress|${port.number}`,
    address: { socketAddress: { address: bind ?? scope.address, portValue: port.number } },
    protocol,
    clusterName,
    routeName,
    entrance: entranceAt(peers, port.number),
    tls: ended,
  });
  const routes = protocol === 'tcp' ? undefined : inboundRoutesNamed(routeName, clusterName, protocol);
  return { listener, cluster, routes };
}

function appAddress(scope: ProxyScope, number: number, endpoint: string | undefined): AddressJson {
  if (endpoint === undefined) {
    const own = scope.servicePorts.find(({ port }) => port === number);
    return socket(LOOPBACK, own === undefined ? number : (scope.ports.app[own.name] ?? number));
  }
  const { address, port } = localEndpoint(endpoint);
  if (isUnixAddress(address)) return { pipe: { path: unixPath(address) } };
  return socket(address === '' ? scope.address : address, port);
}

function socket(address: string, portValue: number): AddressJson {
  return { socketAddress: { address, portValue } };
}
