/**
 * What a gRPC client without a proxy is served: the outbound resources of its audience, in the few forms that gRPC reads
 * (gRFC A27, A28, A31, A42, A44, A50). gRPC refuses what it does not know where Envoy would ignore it, so everything is put
 * together from known fields. What it cannot do fails in plain sight, and never goes where it should not.
 */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { any } from '../../xds/envoy-any.js';
import type {
  ClusterJson,
  ClusterLoadAssignmentJson,
  LbEndpointJson,
  ListenerJson,
  LocalityLbEndpointsJson,
  RetryPolicyJson,
  RouteActionJson,
  RouteConfigurationJson,
  RouteJson,
  RouteMatchJson,
  VirtualHostJson,
} from '../../xds/envoy-json.js';
import { audienceOf } from './audience.js';
import { byName } from './by-name.js';
import { type Outbound, outboundOf } from './outbound.js';
import type { ProxyScope } from './proxy.js';
import { remember } from './remember.js';
import { noExtensions, type TranslatedResources } from './resources.js';

const OUTBOUND = 'outbound';
/** A cluster that never exists: gRPC has no answers of its own and follows no redirects, so such a call ends as UNAVAILABLE. */
const NO_CALL = 'grpc-cannot-answer';
/** Conditions of a retry that gRPC knows; others it would ignore. */
const RETRIED = new Set(['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable']);

export function translateProxyless(snapshot: MeshSnapshot, scope: ProxyScope): TranslatedResources {
  return grpcResources(outboundOf(snapshot, audienceOf(scope)));
}

const noRuntime: TranslatedResources['runtime'] = new Map();

const grpcResources = remember((outbound: Outbound): TranslatedResources => {
  const hosts = outbound.routes.get(OUTBOUND)?.virtualHosts ?? [];
  const clusters = [...outbound.clusters.values()].flatMap((cluster) => grpcCluster(cluster) ?? []);
  const assignments = [...outbound.endpoints.values()].map(grpcAssignment);
  return {
    listeners: byName(hosts.flatMap(apiListeners), ({ name }) => name),
    routes: byName(hosts.filter((host) => targetsOf(host).length > 0).map(grpcRoutes), ({ name }) => name),
    clusters: byName(clusters, ({ name }) => name),
    endpoints: byName(assignments, ({ clusterName }) => clusterName),
    runtime: noRuntime,
    extensions: noExtensions,
    problems: outbound.problems,
  };
});

/** What may stand after `xds:///`: `reviews:9080`, `reviews.shop.svc.cluster.local:9080`. */
function targetsOf({ domains }: VirtualHostJson): readonly string[] {
  return (domains ?? []).filter((domain) => /^[^*]+:\d+$/.test(domain));
}

const apiListeners = remember((host: VirtualHostJson): readonly ListenerJson[] =>
  targetsOf(host).map((name) => ({
    name,
    apiListener: {
      apiListener: any('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
        statPrefix: OUTBOUND,
        rds: { routeConfigName: host.name ?? '', configSource: { ads: {}, resourceApiVersion: 'V3' } },
        httpFilters: [{ name: 'router', typedConfig: any('envoy.extensions.filters.http.router.v3.Router', {}) }],
      }),
    },
  })),
);

const grpcRoutes = remember(
  ({ name = '', routes = [] }: VirtualHostJson): RouteConfigurationJson => ({
    name,
    virtualHosts: [{ name, domains: ['*'], routes: routes.flatMap((route) => grpcRoute(route) ?? []) }],
  }),
);

function grpcRoute({ name, match, route }: RouteJson): RouteJson | undefined {
  const condition = grpcMatch(match ?? {});
  if (condition === undefined) return undefined;
  return { ...(name === undefined ? {} : { name }), match: condition, route: grpcAction(route) };
}

/** Undefined when no gRPC call can meet it: there are no queries in their paths, and none is a CONNECT. */
function grpcMatch(match: RouteMatchJson): RouteMatchJson | undefined {
  const { prefix, path, safeRegex, caseSensitive, headers, queryParameters, runtimeFraction } = match;
  if ((queryParameters ?? []).length > 0) return undefined;
  if (prefix === undefined && path === undefined && safeRegex === undefined) return undefined;
  return defined({ prefix, path, safeRegex, caseSensitive, headers, runtimeFraction });
}

