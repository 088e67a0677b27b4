/** Which service of ours a host name in a rule means. */
import type { Definition, DefinitionView } from '../model/definition.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import { serviceHost } from '../model/names.js';
import { serviceKind } from '../model/service.js';
import type { ServiceSpec } from '../model/service-shape.js';

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

export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/** Does `*.default.svc.cluster.local` cover the full name of a service? */
export function wildcardCovers(pattern: string, fullHost: string): boolean {
  return fullHost.endsWith(pattern.slice(1).toLowerCase().replace(/\.$/, ''));
}

/** How closely a host of a rule names a service: 0 not at all, a full name more than any wildcard, a longer one more than a shorter. */
export function closeness(host: string, ruleNamespace: string, service: ServiceName, domain: string): number {
  const fullHost = serviceHost(service.namespace, service.service, domain);
  if (isWildcard(host)) return wildcardCovers(host, fullHost) ? host.length : 0;
  const named = serviceOfHost(host, ruleNamespace, domain);
  const isSame = named?.service === service.service && named.namespace === service.namespace;
  return isSame ? Number.MAX_SAFE_INTEGER : 0;
}

export function domainOf(view: DefinitionView): string {
  return view.get(meshKind, undefined, MESH_NAME)?.spec.domain ?? defaultMesh.domain;
}

export function rootNamespaceOf(view: DefinitionView): string {
  return view.get(meshKind, undefined, MESH_NAME)?.spec.rootNamespace ?? defaultMesh.rootNamespace;
}

export function findService(
  view: DefinitionView,
  host: string,
  namespace: string,
): Definition<ServiceSpec> | undefined {
  const name = serviceOfHost(host, namespace, domainOf(view));
  return name === undefined ? undefined : view.get(serviceKind, name.namespace, name.service);
}
