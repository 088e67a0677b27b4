/** RouteConfigurations: `outbound` with a virtual host per service and port, `upstream|<name>`, `inbound|<port>`. */
import { serviceOfFullHost } from '../../dsl/host.js';
import type { Protocol } from '../../model/fields.js';
import { inboundClusterName } from '../../model/names.js';
import type { RouteConfigurationJson, RouteJson, VirtualHostJson } from '../../xds/envoy-json.js';
import type { Callee } from './envoy-clusters.js';
import { discoveryOf } from './external-endpoints.js';
import type { HostPort, MeshHost } from './mesh-index.js';
import { connected } from './onward-tunnel.js';
import { anyRequest, type Rule, type Rules } from './policy.js';
import type { ProxyUpstream } from './proxy.js';
import { remember } from './remember.js';
import { clusterName, type RulePlace, routeAction } from './route-action.js';
import { routeMatch } from './route-match.js';
import { connectDestinations } from './streams.js';
import { targetPolicy } from './target-policy.js';
import { toldRoute } from './told-route.js';
import { TUNNEL_CLUSTER } from './tunnel.js';
import { UNDELIVERED_HEADER } from './undelivered.js';

/** Headers by which a caller could set our timeouts, retries and statistics; and the answer of a stranger's sidecar. */
const CALLER_CONTROLS = [
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-max-retries',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-ip-tags',
  'x-envoy-force-trace',
  'x-envoy-decorator-operation',
];

/** As much as a VirtualService may answer by itself; Envoy's own bound is 4 KiB. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** One service port as a caller in some namespace sees it. */
export interface Outlet {
  readonly entry: MeshHost;
  readonly port: HostPort;
  readonly rules: Rules;
  /** Services that the rules send to. */
  readonly targets: readonly Callee[];
}

/** `others` takes what none of them does. */
export const outboundRoutes: (
  virtualHosts: readonly VirtualHostJson[],
  others: VirtualHostJson,
  name: string,
) => RouteConfigurationJson = remember(
  (virtualHosts: readonly VirtualHostJson[], others: VirtualHostJson, name: string): RouteConfigurationJson =>
    sidecarRoutes(name, [...virtualHosts, others]),
);

/** On a listener that stands for one port, the bare host means that port. */
export const atItsPort: (host: VirtualHostJson, port: number) => VirtualHostJson = remember(
  (host: VirtualHostJson, port: number): VirtualHostJson => {
    const domains = host.domains ?? [];
    const bare = domains
      .filter((domain) => domain.endsWith(`:${port}`))
      .map((domain) => domain.slice(0, -`:${port}`.length));
    return { ...host, domains: [...new Set([...bare, ...domains])] };
  },
);

/** A listener of its own means its service, whatever the host says. */
export const upstreamRoutes: (
  port: HostPort,
  rules: Rules,
  targets: readonly Callee[],
  name: string,
) => RouteConfigurationJson = remember((port: HostPort, rules: Rules, targets: readonly Callee[], name: string) => {
  const place = placeOf({ port, targets });
  const routes = rules.flatMap((rule) => ruleRoutes(rule, place));
  return sidecarRoutes(name, [{ name, domains: ['*'], routes }]);
});

/** The service of such a listener is gone: Envoy must still be told, or it waits. */
export const absentRoutes: (upstream: ProxyUpstream, name: string) => RouteConfigurationJson = remember(
  (_upstream: ProxyUpstream, name: string): RouteConfigurationJson => sidecarRoutes(name, [unknownHost]),
);

/** A caller in the mesh may ask for the route that it met; one at the edge may not. */
function sidecarRoutes(name: string, virtualHosts: readonly VirtualHostJson[]): RouteConfigurationJson {
  return { ...callerRoutes(name, virtualHosts), responseHeadersToAdd: [toldRoute] };
}

