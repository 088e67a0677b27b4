/**
 * What an audience can reach, and the Envoy resources for that. All proxies of the audience are given the same objects, and a
 * change makes new ones only where it concerns the audience: what a change costs does not grow with the number of proxies.
 */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { sidecarKind } from '../../dsl/sidecar.js';
import type { Endpoint } from '../../model/instance.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import type {
  ClusterJson,
  ClusterLoadAssignmentJson,
  ListenerJson,
  RouteConfigurationJson,
  VirtualHostJson,
} from '../../xds/envoy-json.js';
import type { Audience } from './audience.js';
import { byName } from './by-name.js';
import { type CallerPolicy, callerPolicy } from './caller-policy.js';
import { catchAllHost, isPassthrough, passthroughCluster } from './catch-all.js';
import { missingCluster, outboundCluster, policyOf } from './clusters.js';
import { loadAssignment } from './endpoints.js';
import { type Callee, calleeOf, clusterNameOf, selectionsOf } from './envoy-clusters.js';
import { externalCluster } from './external-clusters.js';
import { discoveryOf, externalEndpoints } from './external-endpoints.js';
import { preferenceOf } from './locality.js';
import { findHost, type HostPort, indexOf, type MeshHost, type MeshIndex, routedBy } from './mesh-index.js';
import type { Rules } from './policy.js';
import { withMeshDefaults } from './policy-levels.js';
import { remember, sameList } from './remember.js';
import type { TranslationProblem } from './resources.js';
import { clusterName } from './route-action.js';
import { outboundRoutes, virtualHost, withoutRivals } from './routes.js';
import { type Caller, compiledRules, effectiveRules, rulesFor, targetHosts, targetsOf } from './rules.js';
import { factsOfHost, type HostFacts } from './service-facts.js';
import { egressOfBytes, egressOfRequests } from './sidecar-egress.js';
import { hostsInScope, isShared, type Sidecar, sidecarOf } from './sidecar-scope.js';
import { registeredAs } from './workload-groups.js';

/** A host that the audience can name, with the rules that hold for it. */
export interface Named {
  readonly entry: MeshHost;
  readonly rules: Rules;
}

export interface Outbound {
  readonly sidecar: Sidecar | undefined;
  /** Of the listeners for bytes that the Sidecar opens. */
  readonly listeners: readonly ListenerJson[];
  /** By `<ns>/<name>`, sorted. */
  readonly named: ReadonlyMap<string, Named>;
  /** Upstreams that are no services, `<ns>/<name>`. */
  readonly absent: readonly string[];
  /** All of these, and those that their rules send to, by their full name. */
  readonly reachable: ReadonlyMap<string, Callee>;
  readonly clusters: ReadonlyMap<string, ClusterJson>;
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignmentJson>;
  readonly routes: ReadonlyMap<string, RouteConfigurationJson>;
  readonly problems: readonly TranslationProblem[];
}

interface Last {
  readonly targets: readonly string[];
  readonly inputs: readonly unknown[];
  readonly outbound: Outbound;
}

const lastOf = new WeakMap<Audience, Last>();

/** The same object as before while nothing has changed that the audience can reach; asked once per snapshot, for all its proxies. */
export const outboundOf: (snapshot: MeshSnapshot, audience: Audience) => Outbound = remember(
  (snapshot: MeshSnapshot, audience: Audience): Outbound => {
    const last = lastOf.get(audience);
    const inputs = last && inputsOf(snapshot, audience, last.targets);
    if (last !== undefined && isEqual(inputs, last.inputs)) return last.outbound;
    const outbound = makeOutbound(snapshot, audience);
    // Whether they exist or not: one that does not may come to be.
    const targets = [...new Set([...outbound.named.values()].flatMap(({ rules }) => targetHosts(rules)))];
    const ofTargets = isEqual(targets, last?.targets) ? inputs : undefined;
    lastOf.set(audience, { targets, inputs: ofTargets ?? inputsOf(snapshot, audience, targets), outbound });
    return outbound;
  },
);

