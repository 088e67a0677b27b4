/** Definitions by the service that they shape. Built once per change of the definitions; what did not change stays the same object. */

import { destinationRuleKind } from '../../dsl/destination-rule.js';
import type { DestinationRuleSpec } from '../../dsl/destination-rule-shape.js';
import { isExportedTo } from '../../dsl/fields.js';
import { gatewayKind } from '../../dsl/gateway.js';
import { MESH } from '../../dsl/gateway-name.js';
import type { GatewaySpec } from '../../dsl/gateway-shape.js';
import { fullHostOf, isWildcard, serviceOfFullHost, wildcardCovers } from '../../dsl/host.js';
import { fullHostsIn, isVisible } from '../../dsl/known-host.js';
import { protocolOf } from '../../dsl/protocol.js';
import { listedHosts } from '../../dsl/service-entry.js';
import type { ServiceEntrySpec } from '../../dsl/service-entry-shape.js';
import { destinationsOf, precedes, virtualServiceKind } from '../../dsl/virtual-service.js';
import { isForSidecars, type VirtualServiceSpec } from '../../dsl/virtual-service-shape.js';
import type { Definition, DefinitionView } from '../../model/definition.js';
import { defaultMesh, MESH_NAME, type MeshSpec, meshKind } from '../../model/mesh.js';
import { fullName, serviceHost } from '../../model/names.js';
import { byKey } from '../../model/order.js';
import { type RouteSpec, routeKind } from '../../model/route.js';
import { serviceKind } from '../../model/service.js';
import { defaultPort, type ServicePort, type ServiceSpec, servicePorts } from '../../model/service-shape.js';
import { type VersionSpec, versionKind } from '../../model/version.js';
import { remember, sameList } from './remember.js';

/** Who a host is. The same object whatever routes and versions it has. */
export interface HostIdentity {
  readonly namespace: string;
  readonly name: string;
  /** `<ns>/<name>` of a service of ours, `<ns>/<host>.` of any other host: the dot keeps them apart. */
  readonly key: string;
  /** Its full name in lower case: `<name>.<ns>.svc.<domain>` of a service of ours. */
  readonly host: string;
}

/** Of a host that is no service of ours. */
export function isExternalKey(key: string): boolean {
  return key.endsWith('.');
}

interface HostBase extends HostIdentity {
  readonly identity: HostIdentity;
  readonly ports: readonly HostPort[];
  /** What the bare host means. */
  readonly defaultPort: HostPort | undefined;
  /** All that name the host; of those that a caller sees, the first wins. */
  readonly virtualServices: readonly RoutedBy[];
  /** All that name the host, sorted. */
  readonly destinationRules: readonly Definition<DestinationRuleSpec>[];
}

export interface HostPort extends ServicePort {
  /** Nobody has said what is spoken there: requests are routed, and tunnels carry bytes. */
  readonly isUnknown?: boolean;
}

/** A service of ours. */
export interface ServiceHost extends HostBase {
  readonly kind: 'service';
  readonly spec: ServiceSpec;
  /** Sorted by version. */
  readonly versions: readonly Definition<VersionSpec>[];
  readonly route: Definition<RouteSpec> | undefined;
}

/** One host of a ServiceEntry. */
export interface ExternalHost extends HostBase {
  readonly kind: 'external';
  readonly spec: ServiceEntrySpec;
}

/** A host that only VirtualServices name: requests to it are routed, and nothing is sent to it itself. */
export interface RoutedHost extends HostBase {
  readonly kind: 'routed';
}

/** What a name stands for that a request can be sent to. */
export type MeshHost = ServiceHost | ExternalHost | RoutedHost;

/** A VirtualService, and those that it delegates to as far as they exist, in the order in which it names them. */
export interface RoutedBy {
  readonly definition: Definition<VirtualServiceSpec>;
  readonly delegates: readonly Definition<VirtualServiceSpec>[];
  /** What the hosts mean that their rules send to: `destinationHost` reads it. */
  readonly fullHosts: ReadonlyMap<string, string>;
}

/** The full name of a host that a rule in a definition of `namespace` sends to. */
export function destinationHost({ fullHosts }: RoutedBy, host: string, namespace: string): string {
  return fullHosts.get(spelling(namespace, host)) ?? fullHostOf(host);
}

