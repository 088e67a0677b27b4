/**
 * All that an edge instance has: an Envoy without an app. Gateways that select it say where it listens, VirtualServices that name
 * these Gateways say where requests and connections go (reference: 1.6).
 */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type {
  FilterChainJson,
  ListenerJson,
  RouteConfigurationJson,
  RouteJson,
  VirtualHostJson,
} from '../../xds/envoy-json.js';
import { audienceOf } from './audience.js';
import { byName } from './by-name.js';
import { callerPolicy } from './caller-policy.js';
import { missingCluster } from './clusters.js';
import { compileVirtualService } from './compile-virtual-service.js';
import { type EdgePort, type EdgePorts, type EdgeServer, edgePorts, overlap } from './edge-servers.js';
import { type Callee, calleeOf } from './envoy-clusters.js';
import { edgeHttp } from './http-connection.js';
import { chainMatch, listenerOf, type PassedOn, socket, streamChain } from './listeners.js';
import { findHost, indexOf, type MeshIndex } from './mesh-index.js';
import { missingClusters, reachedClusters } from './outbound.js';
import type { Rule, Rules } from './policy.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameList } from './remember.js';
import type { TranslatedResources, TranslationProblem } from './resources.js';
import { clusterName, type RulePlace } from './route-action.js';
import { callerRoutes, ruleRoutes } from './routes.js';
import { type Caller, rulesFor, targetHosts, targetsOf, withReleases } from './rules.js';
import { runtimeLayers } from './runtime.js';
import { downstreamTls } from './server-tls.js';
import { passedOn, streamsOf } from './streams.js';

export function translateEdge(snapshot: MeshSnapshot, scope: ProxyScope): TranslatedResources {
  const index = indexOf(snapshot.definitions);
  const { ports, problems } = portsOf(scope, index);
  const settled = ports.map((port) => settle(snapshot, scope, port));
  const reachable = reachableOf(index, scope.namespace, sameList(settled.flatMap(({ rules }) => rules)));
  const { clusters, endpoints } = reachedClusters(snapshot, reachable);
  const wanted = settled.flatMap(({ port, rules }) =>
    rules.flatMap(targetsOf).map((target) => clusterName(target, { targets: reachable, port: port.port })),
  );
  const built = settled.map((port) => portResources(scope, port, reachable));
  const own = [nowhere, ...missingClusters(scope, clusters, wanted)];
  return {
    clusters: byName([...clusters, ...own], (cluster) => cluster.name),
    endpoints: byName(endpoints, (assignment) => assignment.clusterName),
    listeners: byName(
      built.flatMap(({ listener }) => listener ?? []),
      (listener) => listener.name,
    ),
    routes: byName(
      built.flatMap(({ routes }) => routes),
      (routes) => routes.name,
    ),
    runtime: runtimeLayers,
    problems: [...problems, ...built.flatMap((port) => port.problems), ...compileProblems(ports)],
  };
}

/** Envoy must never be left without any cluster: it refuses to let the last one go. */
const nowhere = missingCluster('nowhere');

const portsOf = (scope: ProxyScope, { gateways, atGateways, domain }: MeshIndex): EdgePorts =>
  portsFor(scope, gateways, atGateways, domain);
const portsFor = remember(
  (
    scope: ProxyScope,
    gateways: MeshIndex['gateways'],
    virtualServices: MeshIndex['atGateways'],
    domain: string,
  ): EdgePorts =>
    edgePorts(
      audienceOf(scope).caller,
      scope.servicePorts.map(({ port }) => port),
      gateways,
      virtualServices,
      domain,
    ),
);

/** A host of a server with its rules as they are now: with releases in them, and without what is not for this gateway. */
interface SettledHost {
  readonly host: string;
  readonly rules: Rules;
}

interface SettledServer extends EdgeServer {
  readonly settled: readonly SettledHost[];
}

interface SettledPort {
  readonly port: EdgePort;
  readonly servers: readonly SettledServer[];
  readonly rules: Rules;
}

