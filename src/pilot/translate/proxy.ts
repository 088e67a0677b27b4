/** Who a proxy says that it is: Envoy's node, as the planner's bootstrap writes it, read strictly. */
import type { Locality } from '../../model/locality-lb.js';
import { proxyId, proxylessId } from '../../model/names.js';
import type { PlannedUpstream } from '../../model/node-plan.js';
import type { ProxyMetadata } from '../../model/proxy-metadata.js';
import { sameContent } from './remember.js';

export type ProxyUpstream = Extract<PlannedUpstream, { mode: 'proxy' }>;

/** All that translation must know of one proxy. The same object for the whole stream: translators remember by identity. */
export interface ProxyScope extends Omit<ProxyMetadata, 'revision' | 'upstreams' | 'gateway' | 'proxyless'> {
  readonly id: string;
  /** An Envoy without an app, which serves what Gateways say. */
  readonly isGateway: boolean;
  /** A gRPC client that calls by itself: it has no listeners, and reads less than an Envoy. */
  readonly isProxyless: boolean;
  readonly locality: Locality;
  /** Those that go through the proxy. */
  readonly upstreams: readonly ProxyUpstream[];
}

/** Envoy's node as far as we read it. */
export interface EnvoyNode {
  readonly id: string;
  readonly metadata: unknown;
  readonly locality: Locality;
}

export type ProxyReading =
  | { readonly kind: 'proxy'; readonly scope: ProxyScope }
  | { readonly kind: 'refused'; readonly reason: string };

/** The same object for all that are there. */
export function localityAt(region: string, zone: string, subZone = ''): Locality {
  return sameContent({ region, zone, subZone });
}

/** Never throws: what a stranger sends is data. */
export function readProxy(node: EnvoyNode): ProxyReading {
  try {
    return { kind: 'proxy', scope: scopeOf(node) };
  } catch (error) {
    if (error instanceof Misfit) return { kind: 'refused', reason: `node "${node.id}": ${error.message}` };
    throw error;
  }
}

/** Carries the first mismatch out of the reading below; it never leaves this file. */
class Misfit extends Error {}

function scopeOf(node: EnvoyNode): ProxyScope {
  const mesh = map(map(node.metadata, 'metadata')['mesh'], 'metadata.mesh');
  const field = (name: string): string => text(mesh[name], `metadata.mesh.${name}`);
  const ports = map(mesh['ports'], 'metadata.mesh.ports');
  const scope: ProxyScope = {
    id: node.id,
    isGateway: mesh['gateway'] === true,
    isProxyless: mesh['proxyless'] === true,
    namespace: field('namespace'),
    service: field('service'),
    version: field('version'),
    instance: field('instance'),
    node: field('node'),
    cluster: field('cluster'),
    address: field('address'),
    ...(mesh['certificates'] === undefined ? {} : { certificates: field('certificates') }),
    locality: localityAt(node.locality.region, node.locality.zone, node.locality.subZone),
    labels: mesh['labels'] === undefined ? {} : texts(mesh['labels'], 'metadata.mesh.labels'),
    ports: {
      app: portMap(ports['app'], 'metadata.mesh.ports.app'),
      inbound: portMap(ports['inbound'], 'metadata.mesh.ports.inbound'),
      proxy: port(ports['proxy'], 'metadata.mesh.ports.proxy'),
      metrics: port(ports['metrics'], 'metadata.mesh.ports.metrics'),
      upstreams: portMap(ports['upstreams'] ?? {}, 'metadata.mesh.ports.upstreams'),
    },
    servicePorts: list(mesh['servicePorts'], 'metadata.mesh.servicePorts').map(servicePort),
    upstreams: list(mesh['upstreams'], 'metadata.mesh.upstreams').flatMap(upstream),
  };
  const idOf = scope.isProxyless ? proxylessId : proxyId;
  const expected = idOf(scope.namespace, scope.service, scope.instance, scope.node);
  if (node.id !== expected) throw new Misfit(`the id does not agree with its metadata, which says "${expected}"`);
  return scope;
}

function servicePort(value: unknown, index: number): ProxyScope['servicePorts'][number] {
  const path = `metadata.mesh.servicePorts[${index}]`;
  const entry = map(value, path);
  return {
    name: text(entry['name'], `${path}.name`),
    port: port(entry['port'], `${path}.port`),
    protocol: protocol(entry['protocol'], `${path}.protocol`),
  };
}

function upstream(value: unknown, index: number): ProxyUpstream[] {
  const path = `metadata.mesh.upstreams[${index}]`;
  const entry = map(value, path);
  // Upstreams that are called directly or by etcd naming never meet the proxy.
  if (entry['mode'] !== 'proxy') return [];
  return [
    {
      mode: 'proxy',
      name: text(entry['name'], `${path}.name`),
      namespace: text(entry['namespace'], `${path}.namespace`),
      service: text(entry['service'], `${path}.service`),
      port: port(entry['port'], `${path}.port`),
      protocol: protocol(entry['protocol'], `${path}.protocol`),
      listener: entry['listener'] == null ? undefined : port(entry['listener'], `${path}.listener`),
    },
  ];
}

const protocols = ['http', 'http2', 'grpc', 'tcp'] as const;

function protocol(value: unknown, path: string): (typeof protocols)[number] {
  const found = protocols.find((known) => known === value);
  if (found === undefined) throw new Misfit(`${path} must be one of ${protocols.join(', ')}, found ${show(value)}`);
  return found;
}

function map(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Misfit(`${path} must be a map, found ${show(value)}`);
  return value as Readonly<Record<string, unknown>>; // narrowed just above
}

function list(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Misfit(`${path} must be a list, found ${show(value)}`);
  return value as readonly unknown[]; // narrowed just above
}

function text(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw new Misfit(`${path} must be a text, found ${show(value)}`);
  return value;
}

function texts(value: unknown, path: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map(value, path)).map(([key, entry]) => [key, text(entry, `${path}.${key}`)]),
  );
}

const MAX_PORT = 65535;

function port(value: unknown, path: string): number {
  // A google.protobuf.Struct has no integers: a port arrives as a double.
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MAX_PORT)
    throw new Misfit(`${path} must be a port, found ${show(value)}`);
  return value;
}

function portMap(value: unknown, path: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(map(value, path)).map(([key, entry]) => [key, port(entry, `${path}.${key}`)]),
  );
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'object' ? 'something else' : JSON.stringify(value);
}