function spelling(namespace: string, host: string): string {
  return `${namespace}/${host}`;
}

/** The VirtualService that holds for the callers of one namespace. */
export function routedBy({ virtualServices }: MeshHost, callerNamespace: string): RoutedBy | undefined {
  return virtualServices.find(
    ({ definition: { spec, namespace = '' } }) =>
      isForSidecars(spec) && isExportedTo(spec.exportTo, namespace, callerNamespace),
  );
}

export interface MeshIndex {
  readonly domain: string;
  /** What a host in a definition of a namespace means. */
  fullHost(host: string, namespace: string): string;
  readonly rootNamespace: string;
  /** The mesh's own, and those that mean the same. */
  readonly trustDomains: readonly string[];
  /** Of every destination, where nothing else is said. */
  readonly trafficDefaults: MeshSpec['defaultTrafficPolicy'];
  /** By `<ns>/<name>`. */
  readonly services: ReadonlyMap<string, ServiceHost>;
  /** Hosts of ServiceEntries by their full name, once for each namespace that has them. None is a service of ours. */
  readonly external: ReadonlyMap<string, readonly ExternalHost[]>;
  /** Hosts that VirtualServices name and nobody has. */
  readonly routed: readonly RoutedHost[];
  /** Sorted, like the next: where two say different things, the first wins. */
  readonly gateways: readonly Definition<GatewaySpec>[];
  /** Those that gateways serve. */
  readonly atGateways: readonly RoutedBy[];
}

/** What a host in a rule means for the callers of one namespace. `host` is a full name in lower case. */
export function findHost(
  index: MeshIndex,
  host: string,
  callerNamespace: string,
): ServiceHost | ExternalHost | undefined {
  return ownService(index, host) ?? externalFor(index.external.get(host), callerNamespace);
}

function ownService(
  { services, domain }: Pick<MeshIndex, 'services' | 'domain'>,
  host: string,
): ServiceHost | undefined {
  const own = serviceOfFullHost(host, domain);
  return own === undefined ? undefined : services.get(fullName(own.namespace, own.service));
}

/** A namespace's own before what others show to it. */
function externalFor(hosts: readonly ExternalHost[] = [], callerNamespace: string): ExternalHost | undefined {
  const visible = hosts.filter(({ spec, namespace }) => isVisible(spec, namespace, callerNamespace));
  return visible.find(({ namespace }) => namespace === callerNamespace) ?? visible[0];
}

/** Hosts that callers of a namespace reach without naming them as upstreams. The same list while none of them changes. */
export const visibleHosts: (index: MeshIndex, callerNamespace: string) => readonly (ExternalHost | RoutedHost)[] =
  remember((index: MeshIndex, callerNamespace: string): readonly (ExternalHost | RoutedHost)[] => {
    const external = [...index.external.values()].flatMap((hosts) => externalFor(hosts, callerNamespace) ?? []);
    const routed = index.routed.filter((host) => routedBy(host, callerNamespace) !== undefined);
    return sameList([...external, ...routed]);
  });

