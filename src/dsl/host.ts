/** Which service of ours a host name in a rule means. */
import type { DefinitionView } from '../model/definition.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import { serviceHost } from '../model/names.js';

export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

/**
 * The service that a host can mean: `reviews` (in the namespace of the rule), `reviews.shop`, `reviews.shop.svc`,
 * `reviews.shop.svc.<domain>`. Whether there is such a service is another question.
 */
export function serviceOfHost(host: string, namespace: string, domain: string): ServiceName | undefined {
  const bare = host.toLowerCase().replace(/\.$/, '');
  const [service = '', owner = namespace, ...rest] = bare.split('.');
  const suffix = rest.join('.');
  const isOurs = suffix === '' || suffix === 'svc' || suffix === `svc.${domain}`;
  return isOurs ? { service, namespace: owner } : undefined;
}

/** As hosts are compared: lower case, without the dot of an absolute name. */
export function fullHostOf(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

/** The service of ours that a full name in the mesh's domain stands for, whether it exists or not. */
export function serviceOfFullHost(host: string, domain: string): ServiceName | undefined {
  const suffix = `.svc.${domain}`;
  if (!host.endsWith(suffix)) return undefined;
  const [service = '', namespace, ...rest] = host.slice(0, -suffix.length).split('.');
  return namespace === undefined || rest.length > 0 ? undefined : { service, namespace };
}

/**
 * The full name that a host in a definition of `namespace` means: our own services first, then hosts that ServiceEntries
 * list, and what nobody knows as Istio expands it: a single word is a service of the same namespace, anything else stands as it is.
 */
export function resolveHost(
  host: string,
  namespace: string,
  domain: string,
  registry: { isService(name: ServiceName): boolean; isListed(host: string): boolean },
): string {
  const bare = fullHostOf(host);
  if (isWildcard(bare)) return bare;
  const named = serviceOfHost(bare, namespace, domain);
  if (named === undefined) return bare;
  const full = serviceHost(named.namespace, named.service, domain);
  if (registry.isService(named)) return full;
  if (registry.isListed(bare)) return bare;
  return registry.isListed(full) || !bare.includes('.') ? full : bare;
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/** Does `*.default.svc.cluster.local` cover the full name of a service? */
export function wildcardCovers(pattern: string, fullHost: string): boolean {
  return fullHost.endsWith(pattern.slice(1).toLowerCase().replace(/\.$/, ''));
}

/** Is every name that `narrow` stands for one that `wide` stands for? */
export function isWithinHost(narrow: string, wide: string): boolean {
  const [name, pattern] = [narrow.toLowerCase(), wide.toLowerCase()];
  if (!isWildcard(pattern)) return name === pattern;
  return name.length >= pattern.length && name.endsWith(pattern.slice(1));
}

export function domainOf(view: DefinitionView): string {
  return view.get(meshKind, undefined, MESH_NAME)?.spec.domain ?? defaultMesh.domain;
}

export function rootNamespaceOf(view: DefinitionView): string {
  return view.get(meshKind, undefined, MESH_NAME)?.spec.rootNamespace ?? defaultMesh.rootNamespace;
}
