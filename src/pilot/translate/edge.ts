/**
 * All that an edge instance has: an Envoy without an app. Gateways that select it say where it listens, VirtualServices that name
 * these Gateways say where requests and connections go (reference: 1.6).
 */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { audienceOf } from './audience.js';
import { byName } from './by-name.js';
import { callerPolicy } from './caller-policy.js';
import { missingCluster } from './clusters.js';
import { compileVirtualService } from './compile-virtual-service.js';
import { edgeListener } from './edge-listener.js';
import { edgeRoutes } from './edge-routes.js';
import {
  type EdgePort,
  type EdgePorts,
  type EdgeServer,
  edgePorts,
  type SettledPort,
  type SettledServer,
} from './edge-servers.js';
import { type Callee, calleeOf } from './envoy-clusters.js';
import { findHost, indexOf, type MeshIndex } from './mesh-index.js';
import { missingClusters, reachedClusters } from './outbound.js';
import { meshIdentity } from './peers.js';
import type { Rules } from './policy.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameList } from './remember.js';
import { noExtensions, type TranslatedResources, type TranslationProblem } from './resources.js';
import { clusterName, type RulePlace } from './route-action.js';
import { type Caller, rulesFor, targetHosts, targetsOf, withReleases } from './rules.js';
import { runtimeLayers } from './runtime.js';

export function translateEdge(snapshot: MeshSnapshot, scope: ProxyScope): TranslatedResources {
  const index = indexOf(snapshot.definitions);
  const audience = audienceOf(scope);
  const { ports, problems } = portsOf(scope, index);
  const identity = meshIdentity(scope, index.trustDomains);
  const settled = ports.map((port) => settle(snapshot, scope, port));
  const reachable = reachableOf(index, audience.caller, sameList(settled.flatMap(({ rules }) => rules)));
  const reached = reachedClusters(snapshot, audience, reachable);
  const { clusters, endpoints } = reached;
  const wanted = settled.flatMap(({ port, rules }) =>
    rules.flatMap(targetsOf).map((target) => clusterName(target, { targets: reachable, port: port.port })),
  );
  const built = settled.map((port) => {
    const placeOf = ({ server }: EdgeServer): RulePlace => ({
      targets: reachable,
      port: port.port.port,
      isStreaming: server.port.protocol === 'GRPC' || server.port.protocol === 'HTTP2',
    });
    return { ...edgeListener(scope, port, placeOf, identity), routes: edgeRoutes(port, placeOf) };
  });
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
    extensions: noExtensions,
    problems: [...problems, ...built.flatMap((port) => port.problems), ...compileProblems(ports), ...reached.problems],
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

function settle(snapshot: MeshSnapshot, scope: ProxyScope, port: EdgePort): SettledPort {
  const servers = port.servers.map((server): SettledServer => {
    const caller: Caller = { ...audienceOf(scope).caller, gateway: server.gateway };
    const settled = server.served.map(({ host, routed }) => {
      const { rules } = compileVirtualService(routed);
      return { host, rules: rulesFor(withReleases(snapshot, rules, caller), caller, port.port) };
    });
    return { ...server, settled };
  });
  return { port, servers, rules: servers.flatMap(({ settled }) => settled.flatMap(({ rules }) => rules)) };
}

function reachableOf(index: MeshIndex, caller: Caller, rules: Rules): ReadonlyMap<string, Callee> {
  const found = targetHosts(rules).flatMap((host) => findHost(index, host, caller.namespace) ?? []);
  return new Map(found.map((entry) => [entry.host, calleeOf(entry, callerPolicy(entry, caller, index.rootNamespace))]));
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
