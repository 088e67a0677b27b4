/**
 * What a request experiences: walks listener, route, cluster and endpoints of the generated resources as Envoy would. It knows
 * what our translators write and throws at anything else, so that nothing is silently not looked at.
 */

import type { TranslatedResources } from '../../src/pilot/translate/index.js';
import { encodeResource } from '../../src/xds/encode.js';
import type {
  HeaderMatcherJson,
  RouteJson,
  RouteMatchJson,
  StringMatcherJson,
  VirtualHostJson,
} from '../../src/xds/envoy-json.js';

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
  const configuration = resources.routes.get(request.routes ?? 'outbound');
  if (configuration === undefined) throw new Error(`no route configuration ${request.routes ?? 'outbound'}`);
  const authority = configuration.ignorePortInHostMatching === true ? request.host.replace(/:\d+$/, '') : request.host;
  const host = hostFor(configuration.virtualHosts ?? [], authority);
  const route = host?.routes?.find((candidate) => matches(candidate.match ?? {}, request));
  if (route === undefined) return { kind: 'answered', route: '', status: 404, json: undefined };
  const name = route.name ?? '';
  if (route.directResponse !== undefined)
    return { kind: 'answered', route: name, status: route.directResponse.status ?? 0, json: route };
  if (route.redirect !== undefined) return { kind: 'answered', route: name, status: 301, json: route };
  const action = route.route ?? {};
  const weighted = action.weightedClusters?.clusters ?? [{ name: action.cluster ?? '', weight: 1 }];
  const total = weighted.reduce((sum, { weight = 0 }) => sum + weight, 0);
  const shares = weighted.map(({ name: cluster = '', weight = 0 }) => ({
    cluster,
    share: weight / total,
    endpoints: endpointsOf(resources, cluster),
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

function clustersNamed(json: unknown): readonly string[] {
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

function endpointsOf(resources: TranslatedResources, cluster: string): readonly string[] {
  const json = resources.clusters.get(cluster);
  if (json === undefined) throw new Error(`no cluster ${cluster}`);
  const assignment = json.loadAssignment ?? resources.endpoints.get(cluster);
  return (assignment?.endpoints ?? []).flatMap(({ lbEndpoints = [] }) =>
    lbEndpoints.map(({ endpoint, healthStatus = 'HEALTHY' }) => {
      const { socketAddress, pipe } = endpoint?.address ?? {};
      const address = pipe?.path ?? `${socketAddress?.address}:${socketAddress?.portValue}`;
      return healthStatus === 'HEALTHY' ? address : `${address} ${healthStatus}`;
    }),
  );
}

function hostFor(hosts: readonly VirtualHostJson[], authority: string): VirtualHostJson | undefined {
  const wanted = authority.toLowerCase();
  const exact = hosts.find(({ domains = [] }) => domains.includes(wanted));
  const bySuffix = hosts
    .flatMap((host) => (host.domains ?? []).map((domain) => ({ host, suffix: domain.slice(1), domain })))
    .filter(({ domain, suffix }) => domain.startsWith('*') && wanted.endsWith(suffix) && wanted !== suffix)
    .toSorted((a, b) => b.suffix.length - a.suffix.length);
  return exact ?? bySuffix[0]?.host;
}

function matches(match: RouteMatchJson, request: SimulatedRequest): boolean {
  if (match.connectMatcher !== undefined) return request.method === 'CONNECT';
  if (request.method === 'CONNECT') return false;
  const [path = '/', query = ''] = (request.path ?? '/').split('?');
  const parameters = new URLSearchParams(query);
  return (
    pathMatches(match, path) &&
    (match.headers ?? []).every((matcher) => headerMatches(matcher, headerOf(request, matcher.name ?? ''))) &&
    (match.queryParameters ?? []).every(({ name = '', presentMatch, stringMatch }) => {
      const value = parameters.get(name);
      return value !== null && (presentMatch === true || textMatches(stringMatch ?? {}, value));
    })
  );
}

function pathMatches({ prefix, path, safeRegex, caseSensitive = true }: RouteMatchJson, found: string): boolean {
  const fold = (text: string): string => (caseSensitive ? text : text.toLowerCase());
  if (path !== undefined) return fold(found) === fold(path);
  if (safeRegex !== undefined) return wholly(safeRegex.regex ?? '', found);
  return fold(found).startsWith(fold(prefix ?? ''));
}

function headerOf(
  { host, path = '/', method = 'GET', headers = {} }: SimulatedRequest,
  name: string,
): string | undefined {
  const pseudo: Readonly<Record<string, string>> = {
    ':authority': host,
    ':path': path,
    ':method': method,
    ':scheme': 'http',
  };
  return pseudo[name] ?? headers[name];
}

function headerMatches(matcher: HeaderMatcherJson, value: string | undefined): boolean {
  const isEmptyWhenMissing = matcher.treatMissingHeaderAsEmpty === true;
  const seen = value ?? (isEmptyWhenMissing ? '' : undefined);
  const isMatch =
    matcher.presentMatch === true
      ? value !== undefined
      : seen !== undefined && textMatches(matcher.stringMatch ?? {}, seen);
  return matcher.invertMatch === true ? !isMatch : isMatch;
}

function textMatches({ exact, prefix, safeRegex }: StringMatcherJson, value: string): boolean {
  if (exact !== undefined) return value === exact;
  if (prefix !== undefined) return value.startsWith(prefix);
  if (safeRegex !== undefined) return wholly(safeRegex.regex ?? '', value);
  throw new Error('an unknown string matcher');
}

function wholly(regex: string, value: string): boolean {
  return new RegExp(`^(?:${regex})$`).test(value);
}