function settle(snapshot: MeshSnapshot, scope: ProxyScope, port: EdgePort): SettledPort {
  const servers = port.servers.map((server): SettledServer => {
    const caller: Caller = { ...audienceOf(scope).caller, gateway: server.gateway };
    const settled = server.served.map(({ host, routed }) => {
      const { rules } = compileVirtualService(routed);
      return { host, rules: rulesFor(withReleases(snapshot, rules, scope.namespace), caller, port.port) };
    });
    return { ...server, settled };
  });
  return { port, servers, rules: servers.flatMap(({ settled }) => settled.flatMap(({ rules }) => rules)) };
}

function reachableOf(index: MeshIndex, namespace: string, rules: Rules): ReadonlyMap<string, Callee> {
  const found = targetHosts(rules).flatMap((host) => findHost(index, host, namespace) ?? []);
  return new Map(
    found.map((entry) => [entry.host, calleeOf(entry, callerPolicy(entry, namespace, index.rootNamespace))]),
  );
}

function compileProblems(ports: readonly EdgePort[]): readonly TranslationProblem[] {
  const served = new Set(
    ports.flatMap(({ servers }) => servers.flatMap((server) => server.served.map((one) => one.routed))),
  );
  return [...served].flatMap((routed) => {
    const { kind, namespace = '', name } = routed.definition;
    return compileVirtualService(routed).problems.map((message) => ({ kind, namespace, name, message }));
  });
}

interface PortResources {
  readonly listener: ListenerJson | undefined;
  readonly routes: readonly RouteConfigurationJson[];
  readonly problems: readonly TranslationProblem[];
}

/** A chain of a listener as data, so that equal ones give the same listener. */
interface Chain {
  readonly serverNames: readonly string[];
  readonly subnets: readonly string[];
  /** What its server is called. */
  readonly statName: string | undefined;
  /** The Gateway's, where TLS ends here. */
  readonly tls: EdgeServer['server']['tls'];
  readonly use:
    | { readonly kind: 'http'; readonly routeConfig: string; readonly isTls: boolean }
    | ({ readonly kind: 'stream' } & Pick<PassedOn, 'clusters' | 'isBySource'>);
}

function portResources(
  scope: ProxyScope,
  { port, servers }: SettledPort,
  reachable: ReadonlyMap<string, Callee>,
): PortResources {
  const place = (server: EdgeServer): RulePlace => ({
    targets: reachable,
    port: port.port,
    isStreaming: /^(GRPC|HTTP2)$/.test(server.server.port.protocol),
  });
  const name = `gateway|${port.port}${port.bind === undefined ? '' : `|${port.bind}`}`;
  const plain = servers.filter(({ nature }) => nature === 'http');
  const tables = [
    ...(plain.length === 0 ? [] : [{ name: routesName(port), servers: plain }]),
    ...servers
      .filter(({ nature }) => nature === 'https')
      .map((server) => ({ name: routesName(port, server), servers: [server] })),
  ];
  const routes = tables.map((table) => routeTable(table.name, table.servers, place, port.port));
  const { chains, problems } = distinct(
    port.family === 'http'
      ? [
          {
            server: plain[0] as SettledServer,
            chain: httpChain([], undefined, routesName(port), plain.find(({ server }) => server.name)?.server.name),
          },
        ] // the family is that of its first
      : servers.flatMap((server) => chainsOf(server, port, place(server)).map((chain) => ({ server, chain }))),
  );
  if (chains.length === 0) return { listener: undefined, routes, problems };
  return { listener: edgeListener(scope, name, port.port, port.bind, JSON.stringify(chains)), routes, problems };
}

/** As Istio names them. */
function routesName({ port, bind }: EdgePort, server?: EdgeServer): string {
  const where = bind === undefined ? '' : `.${bind}`;
  if (server === undefined) return `http.${port}${where}`;
  const [namespace, gateway] = server.gateway.split('/');
  return `https.${port}.${server.server.port.name}.${gateway}.${namespace}${where}`;
}

function httpChain(
  serverNames: readonly string[],
  tls: Chain['tls'],
  routeConfig: string,
  statName: string | undefined,
): Chain {
  return { serverNames, subnets: [], statName, tls, use: { kind: 'http', routeConfig, isTls: tls !== undefined } };
}