function isEqual(list: readonly unknown[] | undefined, other: readonly unknown[] | undefined): boolean {
  return list?.length === other?.length && (list ?? []).every((element, i) => element === other?.[i]);
}

/** All that `makeOutbound` reads: what shapes a service reaches it through its entry, whose identity stands for that. */
function inputsOf(
  snapshot: MeshSnapshot,
  { caller, callees }: Audience,
  targets: readonly string[],
): readonly unknown[] {
  const index = indexOf(snapshot.definitions);
  const sidecar = sidecarOf(snapshot.definitions.all(sidecarKind), caller, index.rootNamespace);
  const hosts = [
    ...callees.map((key) => index.services.get(key)),
    ...targets.map((host) => findHost(index, host, caller.namespace)),
    egressProxy(index, caller, sidecar),
  ];
  const visible = hostsInScope(index, caller, sidecar);
  const changing = [...hosts, ...visible].flatMap((host) =>
    host === undefined ? [] : [snapshot.releases.get(host.key), endpointsOf(snapshot, host)],
  );
  const certificates = certificatesOf(index, caller);
  return [
    index.domain,
    index.rootNamespace,
    index.trafficDefaults,
    certificates,
    sidecar,
    visible,
    ...hosts,
    ...changing,
  ];
}

function makeOutbound(snapshot: MeshSnapshot, audience: Audience): Outbound {
  const scene = sceneOf(snapshot, audience);
  const { clusters, endpoints, problems } = clustersOf(snapshot, audience, scene);
  const own = egressOfBytes(audience.caller, scene);
  return {
    ...scene,
    listeners: own.listeners,
    absent: audience.callees.filter((key) => !scene.named.has(key)),
    clusters: byName(clusters, (cluster) => cluster.name),
    endpoints: byName(endpoints, (assignment) => assignment.clusterName),
    routes: byName(routesOf(snapshot, audience, scene), (routes) => routes.name),
    problems: [...problemsOf(snapshot, audience, scene), ...problems, ...own.problems],
  };
}

type Scene = Pick<Outbound, 'sidecar' | 'named' | 'reachable'>;

function sceneOf(snapshot: MeshSnapshot, { caller, callees }: Audience): Scene {
  const index = indexOf(snapshot.definitions);
  const named = new Map<string, Named>();
  const reachable = new Map<string, Callee>();
  const reach = (entry: MeshHost): void => {
    reachable.set(entry.host, calleeOf(entry, callerPolicy(entry, caller, index.rootNamespace)));
  };
  const sidecar = sidecarOf(snapshot.definitions.all(sidecarKind), caller, index.rootNamespace);
  const services = callees.map((key) => index.services.get(key)).filter((service) => service !== undefined);
  for (const entry of new Set([...services, ...hostsInScope(index, caller, sidecar)])) {
    const rules = effectiveRules(snapshot, entry, caller);
    named.set(entry.key, { entry, rules });
    if (entry.kind !== 'routed') reach(entry);
    for (const target of targetHosts(rules)) {
      const found = findHost(index, target, caller.namespace);
      if (found !== undefined) reach(found);
    }
  }
  const proxy = egressProxy(index, caller, sidecar);
  if (proxy !== undefined) reach(proxy);
  return { sidecar, named, reachable };
}

interface Reached {
  readonly clusters: readonly ClusterJson[];
  readonly endpoints: readonly ClusterLoadAssignmentJson[];
  readonly problems: readonly TranslationProblem[];
}

function clustersOf(snapshot: MeshSnapshot, audience: Audience, scene: Scene): Reached {
  const { clusters, endpoints, problems } = reachedClusters(snapshot, audience, scene.reachable);
  const passthrough = isPassthrough(scene.sidecar?.spec.outboundTrafficPolicy) ? [passthroughCluster] : [];
  const missing = missingClusters(audience, clusters, referencedClusters(scene));
  return { clusters: [...clusters, ...missing, ...passthrough], endpoints, problems };
}

