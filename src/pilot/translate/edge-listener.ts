/** The listener of one port of an edge instance: filter chains by server name, with TLS where it ends here. */
import { isOfMesh } from '../../dsl/server-tls.js';
import type { FilterChainJson, ListenerJson } from '../../xds/envoy-json.js';
import { routesName } from './edge-routes.js';
import { type EdgePort, type EdgeServer, overlap, type SettledPort, type SettledServer } from './edge-servers.js';
import { edgeHttp } from './http-connection.js';
import { chainMatch, listenerOf, type PassedOn, socket, streamChain } from './listeners.js';
import type { ProxyScope } from './proxy.js';
import { remember } from './remember.js';
import type { TranslationProblem } from './resources.js';
import type { RulePlace } from './route-action.js';
import { type MeshIdentity, serverSocket } from './server-tls.js';
import { passedOn, streamsOf } from './streams.js';

export interface EdgeListener {
  /** Absent while no rule says where connections go: Envoy wants at least one chain. */
  readonly listener: ListenerJson | undefined;
  readonly problems: readonly TranslationProblem[];
}

export function edgeListener(
  scope: ProxyScope,
  { port, servers }: SettledPort,
  placeOf: (server: EdgeServer) => RulePlace,
  identity: MeshIdentity | undefined,
): EdgeListener {
  // Never in plain text instead, nor with somebody else's certificate.
  const unproved = identity === undefined ? servers.filter(({ server }) => server.tls && isOfMesh(server.tls)) : [];
  const { chains, problems: lost } = distinct(
    servers
      .filter((server) => !unproved.includes(server))
      .flatMap((server) => chainsOf(server, port, placeOf(server)).map((chain) => ({ server, chain }))),
  );
  const problems = [...unproved.map(withoutCertificates), ...lost];
  if (chains.length === 0) return { listener: undefined, problems };
  const name = `gateway|${port.port}${port.bind === undefined ? '' : `|${port.bind}`}`;
  return { listener: listenerFor(scope, name, port.port, port.bind, identity, JSON.stringify(chains)), problems };
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
    | { readonly kind: 'http'; readonly routeConfig: string }
    | ({ readonly kind: 'stream' } & Pick<PassedOn, 'clusters' | 'isBySource' | 'tunnel'>);
}

function httpChain(
  serverNames: readonly string[],
  tls: Chain['tls'],
  routeConfig: string,
  statName: string | undefined,
): Chain {
  return { serverNames, subnets: [], statName, tls, use: { kind: 'http', routeConfig } };
}

function chainsOf(server: SettledServer, port: EdgePort, place: RulePlace): readonly Chain[] {
  const { nature, hosts } = server;
  const { name: statName, tls } = server.server;
  const own = hosts.includes('*') ? [] : hosts;
  if (nature === 'http') return plainChains(server, port);
  if (nature === 'https') return [httpChain(own, tls, routesName(port, server), statName)];
  const layer = nature === 'passthrough' ? 'tls' : 'tcp';
  const rules = new Set(server.settled.flatMap((host) => host.rules).filter((rule) => rule.layer === layer));
  return streamsOf([...rules]).flatMap((stream): readonly Chain[] => {
    const { clusters, isBySource, tunnel } = passedOn(stream, place);
    const chain = { subnets: stream.subnets, statName, use: { kind: 'stream', clusters, isBySource, tunnel } } as const;
    if (nature === 'tcp') return [{ ...chain, serverNames: [], tls: undefined }];
    if (nature === 'tls') return [{ ...chain, serverNames: own, tls }];
    const asked = stream.serverNames.flatMap((name) => hosts.flatMap((host) => overlap(name, host)));
    return asked.length === 0 ? [] : [{ ...chain, serverNames: [...new Set(asked)], tls: undefined }];
  });
}

/** Plain servers share one chain, which is told apart by hosts only: the first of them brings it. */
function plainChains(server: SettledServer, port: EdgePort): readonly Chain[] {
  if (port.servers[0]?.server !== server.server) return [];
  const named = port.servers.find((one) => one.server.name !== undefined);
  return [httpChain([], undefined, routesName(port), named?.server.name)];
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

const listenerFor = remember(
  (
    scope: ProxyScope,
    name: string,
    port: number,
    bind: string | undefined,
    identity: MeshIdentity | undefined,
    text: string,
  ): ListenerJson => {
    const chains = JSON.parse(text) as readonly Chain[]; // written by edgeListener
    return listenerOf(
      name,
      socket(bind ?? scope.address, port),
      chains.map((chain) => filterChain(name, chain, identity)),
      'INBOUND',
    );
  },
);

function withoutCertificates({ gateway, server }: EdgeServer): TranslationProblem {
  const [namespace = '', name = ''] = gateway.split('/');
  const message = `server "${server.port.name}" is left out: it says ISTIO_MUTUAL, and the instance has no certificates; write certificates in its Service, a folder of the node with cert-chain.pem, key.pem and root-cert.pem`;
  return { kind: 'Gateway', namespace, name, message };
}

function filterChain(
  name: string,
  { serverNames, subnets, statName, tls, use }: Chain,
  identity: MeshIdentity | undefined,
): FilterChainJson {
  const protocols = use.kind === 'http' ? ['h2', 'http/1.1'] : [];
  const socketOf = tls === undefined ? {} : { transportSocket: serverSocket(tls, protocols, identity) };
  if (use.kind === 'stream')
    return { ...streamChain('inbound', name, { ...use, serverNames, subnets }, statName), ...socketOf };
  const filter = edgeHttp({ listener: name, routeConfig: use.routeConfig, statName });
  return { ...chainMatch({ serverNames, subnets }), filters: [filter], ...socketOf };
}