export function callerRoutes(name: string, virtualHosts: readonly VirtualHostJson[]): RouteConfigurationJson {
  return {
    name,
    virtualHosts: [...virtualHosts],
    // Every cluster that we route to is in the same answer and is sent before the routes: one that Envoy has refused makes it
    // keep the routes it has, instead of losing that share of the requests.
    validateClusters: true,
    responseHeadersToRemove: [UNDELIVERED_HEADER],
    maxDirectResponseBodySizeBytes: MAX_ANSWER_BYTES,
  };
}

/** Shared by all proxies that have such a listener. */
export function inboundRoutes({
  port,
  protocol,
}: {
  readonly port: number;
  readonly protocol: Protocol;
}): RouteConfigurationJson {
  return inboundRoutesNamed(inboundName(port), inboundClusterName(port), protocol);
}

export function inboundRoutesNamed(name: string, cluster: string, protocol: Protocol): RouteConfigurationJson {
  return inboundRoutesOf(everyProxy, name, cluster, protocol);
}

const everyProxy = {};
const inboundRoutesOf = remember(
  (_shared: object, name: string, cluster: string, protocol: Protocol): RouteConfigurationJson => {
    return {
      name,
      virtualHosts: [
        {
          name,
          domains: ['*'],
          routes: [
            {
              name: 'default',
              match: { prefix: '/' },
              route: {
                cluster,
                timeout: '0s',
                ...(isStreaming(protocol) ? { idleTimeout: '0s' } : {}),
              },
            },
          ],
        },
      ],
      validateClusters: true,
      requestHeadersToRemove: CALLER_CONTROLS,
      responseHeadersToRemove: [UNDELIVERED_HEADER],
    };
  },
);

export function inboundName(port: number): string {
  return `inbound|${port}`;
}

/** The virtual host of one port of a host. */
export const virtualHost: (
  entry: MeshHost,
  port: HostPort,
  rules: Rules,
  targets: readonly Callee[],
  callerNamespace: string,
  domain: string,
) => VirtualHostJson = remember(
  (
    entry: MeshHost,
    port: HostPort,
    rules: Rules,
    targets: readonly Callee[],
    callerNamespace: string,
    domain: string,
  ): VirtualHostJson => {
    const place = placeOf({ port, targets });
    const routes = port.protocol === 'tcp' ? [] : rules.flatMap((rule) => ruleRoutes(rule, place));
    return {
      name: `${entry.host}:${port.port}`,
      domains: domainsOf(entry, port, callerNamespace, domain),
      routes: [connectRoute(entry, port, rules, place), ...routes],
    };
  },
);

/** A domain may stand once: of two hosts with the same address, or the same short name, the first has it. */
export function withoutRivals(hosts: readonly VirtualHostJson[]): readonly VirtualHostJson[] {
  const taken = new Set<string>();
  return hosts.flatMap((host) => {
    const free = (host.domains ?? []).filter((domain) => !taken.has(domain));
    for (const domain of free) taken.add(domain);
    if (free.length === host.domains?.length) return [host];
    return free.length === 0 ? [] : [withDomains(host, free.join(' '))];
  });
}

const withDomains = remember(
  (host: VirtualHostJson, domains: string): VirtualHostJson => ({ ...host, domains: domains.split(' ') }),
);

function placeOf({ port, targets }: Pick<Outlet, 'port' | 'targets'>): RulePlace {
  return {
    port: port.port,
    isStreaming: isStreaming(port.protocol),
    targets: new Map(targets.map((target) => [target.entry.host, target])),
  };
}

function isStreaming(protocol: string): boolean {
  return protocol === 'grpc' || protocol === 'http2';
}

/** Every name with its port, and the bare names where a bare host means this port. Never by ignoring ports: they tell services apart. */
function domainsOf(entry: MeshHost, port: HostPort, callerNamespace: string, domain: string): string[] {
  const names = namesOf(entry, callerNamespace, domain);
  const isDefault = entry.defaultPort?.port === port.port && (!isNamedByCaller(entry) || port.port === 80);
  return [...(isDefault ? names : []), ...names.map((name) => `${name}:${port.port}`)];
}

