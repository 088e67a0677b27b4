/** Which addresses of a service Envoy may use, from what its instances and their registrations say. */
import { hostPort, splitHostPort } from '../model/host-port.js';
import type { Endpoint, EndpointHealth, InstanceRecord } from '../model/instance.js';

/** One naming key, read. */
export interface Registration {
  /** `ip:port`. */
  readonly address: string;
  readonly version: string;
  readonly mesh: Readonly<Record<string, unknown>>;
}

/** All that is known of the addresses of one service. */
export interface ServiceSources {
  /** By instance id. */
  readonly records: ReadonlyMap<string, InstanceRecord>;
  /** By naming key. */
  readonly registrations: ReadonlyMap<string, Registration>;
}

export const noSources: ServiceSources = { records: new Map(), registrations: new Map() };

/**
 * A record says what runs, a registration that its agent lives. Both: healthy. A healthy record without registration: its
 * agent's lease has ended, so Envoy is told that it is unhealthy instead of losing it. A registration without record has
 * registered itself. An instance that registers itself besides its agent is the same address, and counted once.
 */
export function endpointsOf(namespace: string, service: string, sources: ServiceSources): readonly Endpoint[] {
  const registrations = [...sources.registrations.values()];
  const addresses = new Set(registrations.map((registration) => registration.address));
  const instances = new Set(registrations.map((registration) => registration.mesh['instance']));
  const managed = new Set<string>();
  const endpoints: Endpoint[] = [];
  for (const record of sources.records.values()) {
    if (record.state === 'stopped') continue;
    const ports = Object.entries(record.ports.inbound);
    const own = ports.map(([, port]) => hostPort(record.address, port));
    for (const address of own) managed.add(address);
    // An instance with several ports is registered under one of them, and lives with all.
    const isRegistered = instances.has(record.instance) || own.some((address) => addresses.has(address));
    const health = healthOf(record, isRegistered);
    if (health === undefined) continue;
    endpoints.push(...ports.map(([portName, port]) => managedEndpoint(record, portName, port, health)));
  }
  const selfRegistrations = new Map<string, Endpoint>();
  for (const registration of registrations) {
    if (managed.has(registration.address)) continue;
    const known = selfRegistrations.get(registration.address);
    // The same address may stand below `services/` and below `versions/`: the one that names the version knows more.
    if (known === undefined || known.version === '') {
      selfRegistrations.set(registration.address, selfRegistered(namespace, service, registration));
    }
  }
  return [...endpoints, ...selfRegistrations.values()].toSorted(byAddress);
}

function healthOf(record: InstanceRecord, isRegistered: boolean): EndpointHealth | undefined {
  switch (record.state) {
    case 'healthy':
      return isRegistered ? 'HEALTHY' : 'UNHEALTHY';
    case 'unhealthy':
      return 'UNHEALTHY';
    case 'draining':
      return 'DRAINING';
    case 'starting':
    case 'stopped':
      return undefined;
  }
}

function managedEndpoint(record: InstanceRecord, portName: string, port: number, health: EndpointHealth): Endpoint {
  return {
    namespace: record.namespace,
    service: record.service,
    version: record.version,
    portName,
    address: record.address,
    port,
    health,
    labels: { ...record.labels, app: record.service, version: record.version },
    instance: record.instance,
    node: record.node,
    region: record.region,
    zone: record.zone,
  };
}

function selfRegistered(namespace: string, service: string, { address, version, mesh }: Registration): Endpoint {
  const { host, port } = splitHostPort(address);
  return {
    namespace,
    service,
    version,
    portName: text(mesh['port']),
    address: host,
    port,
    health: 'HEALTHY',
    labels: version === '' ? { app: service } : { app: service, version },
    instance: text(mesh['instance']),
    node: text(mesh['node']),
    region: text(mesh['region']),
    zone: text(mesh['zone']),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function byAddress(a: Endpoint, b: Endpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}
