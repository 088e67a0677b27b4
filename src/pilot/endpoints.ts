/** Which addresses of a service Envoy may use, from what its instances and their registrations say. */
import type { Eviction, SeenAddress } from '../model/eviction.js';
import { hostPort, splitHostPort } from '../model/host-port.js';
import type { Endpoint, EndpointHealth, InstanceRecord } from '../model/instance.js';
import { remember } from './translate/remember.js';

/** One naming key, read. */
export interface Registration {
  /** `ip:port`. */
  readonly address: string;
  readonly version: string;
  readonly mesh: Readonly<Record<string, unknown>>;
  /** Decimal id of the lease that its key hangs on; '0' for none. */
  readonly lease: string;
}

/** What the leader has written about an instance that is missing, and the store revision at which that key came to be. */
export interface StoredEviction {
  readonly value: Eviction;
  readonly createRevision: bigint;
}

/** All that is known of the addresses of one service. */
export interface ServiceSources {
  /** By instance id. */
  readonly records: ReadonlyMap<string, InstanceRecord>;
  /** By naming key. */
  readonly registrations: ReadonlyMap<string, Registration>;
  /** Addresses that have registered themselves, by `ip:port`: what is left of one whose key has gone. */
  readonly seen: ReadonlyMap<string, SeenAddress>;
  /** By instance id, or by `ip:port` for what registers itself. */
  readonly evictions: ReadonlyMap<string, StoredEviction>;
}

export const noSources: ServiceSources = {
  records: new Map(),
  registrations: new Map(),
  seen: new Map(),
  evictions: new Map(),
};

/** Who is in the registry: of those with a record, and of those who register themselves. */
export interface Presence {
  /** Not stopped, by instance id. */
  readonly managed: ReadonlyMap<string, { readonly record: InstanceRecord; readonly isRegistered: boolean }>;
  /** By address. An instance that registers itself besides its agent is the same address, and not here. */
  readonly selfRegistered: ReadonlyMap<string, Registration>;
  /** Addresses that were seen to register themselves, and are missing. */
  readonly missing: ReadonlyMap<string, SeenAddress>;
}

/** Made once per state of a service: its endpoints and the guard both stand on it. */
export const presenceOf = remember((sources: ServiceSources): Presence => {
  const registrations = [...sources.registrations.values()];
  const addresses = new Set(registrations.map((registration) => registration.address));
  const instances = new Set(registrations.map((registration) => registration.mesh['instance']));
  const ownAddresses = new Set<string>();
  const managed = new Map<string, { record: InstanceRecord; isRegistered: boolean }>();
  for (const record of sources.records.values()) {
    if (record.state === 'stopped') continue;
    const own = Object.values(record.ports.inbound).map((port) => hostPort(record.address, port));
    for (const address of own) ownAddresses.add(address);
    // An instance with several ports is registered under one of them, and lives with all.
    const isRegistered = instances.has(record.instance) || own.some((address) => addresses.has(address));
    managed.set(record.instance, { record, isRegistered });
  }
  const selfRegistered = new Map<string, Registration>();
  for (const registration of registrations) {
    if (ownAddresses.has(registration.address)) continue;
    const known = selfRegistered.get(registration.address);
    // The same address may stand below `services/` and below `versions/`: the one that names the version knows more.
    if (known === undefined || known.version === '') selfRegistered.set(registration.address, registration);
  }
  const missing = [...sources.seen].filter(([address]) => !addresses.has(address) && !ownAddresses.has(address));
  return { managed, selfRegistered, missing: new Map(missing) };
});

/**
 * A record says what runs, a registration that its agent lives. Both: healthy. A healthy record without registration: its
 * agent's lease has ended, so Envoy is told that it is unhealthy instead of losing it, until it is evicted. The same holds
 * for an address that had registered itself. Whoever is registered is there, whatever was written about it before.
 */
export function endpointsOf(namespace: string, service: string, sources: ServiceSources): readonly Endpoint[] {
  const { managed, selfRegistered, missing } = presenceOf(sources);
  const endpoints: Endpoint[] = [];
  for (const { record, isRegistered } of managed.values()) {
    if (!isRegistered && sources.evictions.get(record.instance)?.value.state === 'evicted') continue;
    const health = healthOf(record, isRegistered);
    if (health === undefined) continue;
    const ports = Object.entries(record.ports.inbound);
    endpoints.push(...ports.map(([portName, port]) => managedEndpoint(record, portName, port, health)));
  }
  for (const [address, registration] of selfRegistered) {
    endpoints.push(selfEndpoint(registration, namespace, service, address, 'HEALTHY'));
  }
  for (const [address, seen] of missing) endpoints.push(selfEndpoint(seen, namespace, service, address, 'UNHEALTHY'));
  return endpoints.toSorted(byAddress);
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

/** The same object while its record is: a neighbour's change makes nothing anew, here or in what is translated from it. */
const managedEndpoint = remember(
  (record: InstanceRecord, portName: string, port: number, health: EndpointHealth): Endpoint => ({
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
  }),
);

const selfEndpoint = remember(
  (seen: SeenAddress, namespace: string, service: string, address: string, health: EndpointHealth): Endpoint => {
    const { version, mesh } = seen;
    const { host, port } = splitHostPort(address);
    return {
      namespace,
      service,
      version,
      portName: text(mesh['port']),
      address: host,
      port,
      health,
      labels: version === '' ? { app: service } : { app: service, version },
      instance: text(mesh['instance']),
      node: text(mesh['node']),
      region: text(mesh['region']),
      zone: text(mesh['zone']),
    };
  },
);

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function byAddress(a: Endpoint, b: Endpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}