/** All Envoy clusters of these hosts, for proxies of this audience. */
export function reachedClusters(
  snapshot: MeshSnapshot,
  { caller, locality }: Audience,
  reachable: ReadonlyMap<string, Callee>,
): Reached {
  const index = indexOf(snapshot.definitions);
  const certificates = certificatesOf(index, caller);
  const reached = [...reachable.values()].map(({ entry, policy }) =>
    clustersOfHost(
      factsOfHost(snapshot, entry),
      policy,
      endpointsOf(snapshot, entry),
      index.trafficDefaults,
      certificates,
      locality,
      caller,
    ),
  );
  return {
    clusters: reached.flatMap(({ clusters }) => clusters),
    endpoints: reached.flatMap(({ endpoints }) => endpoints),
    problems: reached.flatMap(({ problems }) => problems),
  };
}

/** What one host is to an audience: most hosts are untouched by a change. */
const clustersOfHost = remember(
  (
    facts: HostFacts,
    rules: CallerPolicy,
    known: readonly Endpoint[],
    defaults: TrafficPolicy | undefined,
    certificates: string | undefined,
    locality: Audience['locality'],
    caller: Caller,
  ): Reached => {
    const { entry } = facts;
    const clusters: ClusterJson[] = [];
    const endpoints: ClusterLoadAssignmentJson[] = [];
    let isUnproved = false;
    for (const port of entry.ports) {
      for (const selection of selectionsOf(facts, rules)) {
        const policy = withNames(withMeshDefaults(policyOf(selection, port), defaults), entry);
        const isMutual = policy?.tls?.mode === 'ISTIO_MUTUAL';
        if (isMutual && certificates === undefined) {
          // Never in plain text instead.
          clusters.push(missingClusterOf(entry.identity, clusterNameOf(entry, port, selection.subset)));
          isUnproved = true;
          continue;
        }
        const cluster = outboundCluster(entry.identity, port, selection, policy, isMutual ? certificates : undefined);
        const preference = preferenceOf(policy, locality, caller.labels);
        const assignment = loadAssignment(facts, port, selection, known, preference);
        const discovery = entry.kind === 'external' ? discoveryOf(entry, policy) : 'given';
        clusters.push(externalCluster(cluster, discovery, assignment));
        if (discovery === 'given') endpoints.push(assignment);
      }
    }
    return { clusters, endpoints, problems: isUnproved ? [withoutCertificates(caller, entry.host)] : [] };
  },
);

/** Whose certificate it must be, as its ServiceEntry says, where TLS is spoken and says nothing itself. */
function withNames(policy: TrafficPolicy | undefined, entry: MeshHost): TrafficPolicy | undefined {
  const names = entry.kind === 'external' ? entry.spec.subjectAltNames : undefined;
  return names === undefined || policy === undefined ? policy : policyWithNames(policy, names);
}

const policyWithNames = remember((policy: TrafficPolicy, names: readonly string[]): TrafficPolicy => {
  const { tls } = policy;
  if (tls === undefined || tls.subjectAltNames !== undefined || tls.insecureSkipVerify) return policy;
  return { ...policy, tls: { ...tls, subjectAltNames: [...names] } };
});

/** The folder of the caller's certificates, which its sidecar may read. */
function certificatesOf({ services }: MeshIndex, { namespace, service }: Caller): string | undefined {
  return services.get(fullName(namespace, service))?.spec.certificates;
}

function withoutCertificates({ namespace, service }: Caller, host: string): TranslationProblem {
  const message = `it cannot reach ${host}, whose DestinationRule says ISTIO_MUTUAL: write certificates in the Service, a folder of the node with cert-chain.pem, key.pem and root-cert.pem`;
  return { kind: 'Service', namespace, name: service, message };
}