export const indexOf: (definitions: DefinitionView) => MeshIndex = remember((definitions: DefinitionView) => {
  const mesh = definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
  const { domain, rootNamespace, trustDomain, trustDomainAliases } = mesh;
  const full = fullHostsIn(definitions);
  const versions = groupBy(definitions.all(versionKind), (v) => fullName(v.namespace as string, v.spec.service));
  const routes = groupBy(definitions.all(routeKind), (r) => fullName(r.namespace as string, r.spec.service));
  const virtualServices = namers(definitions.all(virtualServiceKind), (spec) => spec.hosts, full);
  const destinationRules = namers(definitions.all(destinationRuleKind), (spec) => [spec.host], full);
  const shapedBy = (host: string): Shapes => [
    sameList(virtualServices.of(host).map((definition) => withDelegates(definition, definitions, full))),
    sameList(destinationRules.of(host)),
  ];
  const services = new Map<string, ServiceHost>();
  for (const service of definitions.all(serviceKind)) {
    const key = fullName(service.namespace as string, service.name);
    const entry = entryOf(
      service,
      domain,
      sameList((versions.get(key) ?? []).toSorted((a, b) => (a.spec.version < b.spec.version ? -1 : 1))),
      routes.get(key)?.[0],
      ...shapedBy(serviceHost(service.namespace as string, service.name, domain)),
    );
    services.set(key, entry);
  }
  const listed = [...listedHosts(definitions)].filter(([host]) => ownService({ services, domain }, host) === undefined);
  const external = new Map(
    listed
      .toSorted(byKey)
      .map(([host, entries]) => [host, entries.map((entry) => externalHost(entry, host, ...shapedBy(host)))]),
  );
  const known = [...[...services.values()].map(({ host }) => host), ...external.keys()];
  const isKnown = (host: string): boolean =>
    isWildcard(host)
      ? known.some((one) => wildcardCovers(host, one))
      : external.has(host) || ownService({ services, domain }, host) !== undefined;
  const routed = virtualServices.hosts
    .filter((host) => !isKnown(host))
    .map((host) => routedHost(...shapedBy(host), host));
  const gateways = sameList(definitions.all(gatewayKind).toSorted(byPrecedence));
  const atGateways = definitions
    .all(virtualServiceKind)
    .filter(({ spec }) => spec.gateways?.some((name) => name !== MESH))
    .toSorted(byPrecedence)
    .map((definition) => withDelegates(definition, definitions, full));
  return {
    domain,
    fullHost: full,
    rootNamespace,
    trustDomains: [trustDomain, ...trustDomainAliases],
    trafficDefaults: mesh.defaultTrafficPolicy,
    services,
    external,
    routed,
    gateways,
    atGateways: sameList(atGateways),
  };
});

const byPrecedence = (a: Definition, b: Definition): number => (precedes(a, b) ? -1 : 1);

type Shapes = readonly [readonly RoutedBy[], readonly Definition<DestinationRuleSpec>[]];

/** The short form of one port makes a new object each time it is asked. */
const portsOf = remember((spec: ServiceSpec) => servicePorts(spec));
const defaultPortOf = remember((spec: ServiceSpec) => {
  const { port } = defaultPort(spec);
  return portsOf(spec).find((candidate) => candidate.port === port) as ServicePort; // it is one of them
});

const identityOf = remember(
  (service: Definition<ServiceSpec>, domain: string): HostIdentity => ({
    namespace: service.namespace as string, // the kind is namespaced
    name: service.name,
    key: fullName(service.namespace as string, service.name),
    host: serviceHost(service.namespace as string, service.name, domain),
  }),
);

const entryOf = remember(
  (
    service: Definition<ServiceSpec>,
    domain: string,
    versions: readonly Definition<VersionSpec>[],
    route: Definition<RouteSpec> | undefined,
    virtualServices: readonly RoutedBy[],
    destinationRules: readonly Definition<DestinationRuleSpec>[],
  ): ServiceHost => ({
    kind: 'service',
    ...identityOf(service, domain),
    identity: identityOf(service, domain),
    spec: service.spec,
    ports: portsOf(service.spec),
    defaultPort: defaultPortOf(service.spec),
    versions,
    route,
    virtualServices,
    destinationRules,
  }),
);

const externalHost = remember(
  (
    definition: Definition<ServiceEntrySpec>,
    host: string,
    virtualServices: readonly RoutedBy[],
    destinationRules: readonly Definition<DestinationRuleSpec>[],
  ): ExternalHost => {
    const { spec } = definition;
    const ports = externalPorts(spec);
    const identity = externalIdentity(definition, host);
    return {
      kind: 'external',
      ...identity,
      identity,
      spec,
      ports,
      defaultPort:
        ports.find(({ port }) => port === 80) ?? ports.find(({ protocol }) => protocol !== 'tcp') ?? ports[0],
      virtualServices,
      destinationRules,
    };
  },
);

const externalIdentity = remember(
  ({ namespace }: Definition<ServiceEntrySpec>, host: string): HostIdentity => ({
    namespace: namespace as string, // the kind is namespaced
    name: host,
    key: `${namespace}/${host}.`,
    host,
  }),
);

