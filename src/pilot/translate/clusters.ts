/** Envoy clusters: EDS for what a proxy calls, STATIC for its own app. */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs, type Protocol } from '../../model/fields.js';
import { clusterStatName, inboundClusterName } from '../../model/names.js';
import type { ServicePort } from '../../model/service-shape.js';
import type { AddressJson, ClusterJson } from '../../xds/envoy-json.js';
import { askedByHost, type Peer, upstreamSocket } from './client-tls.js';
import { clusterNameOf, type EndpointSelection } from './envoy-clusters.js';
import type { HostIdentity, HostPort } from './mesh-index.js';
import { policyAt } from './policy-levels.js';
import type { ProxyScope } from './proxy.js';
import { remember } from './remember.js';
import { tcpKeepalive, trafficPolicy } from './traffic-policy.js';
import { type ConnectionLife, isHttp2, upstreamProtocol } from './upstream-protocol.js';

export type ConnectionPool = NonNullable<TrafficPolicy['connectionPool']>;

const BUFFER_BYTES = 32_768;
const UPSTREAM_IDLE_MS = 60_000;
const UPSTREAM_MAX_MS = 1_800_000;

/**
 * Towards the app. Many servers close an idle connection after 5 s without a word (Node's default); a request that is sent into
 * that moment fails. We let go first, and a new connection over loopback costs next to nothing.
 */
const APP_IDLE_MS = 4_000;
const APP_MAX_CONNECTIONS = 10_000;

/** `policy`: what holds for it in the end. `certificates`: the folder of the caller's, where the policy is ISTIO_MUTUAL. */
export const outboundCluster: (
  service: HostIdentity,
  port: HostPort,
  selection: EndpointSelection,
  policy: TrafficPolicy | undefined,
  certificates: string | undefined,
) => ClusterJson = remember(
  (
    service: HostIdentity,
    port: HostPort,
    { subset, version }: EndpointSelection,
    policy: TrafficPolicy | undefined,
    certificates: string | undefined,
  ): ClusterJson => {
    const name = clusterNameOf(service, port, subset);
    // Where nobody has said what is spoken, it is what the caller speaks.
    const own = policy?.connectionPool?.http;
    const pool = port.isUnknown === true ? { ...own, useClientProtocol: true } : own;
    const peer: Peer = {
      host: service.host,
      port: port.port,
      subset,
      protocol: port.protocol,
      isHttp2: isHttp2(port.protocol, pool),
    };
    const socket = policy && upstreamSocket(policy, peer, certificates);
    return {
      name,
      altStatName: clusterStatName(service.namespace, service.name, version || subset),
      type: 'EDS',
      edsClusterConfig: {
        serviceName: name,
        edsConfig: { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '5s' },
      },
      perConnectionBufferLimitBytes: BUFFER_BYTES,
      ...trafficPolicy(policy),
      ...(socket === undefined ? {} : { transportSocket: socket }),
      ...upstreamProtocol(port.protocol, connectionLife(policy), {
        pool,
        byHost: askedByHost(policy?.tls, peer),
        errorCodes: policy?.outlierDetection?.outlierDetectionHttpErrorCodes,
      }),
    };
  },
);

/** What holds for one port of what a cluster stands for. */
export function policyOf({ policy, subsetPolicy }: EndpointSelection, port: ServicePort): TrafficPolicy | undefined {
  return policyAt(policy, subsetPolicy, port.port);
}

function connectionLife(policy: TrafficPolicy | undefined): ConnectionLife {
  const { tcp, http } = policy?.connectionPool ?? {};
  const idle = http?.idleTimeout ?? tcp?.idleTimeout;
  return {
    idleMs: idle === undefined ? UPSTREAM_IDLE_MS : durationMs(idle),
    maxMs: tcp?.maxConnectionDuration === undefined ? UPSTREAM_MAX_MS : durationMs(tcp.maxConnectionDuration),
    maxRequests: http?.maxRequestsPerConnection || undefined,
  };
}

/** A destination that is gone: answers 503, so that the rest of its rule can go on. */
export function missingCluster(name: string): ClusterJson {
  return { name, type: 'STATIC', connectTimeout: '1s', loadAssignment: { clusterName: name } };
}

/** `pool` is what a Sidecar says of all ports. */
export const inboundClusters: (scope: ProxyScope, pool: ConnectionPool | undefined) => readonly ClusterJson[] =
  remember((scope: ProxyScope, pool: ConnectionPool | undefined): readonly ClusterJson[] =>
    scope.servicePorts.map(({ name: portName, port, protocol }) => {
      const address = { socketAddress: { address: '127.0.0.1', portValue: scope.ports.app[portName] ?? port } };
      return appCluster(inboundClusterName(port), `inbound;${port}`, address, protocol, pool);
    }),
  );

export function appCluster(
  name: string,
  altStatName: string,
  address: AddressJson,
  protocol: Protocol,
  pool: ConnectionPool | undefined,
): ClusterJson {
  const { tcp, http } = pool ?? {};
  const keepalive = tcpKeepalive(tcp?.tcpKeepalive);
  const idle = http?.idleTimeout ?? tcp?.idleTimeout;
  const life: ConnectionLife = {
    idleMs: idle === undefined ? APP_IDLE_MS : durationMs(idle),
    maxMs: tcp?.maxConnectionDuration === undefined ? undefined : durationMs(tcp.maxConnectionDuration),
    maxRequests: http?.maxRequestsPerConnection || undefined,
  };
  return {
    name,
    altStatName,
    type: 'STATIC',
    connectTimeout: tcp?.connectTimeout === undefined ? '1s' : protoDuration(durationMs(tcp.connectTimeout)),
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
    circuitBreakers: {
      thresholds: [
        {
          // Istio writes 0 for "the default".
          maxConnections: tcp?.maxConnections || APP_MAX_CONNECTIONS,
          maxPendingRequests: http?.http1MaxPendingRequests || APP_MAX_CONNECTIONS,
          maxRequests: http?.http2MaxRequests || APP_MAX_CONNECTIONS,
          ...(http?.maxRetries ? { maxRetries: http.maxRetries } : {}),
        },
      ],
    },
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: keepalive }),
    ...upstreamProtocol(protocol, life, { pool: http }),
  };
}
