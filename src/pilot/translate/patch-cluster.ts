/** Patches of an Envoy cluster. */
import type { PatchMatch } from '../../dsl/envoy-filter-shape.js';
import type { ClusterJson } from '../../xds/envoy-json.js';
import { missingCluster } from './clusters.js';
import { type Patch, patchMessages } from './envoy-patches.js';
import { merged } from './patch-list.js';
import type { Place } from './patch-place.js';

/** The same cluster when the patch is not for it. One that is removed still answers 503, since routes may name it. */
export function patchCluster(cluster: ClusterJson, { match, operation, value }: Patch, place: Place): ClusterJson {
  const name = cluster.name ?? '';
  if (operation === 'ADD' || !isClusterMatch(name, match, place)) return cluster;
  return operation === 'REMOVE'
    ? missingCluster(name)
    : merged(cluster, { operation, value, message: patchMessages.CLUSTER });
}

function isClusterMatch(name: string, { context, cluster: asked }: PatchMatch, place: Place): boolean {
  if (asked?.name !== undefined && asked.name !== name) return false;
  if (place.context === undefined) return asked?.name !== undefined && context === 'ANY';
  if (context !== 'ANY' && context !== place.context) return false;
  const subset = place.context === 'SIDECAR_INBOUND' ? '' : name.split('|')[2];
  return (
    (asked?.portNumber === undefined || asked.portNumber === place.port) &&
    (asked?.service === undefined || asked.service.toLowerCase() === place.host) &&
    (asked?.subset === undefined || asked.subset === subset)
  );
}