const externalPorts = remember((spec: ServiceEntrySpec): readonly HostPort[] =>
  spec.ports.map(({ name, number, protocol: word }) => {
    const protocol = protocolOf(word);
    if (protocol === undefined) return { name, port: number, protocol: 'http', isUnknown: true };
    return { name, port: number, protocol };
  }),
);

const httpPort: HostPort = { name: 'http', port: 80, protocol: 'http' };

const routedHost = remember(
  (
    virtualServices: readonly RoutedBy[],
    destinationRules: readonly Definition<DestinationRuleSpec>[],
    host: string,
  ): RoutedHost => {
    const identity: HostIdentity = { namespace: '', name: host, key: `/${host}.`, host };
    return {
      kind: 'routed',
      ...identity,
      identity,
      ports: [httpPort],
      defaultPort: httpPort,
      virtualServices,
      destinationRules,
    };
  },
);

function withDelegates(
  definition: Definition<VirtualServiceSpec>,
  definitions: DefinitionView,
  full: (host: string, namespace: string) => string,
): RoutedBy {
  const delegates = definition.spec.http.flatMap(({ delegate }) => {
    if (delegate === undefined) return [];
    return definitions.get(virtualServiceKind, delegate.namespace ?? definition.namespace, delegate.name) ?? [];
  });
  const meant = destinationHosts([definition, ...delegates]).map(([host, namespace]) => full(host, namespace));
  return routedByOf(definition, sameList(delegates), meant.join(' '));
}

type Spelling = readonly [host: string, namespace: string];

/** Every host that their rules send to, as written, and where it is written. */
function destinationHosts(owners: readonly Definition<VirtualServiceSpec>[]): readonly Spelling[] {
  return owners.length === 1 && owners[0] !== undefined ? hostsWrittenIn(owners[0]) : owners.flatMap(hostsWrittenIn);
}

const hostsWrittenIn = remember(({ spec, namespace }: Definition<VirtualServiceSpec>): readonly Spelling[] => {
  const requests = spec.http.flatMap(destinationsOf).map(([{ host }]) => host);
  const connections = [...spec.tls, ...spec.tcp].flatMap(({ route }) =>
    route.map(({ destination }) => destination.host),
  );
  return [...new Set([...requests, ...connections])].map((host) => [host, namespace as string]); // the kind is namespaced
});

/** `meant` are the full names of all that `destinationHosts` lists, in its order. */
const routedByOf = remember(
  (
    definition: Definition<VirtualServiceSpec>,
    delegates: readonly Definition<VirtualServiceSpec>[],
    meant: string,
  ): RoutedBy => {
    const full = meant.split(' ');
    const spellings = destinationHosts([definition, ...delegates]);
    return {
      definition,
      delegates,
      fullHosts: new Map(spellings.map(([host, namespace], i) => [spelling(namespace, host), full[i] ?? host])),
    };
  },
);

/**
 * Who names a host, the closest first: a full name before any wildcard, a longer wildcard before a shorter, and then by name.
 * Exact hosts are looked up, only wildcards are tried one by one.
 */
function namers<Spec>(
  definitions: readonly Definition<Spec>[],
  hostsOfSpec: (spec: Spec) => readonly string[],
  full: (host: string, namespace: string) => string,
): { of(host: string): readonly Definition<Spec>[]; readonly hosts: readonly string[] } {
  const sorted = definitions.toSorted(byPrecedence);
  const named = sorted.flatMap((definition) => {
    const namespace = definition.namespace as string; // both kinds are namespaced
    return hostsOfSpec(definition.spec).map((host) => ({ host: full(host, namespace), definition }));
  });
  const wildcards = named.filter(({ host }) => isWildcard(host)).toSorted((a, b) => b.host.length - a.host.length);
  const exact = groupBy(
    named.filter(({ host }) => !isWildcard(host)),
    ({ host }) => host,
  );
  return {
    of(host) {
      const covering = wildcards.filter((one) => wildcardCovers(one.host, host));
      return [...new Set([...(exact.get(host) ?? []), ...covering].map(({ definition }) => definition))];
    },
    hosts: [...new Set(named.map(({ host }) => host))].toSorted(),
  };
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
