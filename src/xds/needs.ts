import type { ResourceShort } from './resource-types.js';

/** Names that a cluster or listener (as JSON) will ask for by itself before it serves. */
export function needsOf(needed: ResourceShort, json: object): readonly string[] {
  const names = new Set<string>();
  if (needed === 'EDS') addEndpointName(json, names);
  if (needed === 'RDS') addRouteNames(json, names);
  return [...names].sort();
}

interface EdsCluster {
  readonly name?: string;
  readonly type?: string;
  readonly edsClusterConfig?: { readonly serviceName?: string };
}

function addEndpointName(json: EdsCluster, names: Set<string>): void {
  if (json.type === 'EDS') names.add(json.edsClusterConfig?.serviceName || (json.name ?? ''));
}

/** An `rds` may sit in any filter of any filter chain, so we look for it everywhere. */
function addRouteNames(json: unknown, names: Set<string>): void {
  if (json === null || typeof json !== 'object') return;
  for (const [key, value] of Object.entries(json)) {
    const name: unknown = key === 'rds' && value ? (value as { routeConfigName?: unknown }).routeConfigName : undefined;
    if (typeof name === 'string') names.add(name);
    else addRouteNames(value, names);
  }
}
