/** MeshSnapshot and proxy to Envoy resources. The scope of a proxy: its upstreams, what their rules send to, and its own app. */
import type { Endpoint } from '../../model/instance.js';
import { labelsOf } from '../../model/labels.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import { byKey } from '../../model/order.js';
import type { ServicePort } from '../../model/service-shape.js';
import type {
  ClusterJson,
  ClusterLoadAssignmentJson,
  ListenerJson,
  RouteConfigurationJson,
} from '../../xds/envoy-json.js';
import { callerPolicy } from './caller-policy.js';
import { inboundClusters, missingCluster, outboundCluster } from './clusters.js';
import { loadAssignment } from './endpoints.js';
import { type Callee, calleeOf, selectionsOf } from './envoy-clusters.js';
import { hashOf } from './hash-policy.js';
import { fixedListeners, tcpUpstreamListener, upstreamListenerName } from './listeners.js';
import { indexOf, routedBy, type ServiceEntry } from './mesh-index.js';
import type { Rules } from './policy.js';
import type { ProxyScope, ProxyUpstream } from './proxy.js';
import { remember, sameList } from './remember.js';
import type { TranslatedResources, TranslationProblem } from './resources.js';
import { clusterName } from './route-action.js';
import { absentRoutes, inboundRoutes, outboundRoutes, tcpDestinations, upstreamRoutes, virtualHost } from './routes.js';
import { type Caller, compiledRules, effectiveRules, rulesFor, targetKeys, targetsOf } from './rules.js';
import { runtimeLayers } from './runtime.js';
import { factsOf } from './service-facts.js';
import { tunnelCluster } from './tunnel.js';

/** Pure. Never throws for what a user wrote: what cannot be translated is in `problems`, and the rest goes on. */
export function translate(snapshot: MeshSnapshot, scope: ProxyScope): TranslatedResources {
  const scene = sceneOf(snapshot, scope);
  const { clusters, endpoints } = outboundClusters(snapshot, scene);
  return {
    clusters: byName(clusters, (cluster) => cluster.name),
    endpoints: byName(endpoints, (assignment) => assignment.clusterName),
    listeners: byName(listenersOf(scene), (listener) => listener.name),
    routes: byName(routesOf(scene), (routes) => routes.name),
    runtime: runtimeLayers,
    problems: problemsOf(scene),
  };
}

/** What one proxy can reach, gathered once. */
interface Scene {
  readonly scope: ProxyScope;
  readonly caller: Caller;
  readonly domain: string;
  /** Services that the proxy names, by `<ns>/<name>`, with the rules that hold for it, sorted. */
  readonly named: ReadonlyMap<string, { readonly entry: ServiceEntry; readonly rules: Rules }>;
  /** All of these, and those that rules send to. */
  readonly reachable: ReadonlyMap<string, Callee>;
  readonly missing: readonly ProxyUpstream[];
}

function sceneOf(snapshot: MeshSnapshot, scope: ProxyScope): Scene {
  const { services, domain, rootNamespace } = indexOf(snapshot.definitions);
  const caller = callerOf(scope);
  const named = new Map<string, { entry: ServiceEntry; rules: Rules }>();
  const reachable = new Map<string, Callee>();
  const reach = (key: string, entry: ServiceEntry): void => {
    reachable.set(key, calleeOf(entry, callerPolicy(entry, scope.namespace, rootNamespace)));
  };
  for (const key of sorted(scope.upstreams.map(({ namespace, service }) => fullName(namespace, service)))) {
    const entry = services.get(key);
    if (entry === undefined) continue;
    const rules = effectiveRules(snapshot, entry, scope.namespace);
    named.set(key, { entry, rules });
    reach(key, entry);
    for (const target of targetKeys(rules)) {
      const found = services.get(target);
      if (found !== undefined) reach(target, found);
    }
  }
  const missing = scope.upstreams.filter(({ namespace, service }) => !services.has(fullName(namespace, service)));
  return { scope, caller, domain, named, reachable, missing };
}

const callerOf = remember(
  ({ namespace, service, cluster, labels, version }: ProxyScope): Caller => ({
    namespace,
    service,
    cluster,
    labels: labelsOf(service, version, labels),
  }),
);

function outboundClusters(
  snapshot: MeshSnapshot,
  scene: Scene,
): { clusters: readonly ClusterJson[]; endpoints: readonly ClusterLoadAssignmentJson[] } {
  const { scope, reachable } = scene;
  const clusters: ClusterJson[] = [...inboundClusters(scope), tunnelCluster(scope)];
  const endpoints: ClusterLoadAssignmentJson[] = [];
  for (const [key, { entry, policy }] of reachable) {
    const facts = factsOf(snapshot, key);
    if (facts === undefined) continue;
    const known = snapshot.endpoints.get(key) ?? noEndpoints;
    for (const port of entry.ports) {
      for (const selection of selectionsOf(facts, policy)) {
        clusters.push(outboundCluster(entry.identity, port, selection));
        endpoints.push(loadAssignment(facts, port, selection, known));
      }
    }
  }
  const given = new Set(clusters.map((cluster) => cluster.name));
  const wanted = referencedClusters(scene).filter((name) => !given.has(name));
  clusters.push(...sorted(wanted).map((name) => missingClusterOf(scope, name)));
  return { clusters, endpoints };
}

