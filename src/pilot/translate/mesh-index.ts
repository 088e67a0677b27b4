/** Definitions by the service that they shape. Built once per change of the definitions; what did not change stays the same object. */

import { destinationRuleKind } from '../../dsl/destination-rule.js';
import type { DestinationRuleSpec } from '../../dsl/destination-rule-shape.js';
import { isExportedTo } from '../../dsl/fields.js';
import { isWildcard, serviceOfHost, wildcardCovers } from '../../dsl/host.js';
import { precedes, virtualServiceKind } from '../../dsl/virtual-service.js';
import type { VirtualServiceSpec } from '../../dsl/virtual-service-shape.js';
import type { Definition, DefinitionView } from '../../model/definition.js';
import { defaultMesh, MESH_NAME, meshKind } from '../../model/mesh.js';
import { fullName, serviceHost } from '../../model/names.js';
import { type RouteSpec, routeKind } from '../../model/route.js';
import { serviceKind } from '../../model/service.js';
import { defaultPort, type ServicePort, type ServiceSpec, servicePorts } from '../../model/service-shape.js';
import { type VersionSpec, versionKind } from '../../model/version.js';
import { remember, sameList } from './remember.js';

/** Who a host is. The same object whatever routes and versions it has. */
export interface HostIdentity {
  readonly namespace: string;
  readonly name: string;
  /** `<ns>/<name>` */
  readonly key: string;
  /** `<name>.<ns>.svc.<domain>` */
  readonly host: string;
}

/** What a name stands for that a request can be sent to. */
export interface MeshHost extends HostIdentity {
  readonly identity: HostIdentity;
  readonly spec: ServiceSpec;
  readonly ports: readonly ServicePort[];
  readonly defaultPort: ServicePort;
  /** Sorted by version. */
  readonly versions: readonly Definition<VersionSpec>[];
  readonly route: Definition<RouteSpec> | undefined;
  /** All that name the service; of those that a caller sees, the first wins. */
  readonly virtualServices: readonly RoutedBy[];
  /** All that name the service, sorted. */
  readonly destinationRules: readonly Definition<DestinationRuleSpec>[];
}

/** A VirtualService, and those that it delegates to as far as they exist, in the order in which it names them. */
export interface RoutedBy {
  readonly definition: Definition<VirtualServiceSpec>;
  readonly delegates: readonly Definition<VirtualServiceSpec>[];
}

/** The VirtualService that holds for the callers of one namespace. */
export function routedBy({ virtualServices }: MeshHost, callerNamespace: string): RoutedBy | undefined {
  return virtualServices.find(({ definition: { spec, namespace = '' } }) =>
    isExportedTo(spec.exportTo, namespace, callerNamespace),
  );
}

export interface MeshIndex {
  readonly domain: string;
  readonly rootNamespace: string;
  /** By `<ns>/<name>`. */
  readonly services: ReadonlyMap<string, MeshHost>;
}

/** What a host in a rule means for the callers of one namespace. `host` is a full name in lower case. */
export function findHost(
  { services, domain }: MeshIndex,
  host: string,
  _callerNamespace: string,
): MeshHost | undefined {
  const own = serviceOfFullHost(host, domain);
  return own === undefined ? undefined : services.get(own);
}

/** The `<ns>/<name>` that a full name of the mesh's domain stands for. */
function serviceOfFullHost(host: string, domain: string): string | undefined {
  const suffix = `.svc.${domain}`;
  if (!host.endsWith(suffix)) return undefined;
  const [name = '', namespace, ...rest] = host.slice(0, -suffix.length).split('.');
  return namespace === undefined || rest.length > 0 ? undefined : fullName(namespace, name);
}

export const indexOf: (definitions: DefinitionView) => MeshIndex = remember((definitions: DefinitionView) => {
  const { domain, rootNamespace } = definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
  const versions = groupBy(definitions.all(versionKind), (v) => fullName(v.namespace as string, v.spec.service));
  const routes = groupBy(definitions.all(routeKind), (r) => fullName(r.namespace as string, r.spec.service));
  const virtualServices = namers(definitions.all(virtualServiceKind), (spec) => spec.hosts, domain);
  const destinationRules = namers(definitions.all(destinationRuleKind), (spec) => [spec.host], domain);
  const services = new Map<string, MeshHost>();
  for (const service of definitions.all(serviceKind)) {
    const key = fullName(service.namespace as string, service.name);
    const host = serviceHost(service.namespace as string, service.name, domain);
    const entry = entryOf(
      service,
      domain,
      sameList((versions.get(key) ?? []).toSorted((a, b) => (a.spec.version < b.spec.version ? -1 : 1))),
      routes.get(key)?.[0],
      sameList(virtualServices(key, host).map((definition) => withDelegates(definition, definitions))),
      sameList(destinationRules(key, host)),
    );
    services.set(key, entry);
  }
  return { domain, rootNamespace, services };
});

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
  ): MeshHost => ({
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

function withDelegates(definition: Definition<VirtualServiceSpec>, definitions: DefinitionView): RoutedBy {
  const delegates = definition.spec.http.flatMap(({ delegate }) => {
    if (delegate === undefined) return [];
    return definitions.get(virtualServiceKind, delegate.namespace ?? definition.namespace, delegate.name) ?? [];
  });
  return routedByOf(definition, sameList(delegates));
}

const routedByOf = remember(
  (definition: Definition<VirtualServiceSpec>, delegates: readonly Definition<VirtualServiceSpec>[]): RoutedBy => ({
    definition,
    delegates,
  }),
);

/**
 * Who names a service by a host, the closest first: a full name before any wildcard, a longer wildcard before a shorter, and then
 * by name. Exact hosts are looked up, only wildcards are tried one by one.
 */
function namers<Spec>(
  definitions: readonly Definition<Spec>[],
  hostsOf: (spec: Spec) => readonly string[],
  domain: string,
): (key: string, host: string) => readonly Definition<Spec>[] {
  const sorted = definitions.toSorted((a, b) => (precedes(a, b) ? -1 : 1));
  const hosts = sorted.flatMap((definition) => hostsOf(definition.spec).map((host) => ({ host, definition })));
  const wildcards = hosts.filter(({ host }) => isWildcard(host)).toSorted((a, b) => b.host.length - a.host.length);
  const exact = groupBy(
    hosts.filter(({ host }) => !isWildcard(host)),
    ({ host, definition }) => {
      const named = serviceOfHost(host, definition.namespace as string, domain); // both kinds are namespaced
      return named === undefined ? '' : fullName(named.namespace, named.service);
    },
  );
  return (key, fullHost) => {
    const covering = wildcards.filter(({ host }) => wildcardCovers(host, fullHost));
    return [...new Set([...(exact.get(key) ?? []), ...covering].map(({ definition }) => definition))];
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
