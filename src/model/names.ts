/** Every name that is derived from other names is made here, and nowhere else. */

export const NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
export const VERSION_PATTERN = /^[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?$/;
export const DEFAULT_NAMESPACE = 'default';
/** Stands in keys and proxy ids where an object has no namespace. */
export const NO_NAMESPACE = '-';

/** `default/reviews`: how a namespaced thing is called inside, and in messages. */
export function fullName(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** `reviews.default.svc.cluster.local`, as Istio on Kubernetes names a service. */
export function serviceHost(namespace: string, service: string, domain: string): string {
  return `${service}.${namespace}.svc.${domain}`;
}

/** Envoy cluster of a service as Istio names it; an empty subset is plain traffic. */
export function outboundClusterName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

export function inboundClusterName(port: number): string {
  return `inbound|${port}||`;
}

/**
 * Statistics name of an Envoy cluster: `<namespace>;<service>;<version>`. A dot would split the Prometheus metric name,
 * so dots of a host or a version become `_`. Plain traffic has an empty version.
 */
export function clusterStatName(namespace: string, service: string, version: string): string {
  return `${namespace};${service.replaceAll('.', '_')};${version.replaceAll('.', '_')}`;
}

/** Envoy's node id. */
export function proxyId(namespace: string, service: string, instance: string, node: string): string {
  return `${namespace}/${service}/${instance}@${node}`;
}

/** Of a gRPC client that calls as an instance by itself: the instance may have a sidecar beside it. */
export function proxylessId(namespace: string, service: string, instance: string, node: string): string {
  return `${proxyId(namespace, service, instance, node)}${PROXYLESS}`;
}

const PROXYLESS = '+grpc';

export function isProxylessId(id: string): boolean {
  return id.endsWith(PROXYLESS);
}

/** `<ns>/<service>` of a proxy id. */
export function serviceOfProxy(id: string): string {
  return id.slice(0, id.lastIndexOf('/'));
}

/** Of a proxy id that is well formed. Both parts are fit to be the name of a folder. */
export function proxyParts(id: string): { readonly instance: string; readonly node: string } | undefined {
  const [, instance, node] = /^[^/]+\/[^/]+\/([a-z0-9][a-z0-9.-]*)@([a-z0-9][a-z0-9-]*)$/.exec(id) ?? [];
  return instance === undefined || node === undefined ? undefined : { instance, node };
}

/** Prefix of an upstream's environment variables: upper case, `-` to `_`. */
export function environmentName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

export function composeProject(node: string): string {
  return `mesh-${node}`;
}

/** The compose service of an instance's sidecar; the app's is the instance id itself. */
export function sidecarName(instance: string): string {
  return `${instance}-sidecar`;
}

/** The target after `etcd:///` under which plain gRPC clients find the stable version. */
export function namingTarget(namespace: string, service: string): string {
  return namespace === DEFAULT_NAMESPACE ? `services/${service}` : `services.${namespace}/${service}`;
}

/** The target after `etcd:///` for one version. */
export function versionNamingTarget(namespace: string, service: string, version: string): string {
  const root = namespace === DEFAULT_NAMESPACE ? 'versions' : `versions.${namespace}`;
  return `${root}/${service}/${version}`;
}

/** Is it this machine's loopback? Nodes with such addresses are one machine (contract: `mesh up`). */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address === 'localhost';
}
