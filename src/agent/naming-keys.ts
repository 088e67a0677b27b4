/**
 * The naming keys of one instance: `versions/<service>/<version>/<ip:port>` always, `services/<service>/<ip:port>` while it
 * is of the version that plain traffic gets.
 *
 * A naming name stands for one address per instance, so a service with several ports is found under the lowest of them;
 * `Mesh.port` says which one that is. The other ports are reached through the proxy, which knows them all.
 */
import { hostPort } from '../model/host-port.js';
import type { NamingMeshData } from '../model/instance.js';
import { fullName, namingTarget, versionNamingTarget } from '../model/names.js';
import type { NodePlace, PlannedInstance } from '../model/node-plan.js';
import type { ServicePort } from '../model/service-shape.js';
import { encodeNamingValue } from '../store/naming.js';
import type { NamingPut } from './steps.js';

/** Which of its ports an instance is registered with and probed at: the one with the lowest number. */
export function mainPort(instance: PlannedInstance): ServicePort {
  const [lowest] = instance.servicePorts.toSorted((a, b) => a.port - b.port);
  if (lowest === undefined) throw new Error(`instance ${instance.instance} has no service port`);
  return lowest;
}

/** Which of its ports is probed: the first that speaks what the health check asks for, else the main one. */
export function probedPort(instance: PlannedInstance): ServicePort {
  const { health, servicePorts } = instance;
  const speaks = ({ protocol }: ServicePort): boolean =>
    health.http === undefined
      ? health.grpc !== undefined && protocol === 'grpc'
      : protocol === 'http' || protocol === 'http2';
  return servicePorts.find(speaks) ?? mainPort(instance);
}

export function portNumber(ports: Readonly<Record<string, number>>, name: string): number {
  const port = ports[name];
  if (port === undefined) throw new Error(`the plan gives no number for port "${name}"`);
  return port;
}

export function isPlainVersion(
  instance: Pick<PlannedInstance, 'namespace' | 'service' | 'version'>,
  stable: ReadonlyMap<string, string | undefined>,
): boolean {
  const name = fullName(instance.namespace, instance.service);
  // A service that nobody defines (any more) has no plain traffic that could be promised to anybody.
  if (!stable.has(name)) return false;
  const version = stable.get(name);
  return version === undefined || version === instance.version;
}

export function namingPuts(
  place: NodePlace,
  instance: PlannedInstance,
  stable: ReadonlyMap<string, string | undefined>,
): readonly NamingPut[] {
  const { namespace, service, version } = instance;
  const port = mainPort(instance);
  const address = hostPort(place.address, portNumber(instance.ports.inbound, port.name));
  const mesh: NamingMeshData = {
    instance: instance.instance,
    version,
    node: place.node,
    region: place.region,
    zone: place.zone,
    protocol: port.protocol,
    port: port.name,
    weight: 100,
  };
  const value = encodeNamingValue({ address, mesh });
  const targets = [versionNamingTarget(namespace, service, version)];
  if (isPlainVersion(instance, stable)) targets.unshift(namingTarget(namespace, service));
  return targets.map((target) => ({ key: `${target}/${address}`, value }));
}
