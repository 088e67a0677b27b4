/** Route configurations of an edge instance: one for all plain servers of a port, one for each server with TLS. */
import type { RouteConfigurationJson, RouteJson, VirtualHostJson } from '../../xds/envoy-json.js';
import type { EdgePort, EdgeServer, SettledPort, SettledServer } from './edge-servers.js';
import type { Callee } from './envoy-clusters.js';
import type { Rule, Rules } from './policy.js';
import { remember, sameList } from './remember.js';
import type { RulePlace } from './route-action.js';
import { callerRoutes, ruleRoutes } from './routes.js';
import { targetHosts } from './rules.js';

export function edgeRoutes(
  { port, servers }: SettledPort,
  placeOf: (server: EdgeServer) => RulePlace,
): readonly RouteConfigurationJson[] {
  const plain = servers.filter(({ nature }) => nature === 'http');
  const secure = servers.filter(({ nature }) => nature === 'https');
  return [
    ...(plain.length === 0 ? [] : [routeTable(routesName(port), plain, placeOf, port.port)]),
    ...secure.map((server) => routeTable(routesName(port, server), [server], placeOf, port.port)),
  ];
}

/** As Istio names them. */
export function routesName({ port, bind }: EdgePort, server?: EdgeServer): string {
  const where = bind === undefined ? '' : `.${bind}`;
  if (server === undefined) return `http.${port}${where}`;
  const [namespace, gateway] = server.gateway.split('/');
  return `https.${port}.${server.server.port.name}.${gateway}.${namespace}${where}`;
}

/** Rules of several VirtualServices for one host stand one after the other, those that take everything last. */
function routeTable(
  name: string,
  servers: readonly SettledServer[],
  placeOf: (server: EdgeServer) => RulePlace,
  port: number,
): RouteConfigurationJson {
  const hosts = new Map<string, { rules: Set<Rule>; isRedirected: boolean; place: RulePlace }>();
  for (const server of servers) {
    const isRedirected = server.server.tls?.httpsRedirect === true;
    // A host that is only sent to https needs no rules.
    const bare = isRedirected ? server.hosts.map((host) => ({ host, rules: [] })) : [];
    for (const { host, rules } of [...server.settled, ...bare]) {
      const known = hosts.get(host) ?? { rules: new Set<Rule>(), isRedirected: false, place: placeOf(server) };
      for (const rule of rules) known.rules.add(rule);
      known.isRedirected ||= isRedirected;
      hosts.set(host, known);
    }
  }
  const virtualHosts = [...hosts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, { rules, isRedirected, place: at }]) => {
      const targets = targetHosts(sameList([...rules])).flatMap((target) => at.targets.get(target) ?? []);
      return edgeHost(sameList([...rules]), sameList(targets), host, port, at.isStreaming, isRedirected);
    });
  return tableOf(sameList(virtualHosts), name);
}

const tableOf = remember(
  (virtualHosts: readonly VirtualHostJson[], name: string): RouteConfigurationJson => ({
    ...callerRoutes(name, virtualHosts),
    // One table is one port, so what a client writes behind the host changes nothing.
    ignorePortInHostMatching: true,
  }),
);

const edgeHost = remember(
  (
    rules: Rules,
    targets: readonly Callee[],
    host: string,
    port: number,
    isStreaming: boolean,
    isRedirected: boolean,
  ): VirtualHostJson => {
    const place = { targets: new Map(targets.map((target) => [target.entry.host, target])), port, isStreaming };
    const routes = rules.flatMap((rule) => ruleRoutes(rule, place));
    return {
      name: `${host}:${port}`,
      domains: [host],
      routes: [...routes.filter((route) => !takesAll(route)), ...routes.filter(takesAll)],
      ...(isRedirected ? { requireTls: 'ALL' } : {}),
    };
  },
);

function takesAll({ match }: RouteJson): boolean {
  const { prefix, safeRegex, headers = [], queryParameters = [] } = match ?? {};
  const isEveryPath = prefix === '/' || safeRegex?.regex === '.*';
  return isEveryPath && headers.length === 0 && queryParameters.length === 0;
}