/** Those that rules send to and that are not there, for `owner`. */
export function missingClusters(
  owner: object,
  given: readonly ClusterJson[],
  wanted: readonly string[],
): readonly ClusterJson[] {
  const names = new Set(given.map((cluster) => cluster.name));
  return [...new Set(wanted)].filter((name) => !names.has(name)).map((name) => missingClusterOf(owner, name));
}

function endpointsOf(snapshot: MeshSnapshot, host: MeshHost): readonly Endpoint[] {
  if (host.kind === 'external') return externalEndpoints(snapshot, host);
  return registeredAs(snapshot, host.key);
}

const missingClusterOf = remember((_owner: object, name: string): ClusterJson => missingCluster(name));

/** Names of all Envoy clusters that rules send to: every one of them must exist, or Envoy refuses the routes. */
function referencedClusters({ named, reachable }: Scene): readonly string[] {
  return [...named.values()].flatMap((host) => referencedBy(host.entry, host.rules, targetsIn({ reachable }, host)));
}

const referencedBy = remember((entry: MeshHost, rules: Rules, callees: readonly Callee[]): readonly string[] => {
  const targets = new Map(callees.map((callee) => [callee.entry.host, callee]));
  return entry.ports.flatMap(({ port }) =>
    rules.flatMap(targetsOf).map((target) => clusterName(target, { targets, port })),
  );
});

function routesOf(
  snapshot: MeshSnapshot,
  { caller, callees }: Audience,
  scene: Scene,
): readonly RouteConfigurationJson[] {
  const index = indexOf(snapshot.definitions);
  const { sidecar, named, reachable } = scene;
  const hostOf = ({ entry, rules }: Named, port: HostPort): VirtualHostJson =>
    virtualHost(
      entry,
      port,
      rulesFor(rules, caller, port.port),
      targetsIn(scene, { entry, rules }),
      caller.namespace,
      index.domain,
    );
  const upstreams = new Set(callees);
  const shared = [...named.values()]
    .filter(({ entry }) => upstreams.has(entry.key) || isShared(sidecar, entry, caller))
    .flatMap((host) => host.entry.ports.map((port) => hostOf(host, port)));
  const proxy = egressProxy(index, caller, sidecar);
  const others = catchAllHost(sidecar?.spec.outboundTrafficPolicy, proxy && reachable.get(proxy.host));
  const routes = (name: string, hosts: readonly VirtualHostJson[]): RouteConfigurationJson =>
    outboundRoutes(sameList(withoutRivals(hosts)), others, name);
  const ofListeners = egressOfRequests(caller, scene, hostOf).map(({ name, hosts }) => routes(name, hosts));
  return [routes('outbound', shared), ...ofListeners];
}

function egressProxy(index: MeshIndex, caller: Caller, sidecar: Sidecar | undefined): MeshHost | undefined {
  const proxy = sidecar?.spec.outboundTrafficPolicy?.egressProxy;
  return proxy && findHost(index, index.fullHost(proxy.host, sidecar?.namespace as string), caller.namespace); // the kind is namespaced
}

/** Whom rules send to, and the host itself: connections go there when all its rules are about requests. */
export function targetsIn({ reachable }: Pick<Outbound, 'reachable'>, { entry, rules }: Named): readonly Callee[] {
  return sameList(
    [...new Set([entry.host, ...targetHosts(rules)])]
      .map((host) => reachable.get(host))
      .filter((callee) => callee !== undefined),
  );
}

function problemsOf(snapshot: MeshSnapshot, { caller }: Audience, { named }: Scene): readonly TranslationProblem[] {
  const { domain } = indexOf(snapshot.definitions);
  return [...named.values()].flatMap(({ entry }) => {
    const { problems } = compiledRules(entry, caller.namespace, domain);
    if (problems.length === 0) return [];
    const definition =
      routedBy(entry, caller.namespace)?.definition ?? (entry.kind === 'service' ? entry.route : undefined);
    if (definition === undefined) return [];
    const { kind, namespace = '', name } = definition;
    return problems.map((message) => ({ kind, namespace, name, message }));
  });
}