function grpcAction(action: RouteActionJson | undefined): RouteActionJson {
  const destination = destinationOf(action ?? {});
  if (action === undefined || destination === undefined) return { cluster: NO_CALL };
  const { timeout, retryPolicy, hashPolicy } = action;
  return defined({
    ...destination,
    // The whole call is meant by both; gRPC reads this one only.
    maxStreamDuration: timeout === undefined || timeout === '0s' ? undefined : { maxStreamDuration: timeout },
    retryPolicy: retryPolicy && grpcRetries(retryPolicy),
    hashPolicy: hashPolicy?.filter(({ header }) => header !== undefined),
  });
}

function destinationOf({ cluster, weightedClusters }: RouteActionJson): RouteActionJson | undefined {
  if (cluster !== undefined) return { cluster };
  const clusters = (weightedClusters?.clusters ?? []).map(({ name, weight }) => defined({ name, weight }));
  return clusters.some(({ weight = 0 }) => weight > 0) ? { weightedClusters: { clusters } } : undefined;
}

function grpcRetries({ retryOn = '', numRetries = 1, retryBackOff }: RetryPolicyJson): RetryPolicyJson | undefined {
  const known = retryOn.split(',').filter((condition) => RETRIED.has(condition));
  if (known.length === 0 || numRetries < 1) return undefined;
  return defined({ retryOn: known.join(','), numRetries, retryBackOff });
}

/**
 * Undefined for a cluster that gRPC cannot call: one without an endpoint list of ours, or with TLS, for which a gRPC client
 * has certificates of its own or none. Never in plain text instead.
 */
const grpcCluster = remember((cluster: ClusterJson): ClusterJson | undefined => {
  const { name, type, edsClusterConfig, lbPolicy, ringHashLbConfig, circuitBreakers, outlierDetection } = cluster;
  const isSecured = cluster.transportSocket !== undefined || (cluster.transportSocketMatches ?? []).length > 0;
  if (type !== 'EDS' || isSecured) return undefined;
  const maxRequests = circuitBreakers?.thresholds?.find(
    ({ priority = 'DEFAULT' }) => priority === 'DEFAULT',
  )?.maxRequests;
  const isHashed = lbPolicy === 'RING_HASH' || lbPolicy === 'MAGLEV';
  return defined({
    name,
    type,
    edsClusterConfig,
    lbPolicy: isHashed ? ('RING_HASH' as const) : ('ROUND_ROBIN' as const),
    ringHashLbConfig: lbPolicy === 'RING_HASH' ? ringHashLbConfig : undefined,
    circuitBreakers: maxRequests === undefined ? undefined : { thresholds: [{ maxRequests }] },
    outlierDetection,
  });
});

const grpcAssignment = remember(
  ({ clusterName, endpoints = [] }: ClusterLoadAssignmentJson): ClusterLoadAssignmentJson =>
    defined({ clusterName, endpoints: endpoints.map(grpcLocality) }),
);

/** gRPC leaves out a locality without a weight. Where Envoy has none, each endpoint counts by itself: here by its locality's sum. */
function grpcLocality({
  locality,
  lbEndpoints = [],
  priority,
  loadBalancingWeight,
}: LocalityLbEndpointsJson): LocalityLbEndpointsJson {
  const reachable = lbEndpoints.filter(({ endpoint }) => endpoint?.address?.socketAddress !== undefined);
  return defined({
    locality: locality ?? {},
    lbEndpoints: reachable.map(({ endpoint, healthStatus, loadBalancingWeight: weight }) =>
      defined({ endpoint, healthStatus, loadBalancingWeight: weight }),
    ),
    priority,
    loadBalancingWeight: loadBalancingWeight ?? Math.max(1, sumOf(reachable)),
  });
}

function sumOf(endpoints: readonly LbEndpointJson[]): number {
  return endpoints
    .filter(({ healthStatus = 'UNKNOWN' }) => healthStatus === 'HEALTHY' || healthStatus === 'UNKNOWN')
    .reduce((sum, { loadBalancingWeight = 1 }) => sum + loadBalancingWeight, 0);
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without the fields that have no value. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>; // just so
}
