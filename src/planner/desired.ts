/** What an instance of a version must be on a node, before it has a name and ports of its own. */
import { proxySettings } from '../dsl/proxy-config.js';
import type { Definition, DefinitionView } from '../model/definition.js';
import { labelsOfVersion } from '../model/labels.js';
import type { MeshSpec } from '../model/mesh.js';
import { namingTarget } from '../model/names.js';
import type { NodePlace, PlannedInstance, PlannedUpstream } from '../model/node-plan.js';
import { serviceKind } from '../model/service.js';
import {
  healthSchema,
  replaceOf,
  type ServicePort,
  type ServiceSpec,
  servicePorts,
  splitServiceName,
  type Upstream,
  upstreamName,
} from '../model/service-shape.js';
import type { VersionSpec } from '../model/version.js';
import { digestOf } from './digest.js';

/**
 * Part of every digest. Raise it when what render makes of the same plan changes in a way that running containers must
 * follow: all instances are then replaced by new ones, one deploy later.
 */
const RENDER_FORMAT = 1;

type ProxyUpstream = Extract<PlannedUpstream, { mode: 'proxy' }>;
/** A listener of its own: with a port from the range, with that port, or none. */
export type ListenerWish = 'auto' | number | undefined;
export type DesiredUpstream =
  | (Omit<ProxyUpstream, 'listener'> & { readonly listener: ListenerWish })
  | Exclude<PlannedUpstream, ProxyUpstream>;

export type Desired = Omit<PlannedInstance, 'instance' | 'revision' | 'ports' | 'upstreams'> & {
  readonly upstreams: readonly DesiredUpstream[];
};

export function desiredInstance(
  definitions: DefinitionView,
  mesh: MeshSpec,
  place: NodePlace,
  service: Definition<ServiceSpec>,
  version: Definition<VersionSpec>,
): Desired {
  const namespace = service.namespace as string;
  const content = {
    namespace,
    service: service.name,
    version: version.spec.version,
    labels: labelsOfVersion(version),
    servicePorts: servicePorts(service.spec),
    container: version.spec.container,
    certificates: service.spec.certificates,
    health: service.spec.health ?? healthSchema.parse({ tcp: true }),
    upstreams: service.spec.upstreams.map((upstream) => desiredUpstream(definitions, namespace, upstream)),
    httpProxy: service.spec.httpProxy,
    sidecar: sidecarOf(definitions, mesh, { namespace, labels: labelsOfVersion(version) }),
  };
  // `replace` is no part of the digest: it says how to get there, not what it is.
  return { ...content, digest: digestOf([RENDER_FORMAT, place, content]), replace: replaceOf(service.spec) };
}

function sidecarOf(
  definitions: DefinitionView,
  { sidecar, rootNamespace }: MeshSpec,
  instance: Parameters<typeof proxySettings>[2],
): PlannedInstance['sidecar'] {
  const { concurrency = sidecar.concurrency, environment } = proxySettings(definitions, rootNamespace, instance);
  return { ...sidecar, concurrency, ...(Object.keys(environment).length === 0 ? {} : { environment }) };
}

/** How many ports of the range such an instance takes: app and inbound for each service port, proxy, metrics, own listeners. */
export function portNeed(service: ServiceSpec, definitions: DefinitionView, namespace: string): number {
  const listeners = service.upstreams
    .map((upstream) => desiredUpstream(definitions, namespace, upstream))
    .filter((upstream) => upstream.mode === 'proxy' && upstream.listener !== undefined);
  const own = service.gateway ? 0 : 2 * servicePorts(service).length;
  return own + 2 + listeners.length;
}

/** A gateway listens on the ports of its service themselves: they are what people type. */
export function fixedPorts(service: ServiceSpec): readonly number[] {
  return service.gateway ? servicePorts(service).map(({ port }) => port) : [];
}

export function desiredUpstream(definitions: DefinitionView, from: string, upstream: Upstream): DesiredUpstream {
  const name = upstreamName(upstream);
  if (upstream.address !== undefined) {
    const addresses = [upstream.address].flat();
    return { mode: 'direct', name, addresses, protocol: upstream.protocol ?? 'http' };
  }
  const { service, namespace } = splitServiceName(upstream.service ?? upstream.domain ?? '', from);
  const { port, protocol } = targetPort(definitions, namespace, service, upstream.port);
  if (upstream.domain !== undefined) {
    return { mode: 'naming', name, target: namingTarget(namespace, service), protocol };
  }
  // A shared proxy port needs a host in each request; plain TCP has none, so such an upstream always gets its own.
  const listener = upstream.proxyPort ?? (protocol === 'tcp' ? 'auto' : undefined);
  return { mode: 'proxy', name, namespace, service, port, protocol, listener };
}

/** The checks have seen that service and port exist; one that vanished since is called as plain HTTP. */
function targetPort(
  definitions: DefinitionView,
  namespace: string,
  service: string,
  port: number | undefined,
): Pick<ServicePort, 'port' | 'protocol'> {
  const target = definitions.get(serviceKind, namespace, service);
  const ports = target === undefined ? [] : servicePorts(target.spec);
  const wanted = port === undefined ? ports[0] : ports.find((p) => p.port === port);
  return wanted ?? { port: port ?? 80, protocol: 'http' };
}
