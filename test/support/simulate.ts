/** What a request experiences, in few words for tests: `src/resolve` decides. */

import type { TranslatedResources } from '../../src/pilot/translate/index.js';
import { decide } from '../../src/resolve/decide.js';
import { requestOf } from '../../src/resolve/request.js';
import { encodeResource } from '../../src/xds/encode.js';
import type { RouteJson } from '../../src/xds/envoy-json.js';

export interface SimulatedRequest {
  /** The authority, with a port or without. */
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Name of the route configuration; default `outbound`. */
  readonly routes?: string;
}

export interface Share {
  readonly cluster: string;
  /** Of all requests like this one, 0 to 1. */
  readonly share: number;
  /** `address:port`, with the health where it is not HEALTHY: `127.0.0.1:9001 DRAINING`. */
  readonly endpoints: readonly string[];
}

export type Experience =
  | { readonly kind: 'forwarded'; readonly route: string; readonly shares: readonly Share[]; readonly json: RouteJson }
  | {
      readonly kind: 'answered';
      readonly route: string;
      readonly status: number;
      readonly json: RouteJson | undefined;
    };

export function simulate(resources: TranslatedResources, request: SimulatedRequest): Experience {
  const { taken } = decide(resources, request.routes ?? 'outbound', requestOf(request));
  const [first] = taken;
  if (taken.length > 1) throw new Error('several routes share such a request');
  if (first === undefined) return { kind: 'answered', route: '', status: 404, json: undefined };
  const { route, clusters } = first;
  const name = route.name ?? '';
  if (route.directResponse !== undefined)
    return { kind: 'answered', route: name, status: route.directResponse.status ?? 0, json: route };
  if (route.redirect !== undefined) return { kind: 'answered', route: name, status: 301, json: route };
  const shares = clusters.map(({ cluster, share, endpoints }) => ({
    cluster,
    share,
    endpoints: endpoints.map(({ address, health }) => (health === 'HEALTHY' ? address : `${address} ${health}`)),
  }));
  return { kind: 'forwarded', route: name, shares, json: route };
}

/** `{v1: 0.9, v2: 0.1}` by the third part of the cluster names; plain is `''`. */
export function split(resources: TranslatedResources, request: SimulatedRequest): Readonly<Record<string, number>> {
  const experience = simulate(resources, request);
  if (experience.kind === 'answered') return { [experience.status]: 1 };
  const sums: Record<string, number> = {};
  for (const { cluster, share } of experience.shares) {
    const subset = cluster.split('|')[2] ?? cluster;
    sums[subset] = (sums[subset] ?? 0) + share;
  }
  return sums;
}

/** Throws when any of them is not what Envoy's own descriptors know, or when a route names a cluster that is not there. */
export function checkResources(resources: TranslatedResources): void {
  for (const json of resources.clusters.values()) encodeResource('CDS', json);
  for (const json of resources.endpoints.values()) encodeResource('EDS', json);
  for (const json of resources.listeners.values()) encodeResource('LDS', json);
  for (const json of resources.routes.values()) encodeResource('RDS', json);
  for (const json of resources.runtime.values()) encodeResource('RTDS', json);
  for (const [name, cluster] of resources.clusters) {
    if (cluster.type === 'EDS' && !resources.endpoints.has(name)) throw new Error(`cluster ${name} has no endpoints`);
  }
  for (const name of clustersNamed([...resources.routes.values(), ...resources.listeners.values()])) {
    if (!resources.clusters.has(name)) throw new Error(`there is no cluster ${name}`);
  }
  for (const name of routesNamed([...resources.listeners.values()])) {
    if (!resources.routes.has(name)) throw new Error(`there are no routes ${name}`);
  }
}

/** By routes and filters, however deep. */
export function clustersNamed(json: unknown): readonly string[] {
  return found(json, (key, value) => {
    if (key === 'cluster') return typeof value === 'string' ? [value] : [];
    if (key !== 'weightedClusters') return [];
    return ((value as { clusters?: { name: string }[] }).clusters ?? []).map(({ name }) => name);
  });
}

function routesNamed(json: unknown): readonly string[] {
  return found(json, (key, value) => (key === 'routeConfigName' ? [String(value)] : []));
}

function found(json: unknown, look: (key: string, value: unknown) => readonly string[]): readonly string[] {
  if (json === null || typeof json !== 'object') return [];
  return Object.entries(json).flatMap(([key, value]) => [...look(key, value), ...found(value, look)]);
}
