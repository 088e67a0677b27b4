/** What a host in a rule stands for: a service of ours, or one host of a ServiceEntry. */
import type { Definition, DefinitionView } from '../model/definition.js';
import type { AnyKind, Kind } from '../model/kind.js';
import { serviceKind } from '../model/service.js';
import { type ServiceSpec, servicePorts } from '../model/service-shape.js';
import { isExportedTo } from './fields.js';
import { domainOf, isWildcard, resolveHost, type ServiceName, serviceOfFullHost } from './host.js';
import { listedHosts } from './service-entry.js';
import type { ServiceEntrySpec } from './service-entry-shape.js';

export interface KnownHost {
  /** Its full name, in lower case. */
  readonly host: string;
  /** As a message calls it: `reviews`, or the host itself. */
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly number[];
  /** Absent for a host of a ServiceEntry. */
  readonly service: Definition<ServiceSpec> | undefined;
}

/** The host as a rule of `namespace` means it; undefined when nobody has it, or nobody shows it to that namespace. */
export function findKnownHost(view: DefinitionView, host: string, namespace: string): KnownHost | undefined {
  const full = fullHostIn(view, host, namespace);
  const own = serviceOfFullHost(full, domainOf(view));
  const service = own && view.get(serviceKind, own.namespace, own.service);
  if (own !== undefined && service !== undefined) {
    const ports = servicePorts(service.spec).map(({ port }) => port);
    return { host: full, name: own.service, namespace: own.namespace, ports, service };
  }
  const entries = listedHosts(view).get(full) ?? [];
  const visible = entries.filter(({ spec, namespace: owner = '' }) => isVisible(spec, owner, namespace));
  const entry = visible.find((candidate) => candidate.namespace === namespace) ?? visible[0];
  if (entry === undefined) return undefined;
  const ports = entry.spec.ports.map(({ number }) => number);
  return { host: full, name: full, namespace: entry.namespace as string, ports, service: undefined }; // the kind is namespaced
}

export function fullHostIn(view: DefinitionView, host: string, namespace: string): string {
  return fullHostsIn(view)(host, namespace);
}

/** For whoever asks for many. */
export function fullHostsIn(view: DefinitionView): (host: string, namespace: string) => string {
  const domain = domainOf(view);
  const listed = listedHosts(view);
  const registry = {
    isService: ({ namespace, service }: ServiceName) => view.get(serviceKind, namespace, service) !== undefined,
    isListed: (host: string) => listed.has(host),
  };
  return (host, namespace) => resolveHost(host, namespace, domain, registry);
}

/** Does a namespace see the hosts of a ServiceEntry? */
export function isVisible({ exportTo }: ServiceEntrySpec, owner: string, namespace: string): boolean {
  return !(exportTo ?? []).includes('~') && isExportedTo(exportTo, owner, namespace);
}

/** Names that a rule of `namespace` could have meant, for a hint. */
export function hostNames(view: DefinitionView, namespace: string): readonly string[] {
  return [...view.names('Service', namespace), ...listedHosts(view).keys()];
}

/** Definitions of one kind by the hosts that they name. */
export interface Naming<Spec> {
  /** By full host. */
  readonly exact: ReadonlyMap<string, readonly Definition<Spec>[]>;
  readonly wildcards: readonly { readonly host: string; readonly definition: Definition<Spec> }[];
}

const namings = new WeakMap<DefinitionView, Map<AnyKind, Naming<unknown>>>();

/** Made once per view: each of a thousand rules asks who else names its hosts. */
export function naming<Spec>(
  view: DefinitionView,
  kind: Kind<Spec>,
  hostsOf: (spec: Spec) => readonly string[],
): Naming<Spec> {
  const ofView = namings.get(view) ?? new Map<AnyKind, Naming<unknown>>();
  namings.set(view, ofView);
  const known = ofView.get(kind as AnyKind);
  if (known !== undefined) return known as Naming<Spec>; // made from definitions of this very kind
  const exact = new Map<string, Definition<Spec>[]>();
  const wildcards: { host: string; definition: Definition<Spec> }[] = [];
  for (const definition of view.all(kind)) {
    const named = hostsOf(definition.spec).map((host) => fullHostIn(view, host, definition.namespace as string));
    for (const host of new Set(named)) {
      if (isWildcard(host)) wildcards.push({ host, definition });
      else exact.set(host, [...(exact.get(host) ?? []), definition]);
    }
  }
  const made = { exact, wildcards };
  ofView.set(kind as AnyKind, made);
  return made;
}