const noEndpoints: readonly Endpoint[] = [];
const missingClusterOf = remember((_scope: ProxyScope, name: string): ClusterJson => missingCluster(name));

/** Names of all Envoy clusters that rules send to: every one of them must exist, or Envoy refuses the routes. */
function referencedClusters({ named, reachable }: Scene): readonly string[] {
  return [...named.values()].flatMap(({ entry, rules }) =>
    entry.ports.flatMap(({ port }) =>
      rules.flatMap(targetsOf).map((target) => clusterName(target, { targets: reachable, port })),
    ),
  );
}

function routesOf(scene: Scene): readonly RouteConfigurationJson[] {
  const { scope, caller, domain, named } = scene;
  const hosts = [...named.values()].flatMap(({ entry, rules }) =>
    entry.ports.map((port) =>
      virtualHost(
        entry,
        port,
        rulesFor(rules, caller, port.port),
        targetsIn(scene, rules),
        entry.namespace === scope.namespace,
        domain,
      ),
    ),
  );
  const inbound = scope.servicePorts.filter((port) => port.protocol !== 'tcp').map(inboundRoutes);
  const upstreams = ownListeners(scene)
    .filter(({ upstream }) => upstream.protocol !== 'tcp')
    .map(({ upstream, found }) => {
      const name = upstreamListenerName(upstream);
      if (found === undefined) return absentRoutes(upstream, name);
      const { entry, port, rules } = found;
      return upstreamRoutes(entry, port, rulesFor(rules, caller, port.port), targetsIn(scene, rules), name);
    });
  return [...inbound, outboundRoutes(sameList(hosts)), ...upstreams];
}

function listenersOf(scene: Scene): readonly ListenerJson[] {
  const { scope, caller, reachable } = scene;
  const tcp = ownListeners(scene).flatMap(({ upstream, found }) => {
    if (upstream.protocol !== 'tcp' || found === undefined) return [];
    const { entry, port, rules } = found;
    const place = { targets: reachable, port: port.port };
    const destinations = tcpDestinations(entry, rulesFor(rules, caller, port.port));
    const clusters = destinations.map((target) => ({ name: clusterName(target, place), weight: target.weight }));
    const [first] = destinations;
    const isBySource = first !== undefined && hashOf(first, place)?.useSourceIp === true;
    return [tcpUpstreamListener(upstream, clusters, isBySource)];
  });
  return [...fixedListeners(scope), ...tcp];
}

interface OwnListener {
  readonly upstream: ProxyUpstream;
  /** Absent when the service or its port is gone. */
  readonly found: { readonly entry: ServiceEntry; readonly port: ServicePort; readonly rules: Rules } | undefined;
}

/** Upstreams with a port of their own. */
function ownListeners({ scope, named }: Scene): readonly OwnListener[] {
  return scope.upstreams
    .filter((upstream) => upstream.listener !== undefined)
    .map((upstream) => {
      const service = named.get(fullName(upstream.namespace, upstream.service));
      const port = service?.entry.ports.find((candidate) => candidate.port === upstream.port);
      return { upstream, found: service === undefined || port === undefined ? undefined : { ...service, port } };
    });
}

function targetsIn({ reachable }: Scene, rules: Rules): readonly Callee[] {
  return sameList(
    targetKeys(rules)
      .map((key) => reachable.get(key))
      .filter((callee) => callee !== undefined),
  );
}

function problemsOf({ scope, named, missing, domain }: Scene): readonly TranslationProblem[] {
  const compiled = [...named.values()].flatMap(({ entry }) => {
    const definition = routedBy(entry, scope.namespace)?.definition ?? entry.route;
    if (definition === undefined) return [];
    const { kind, namespace = '', name } = definition;
    return compiledRules(entry, scope.namespace, domain).problems.map((message) => ({
      kind,
      namespace,
      name,
      message,
    }));
  });
  const absent = missing.map(({ namespace, service }) => ({
    kind: 'Service',
    namespace: scope.namespace,
    name: scope.service,
    message: `its upstream ${fullName(namespace, service)} does not exist`,
  }));
  return [...compiled, ...absent];
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted();
}

/** Sorted; the same map again when all of its resources are the same objects as before. */
function byName<Resource extends object>(
  resources: readonly Resource[],
  nameOf: (resource: Resource) => string | undefined,
): ReadonlyMap<string, Resource> {
  const named = resources.map((resource) => [nameOf(resource) ?? '', resource] as const);
  const list = sameList(named.toSorted(byKey).map(([, resource]) => resource));
  return mapOf(list, nameOf as (resource: object) => string | undefined) as ReadonlyMap<string, Resource>; // of this very list
}

const maps = new WeakMap<readonly object[], ReadonlyMap<string, object>>();

function mapOf(
  resources: readonly object[],
  nameOf: (resource: object) => string | undefined,
): ReadonlyMap<string, object> {
  let map = maps.get(resources);
  if (map === undefined) {
    map = new Map(resources.map((resource) => [nameOf(resource) ?? '', resource]));
    maps.set(resources, map);
  }
  return map;
}
