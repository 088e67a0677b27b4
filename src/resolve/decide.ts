/**
 * What Envoy does with a request, computed on the very resources that it is served: virtual host, route, clusters and
 * endpoints. Pure.
 */
import type {
  ClusterJson,
  ClusterLoadAssignmentJson,
  FractionalPercentJson,
  RouteConfigurationJson,
  RouteJson,
  VirtualHostJson,
} from '../xds/envoy-json.js';
import { mismatch, virtualHostOf } from './match.js';
import type { MeshRequest } from './request.js';

/** Of one proxy, by name. */
export interface EnvoyResources {
  readonly clusters: ReadonlyMap<string, ClusterJson>;
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignmentJson>;
  readonly routes: ReadonlyMap<string, RouteConfigurationJson>;
}

export interface FoundEndpoint {
  /** `address:port`, or the path of a socket. */
  readonly address: string;
  /** Empty when nobody has said. */
  readonly node: string;
  readonly instance: string;
  readonly version: string;
  readonly health: string;
}

export interface ClusterShare {
  readonly cluster: string;
  /** Of the requests that the route takes, 0 to 1. */
  readonly share: number;
  readonly endpoints: readonly FoundEndpoint[];
}

/** One route that takes such requests. */
export interface Taken {
  readonly route: RouteJson;
  /** Of all requests like this one, 0 to 1: below 1 when it takes only a part of them. */
  readonly share: number;
  /** Empty when the route answers by itself. */
  readonly clusters: readonly ClusterShare[];
}

export interface NotTaken {
  readonly route: RouteJson;
  readonly why: string;
}

export interface Decision {
  /** Undefined: the host is unknown. */
  readonly virtualHost: string | undefined;
  /** Nearly always one. None: Envoy answers 404. */
  readonly taken: readonly Taken[];
  readonly notTaken: readonly NotTaken[];
}

/**
 * The route configuration that an authority meets: `outbound` of a sidecar, and of a gateway one of its port (`http.80`,
 * `https.443.…`, see translate/edge.ts). Undefined: nobody listens there.
 */
export function routesFor({ routes }: EnvoyResources, authority: string): string | undefined {
  if (routes.has('outbound')) return 'outbound';
  const port = /:(\d+)$/.exec(authority)?.[1] ?? '80';
  const names = [...routes.keys()].filter((name) => name.split('.')[1] === port);
  return names.find((name) => hostIn(routes.get(name), authority) !== undefined) ?? names[0];
}

function hostIn(configuration: RouteConfigurationJson | undefined, authority: string): VirtualHostJson | undefined {
  const isBare = configuration?.ignorePortInHostMatching === true;
  return virtualHostOf(configuration?.virtualHosts ?? [], isBare ? authority.replace(/:\d+$/, '') : authority);
}

/** `routes` names the route configuration: `outbound`, or that of a listener of its own. */
export function decide(resources: EnvoyResources, routes: string, request: MeshRequest): Decision {
  const configuration = resources.routes.get(routes);
  if (configuration === undefined) throw new Error(`there is no route configuration ${routes}`);
  const host = hostIn(configuration, request.host);
  const taken: Taken[] = [];
  const notTaken: NotTaken[] = [];
  let left = 1;
  for (const route of host?.routes ?? []) {
    if (left === 0) {
      notTaken.push({ route, why: 'an earlier rule takes it' });
      continue;
    }
    const why = mismatch(route.match ?? {}, request);
    if (why !== undefined) {
      notTaken.push({ route, why });
      continue;
    }
    const share = left * fraction(route.match?.runtimeFraction?.defaultValue);
    left -= share;
    taken.push({ route, share, clusters: clustersOf(resources, route) });
  }
  return { virtualHost: host?.name, taken, notTaken };
}

const perDenominator = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

/** 0 to 1; all of it where nothing is said. */
export function fraction(percent: FractionalPercentJson | undefined): number {
  if (percent === undefined) return 1;
  const denominator = perDenominator[(percent.denominator ?? 'HUNDRED') as keyof typeof perDenominator];
  return Math.min(1, (percent.numerator ?? 0) / denominator);
}

function clustersOf(resources: EnvoyResources, { route }: RouteJson): readonly ClusterShare[] {
  if (route === undefined) return [];
  const weighted = route.weightedClusters?.clusters ?? [{ name: route.cluster ?? '', weight: 1 }];
  const total = weighted.reduce((sum, { weight = 0 }) => sum + weight, 0);
  return weighted.map(({ name = '', weight = 0 }) => ({
    cluster: name,
    share: weight / total,
    endpoints: endpointsOf(resources, name),
  }));
}

const namedByCaller: FoundEndpoint = {
  address: 'the host that the caller names',
  node: '',
  instance: '',
  version: '',
  health: '-',
};

function endpointsOf(resources: EnvoyResources, cluster: string): readonly FoundEndpoint[] {
  const json = resources.clusters.get(cluster);
  if (json === undefined) throw new Error(`there is no cluster ${cluster}`);
  if (json.clusterType !== undefined) return [namedByCaller]; // dynamic_forward_proxy
  const assignment = json.loadAssignment ?? resources.endpoints.get(json.edsClusterConfig?.serviceName || cluster);
  // Those come first that Envoy prefers: the others are for when they fail.
  const places = (assignment?.endpoints ?? []).toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
  return places.flatMap(({ lbEndpoints = [] }) =>
    lbEndpoints.map(({ endpoint, healthStatus, metadata }) => {
      const { socketAddress, pipe } = endpoint?.address ?? {};
      const mesh = (metadata?.filterMetadata?.['mesh'] ?? {}) as Readonly<Record<string, string>>; // endpoints.ts writes it
      return {
        address: pipe?.path ?? `${socketAddress?.address}:${socketAddress?.portValue}`,
        node: mesh['node'] ?? '',
        instance: mesh['instance'] ?? '',
        version: mesh['version'] ?? '',
        health: healthStatus ?? 'HEALTHY',
      };
    }),
  );
}