/** Requests to any host of a wildcard go to the very host and port that they name, and a bare host means port 80 there. */
function isNamedByCaller(entry: MeshHost): boolean {
  return entry.kind === 'external' && discoveryOf(entry) === 'named-by-caller';
}

/** Short forms are for names of our domain only; the shortest for callers of the same namespace. */
function namesOf(entry: MeshHost, callerNamespace: string, domain: string): readonly string[] {
  const own = serviceOfFullHost(entry.host, domain);
  if (own === undefined) return [entry.host, ...addressesOf(entry)];
  const { service, namespace } = own;
  return [
    ...(namespace === callerNamespace ? [service] : []),
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    entry.host,
    ...addressesOf(entry),
  ];
}

/** Addresses that a caller may name instead of the host: no ranges, which no virtual host can say. */
function addressesOf(entry: MeshHost): readonly string[] {
  if (entry.kind !== 'external') return [];
  return entry.spec.addresses
    .filter((address) => !address.includes('/') && address !== '0.0.0.0')
    .map((address) => (address.includes(':') ? `[${address.toLowerCase()}]` : address));
}

/**
 * CONNECT to an HTTP service: the bytes inside go round to this sidecar's tunnel listener, where each request is routed by its
 * own authority. CONNECT to a TCP service, or to a port of which nobody knows what it speaks, goes straight to it.
 */
function connectRoute(entry: MeshHost, port: HostPort, rules: Rules, place: RulePlace): RouteJson {
  const isPassedOn = port.protocol === 'tcp' || port.isUnknown === true;
  const destinations = isPassedOn ? connectDestinations(entry, rules) : [];
  const [first, ...others] = destinations.map((target) => ({
    name: clusterName(target, place),
    weight: target.weight,
  }));
  const route = {
    ...(first === undefined
      ? { cluster: TUNNEL_CLUSTER }
      : others.length === 0
        ? { cluster: first.name }
        : { weightedClusters: { clusters: [first, ...others] } }),
    timeout: '0s',
    idleTimeout: '0s',
  };
  const tunnel = destinations[0] && targetPolicy(destinations[0], place)?.tunnel;
  return { name: 'connect', match: { connectMatcher: {} }, ...connected(route, tunnel) };
}

/** One route per match, with the rule's name in it, so that the access log says why. */
export function ruleRoutes(rule: Rule, place: RulePlace): readonly RouteJson[] {
  if (rule.layer !== 'http') return [];
  const action = routeAction(rule, place);
  const matches = rule.matches.length === 0 ? [anyRequest] : rule.matches;
  return matches.map((match, i) => ({
    name: routeName(rule, matches.length > 1 ? match.name || String(i) : match.name),
    match: routeMatch(match),
    ...(match.statPrefix === '' ? {} : { statPrefix: match.statPrefix }),
    ...action,
  }));
}

/** `Route/default/reviews/testers`, with `#<match>` where a rule has several, and `~release` for what a release put before it. */
export function routeName(rule: Rule, match: string): string {
  const { kind, namespace, name } = rule.source;
  const suffix = `${match === '' ? '' : `#${match}`}${rule.isReleaseCopy ? '~release' : ''}`;
  return `${kind}/${namespace}/${name}/${rule.name}${suffix}`;
}

export const UNKNOWN_HOST = 'unknown-host';

/** The answer's text is written by the listener, which can show the host that was asked for. */
export const unknownHost: VirtualHostJson = {
  name: UNKNOWN_HOST,
  domains: ['*'],
  routes: [
    { name: UNKNOWN_HOST, match: { connectMatcher: {} }, directResponse: { status: 404 } },
    { name: UNKNOWN_HOST, match: { prefix: '/' }, directResponse: { status: 404 } },
  ],
};