function chainsOf(server: SettledServer, port: EdgePort, place: RulePlace): readonly Chain[] {
  const { nature, hosts } = server;
  const { name: statName, tls } = server.server;
  const own = hosts.includes('*') ? [] : hosts;
  if (nature === 'https') return [httpChain(own, tls, routesName(port, server), statName)];
  const layer = nature === 'passthrough' ? 'tls' : 'tcp';
  const rules = new Set(server.settled.flatMap((host) => host.rules).filter((rule) => rule.layer === layer));
  return streamsOf([...rules]).flatMap((stream): readonly Chain[] => {
    const { clusters, isBySource } = passedOn(stream, place);
    const chain = { subnets: stream.subnets, statName, use: { kind: 'stream', clusters, isBySource } } as const;
    if (nature === 'tcp') return [{ ...chain, serverNames: [], tls: undefined }];
    if (nature === 'tls') return [{ ...chain, serverNames: own, tls }];
    const asked = stream.serverNames.flatMap((name) => hosts.flatMap((host) => overlap(name, host)));
    return asked.length === 0 ? [] : [{ ...chain, serverNames: [...new Set(asked)], tls: undefined }];
  });
}

/** Envoy refuses a listener with two equal matches: of each the first stays, and whose was left out is told. */
function distinct(all: readonly { readonly server: EdgeServer; readonly chain: Chain }[]): {
  readonly chains: readonly Chain[];
  readonly problems: readonly TranslationProblem[];
} {
  const seen = new Set<string>();
  const problems: TranslationProblem[] = [];
  const chains = all.flatMap(({ server, chain }) => {
    const names = chain.serverNames.length === 0 ? ['*'] : chain.serverNames;
    const left = names.filter((name) => !seen.has(`${name} ${chain.subnets.join()}`));
    for (const name of left) seen.add(`${name} ${chain.subnets.join()}`);
    if (left.length < names.length) {
      const [namespace = '', name = ''] = server.gateway.split('/');
      const lost = names.filter((one) => !left.includes(one)).join(', ');
      const message = `server "${server.server.port.name}" does not get ${lost}: an earlier server of port ${server.server.port.number} has it`;
      problems.push({ kind: 'Gateway', namespace, name, message });
    }
    if (left.length === 0) return [];
    return [{ ...chain, serverNames: chain.serverNames.length === 0 ? [] : left }];
  });
  return { chains, problems };
}

const edgeListener = remember(
  (scope: ProxyScope, name: string, port: number, bind: string | undefined, text: string): ListenerJson => {
    const chains = JSON.parse(text) as readonly Chain[]; // written by portResources
    return listenerOf(
      name,
      socket(bind ?? scope.address, port),
      chains.map((chain) => filterChain(name, chain)),
      'INBOUND',
    );
  },
);

function filterChain(name: string, { serverNames, subnets, statName, tls, use }: Chain): FilterChainJson {
  const protocols = use.kind === 'http' ? ['h2', 'http/1.1'] : [];
  const socketOf = tls === undefined ? {} : { transportSocket: downstreamTls(tls, protocols) };
  if (use.kind === 'stream')
    return { ...streamChain('inbound', name, { ...use, serverNames, subnets }, statName), ...socketOf };
  const filter = edgeHttp({ listener: name, routeConfig: use.routeConfig, statName });
  return { ...chainMatch({ serverNames, subnets }), filters: [filter], ...socketOf };
}

/** Rules of several VirtualServices for one host stand one after the other, those that take everything last. */
function routeTable(
  name: string,
  servers: readonly SettledServer[],
  place: (server: EdgeServer) => RulePlace,
  port: number,
): RouteConfigurationJson {
  const hosts = new Map<string, { rules: Set<Rule>; isRedirected: boolean; place: RulePlace }>();
  for (const server of servers) {
    const isRedirected = server.server.tls?.httpsRedirect === true;
    // A host that is only sent to https needs no rules.
    const bare = isRedirected ? server.hosts.map((host) => ({ host, rules: [] })) : [];
    for (const { host, rules } of [...server.settled, ...bare]) {
      const known = hosts.get(host) ?? { rules: new Set<Rule>(), isRedirected: false, place: place(server) };
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
  return edgeRoutes(name, sameList(virtualHosts));
}

const edgeRoutes = (name: string, virtualHosts: readonly VirtualHostJson[]): RouteConfigurationJson =>
  edgeRoutesOf(virtualHosts, name);
const edgeRoutesOf = remember(
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
