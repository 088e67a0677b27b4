/** Envoy clusters of ServiceEntries: as those of our services, but for where their addresses come from. */
import { type AnyJson, any } from '../../xds/envoy-any.js';
import type { ClusterJson, ClusterLoadAssignmentJson } from '../../xds/envoy-json.js';
import type { Discovery } from './external-endpoints.js';
import { remember } from './remember.js';

/** Shared by the filter that looks names up and the clusters that use them: Envoy knows a cache by its name. */
export const dnsCache = { name: 'mesh', dnsLookupFamily: 'V4_PREFERRED' } as const;

/** How long a failed look-up is not repeated. */
const FAILURE_REFRESH = { baseInterval: '1s', maxInterval: '10s' };

export const externalCluster: (
  cluster: ClusterJson,
  discovery: Discovery,
  assignment: ClusterLoadAssignmentJson,
) => ClusterJson = remember(
  (cluster: ClusterJson, discovery: Discovery, assignment: ClusterLoadAssignmentJson): ClusterJson => {
    const { type: _, edsClusterConfig: _eds, ...rest } = cluster;
    switch (discovery) {
      case 'given':
        return cluster;
      case 'dns':
        return { ...rest, type: 'STRICT_DNS', loadAssignment: assignment, ...dnsLookup };
      case 'first-of-dns':
        // Envoy wants exactly one endpoint. A selector may take none, or several.
        return {
          ...rest,
          type: isSingle(assignment) ? 'LOGICAL_DNS' : 'STRICT_DNS',
          loadAssignment: assignment,
          ...dnsLookup,
        };
      case 'named-by-caller':
        return namedByCaller(rest);
    }
  },
);

function isSingle({ endpoints = [] }: ClusterLoadAssignmentJson): boolean {
  return endpoints.length === 1 && endpoints[0]?.lbEndpoints?.length === 1;
}

export const dnsLookup = {
  dnsLookupFamily: 'V4_PREFERRED',
  respectDnsTtl: true,
  dnsRefreshRate: '30s',
  dnsFailureRefreshRate: FAILURE_REFRESH,
} as const;

/** Each host that a caller names is looked up when it is first asked for. There is nobody to choose from, or to eject. */
export function namedByCaller(cluster: ClusterJson): ClusterJson {
  const {
    leastRequestLbConfig: _least,
    roundRobinLbConfig: _round,
    ringHashLbConfig: _ring,
    maglevLbConfig: _maglev,
    outlierDetection: _outlier,
    commonLbConfig: _common,
    loadAssignment: _assignment,
    ...rest
  } = cluster;
  return {
    ...rest,
    lbPolicy: 'CLUSTER_PROVIDED',
    clusterType: { name: 'envoy.clusters.dynamic_forward_proxy', typedConfig: forwarding },
  };
}

const forwarding: AnyJson = any('envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig', {
  dnsCacheConfig: dnsCache,
  allowInsecureClusterOptions: true,
});
