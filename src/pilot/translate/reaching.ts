/** Hosts that a proxy asks or reports to by itself, whatever its app calls. */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type { ClusterJson } from '../../xds/envoy-json.js';
import type { Audience } from './audience.js';
import { byName, layered } from './by-name.js';
import { callerPolicy } from './caller-policy.js';
import { type Callee, calleeOf } from './envoy-clusters.js';
import { findHost, indexOf } from './mesh-index.js';
import { reachedClusters } from './outbound.js';
import { remember } from './remember.js';
import type { TranslatedResources } from './resources.js';

/** Undefined when there is no such host, or it has no such port: that is told where it was applied. */
export function findPeer(
  { definitions }: MeshSnapshot,
  { caller }: Audience,
  { host, namespace, port }: { readonly host: string; readonly namespace: string; readonly port: number },
): Callee | undefined {
  const index = indexOf(definitions);
  const found = findHost(index, index.fullHost(host, namespace), caller.namespace);
  if (found === undefined || !found.ports.some((one) => one.port === port)) return undefined;
  return calleeOf(found, callerPolicy(found, caller, index.rootNamespace));
}

/** With the Envoy clusters of these as well, and with clusters of its own. */
export function reaching(
  snapshot: MeshSnapshot,
  audience: Audience,
  resources: TranslatedResources,
  peers: readonly Callee[],
  own: readonly ClusterJson[] = [],
): TranslatedResources {
  if (peers.length + own.length === 0) return resources;
  const { clusters, endpoints } = reachedClusters(
    snapshot,
    audience,
    new Map(peers.map((peer) => [peer.entry.host, peer])),
  );
  return withClusters(
    resources,
    byName(
      [...clusters, ...own].filter(({ name = '' }) => !resources.clusters.has(name)),
      ({ name }) => name,
    ),
    byName(
      endpoints.filter(({ clusterName = '' }) => !resources.endpoints.has(clusterName)),
      ({ clusterName }) => clusterName,
    ),
  );
}

const withClusters = remember(
  (
    resources: TranslatedResources,
    clusters: TranslatedResources['clusters'],
    endpoints: TranslatedResources['endpoints'],
  ): TranslatedResources => ({
    ...resources,
    clusters: layered([resources.clusters, clusters]),
    endpoints: layered([resources.endpoints, endpoints]),
  }),
);

/** Envoy would write the cluster's name as the authority, whose bars are no part of any host: strict servers reset such requests. */
export function grpcTo(cluster: string): { clusterName: string; authority: string } {
  return { clusterName: cluster, authority: hostOf(cluster) };
}

export function hostOf(cluster: string): string {
  return cluster.split('|')[3] ?? '';
}
