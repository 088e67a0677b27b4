/** Service: what may stand in it. */
import { z } from 'zod';
import { durationField, nameField, type Protocol, portField, protocolField, versionField } from './fields.js';

const portSchema = z.strictObject({
  name: nameField.describe('Name of the port, part of `PORT_NAME` in the environment of the app'),
  port: portField.describe('Number that callers name'),
  protocol: protocolField.describe('What is spoken there'),
});
export type ServicePort = z.output<typeof portSchema>;

const addressField = z.string().regex(/^\S+:\d{1,5}$/, 'an address is host:port');

/** What the service calls, by one of the three address modes: `service`, `address` or `domain` decides. */
const upstreamSchema = z
  .strictObject({
    name: nameField
      .optional()
      .describe('Name in the environment of the app: `NAME_ADDR`, `NAME_URL`. Default: that of the service or domain'),
    service: z
      .string()
      .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)?$/, 'a service is NAME or NAME.NAMESPACE')
      .optional()
      .describe('Mode 1, through the sidecar: `reviews`, or `reviews.shop` in another namespace'),
    port: portField.optional().describe('Mode 1: which port of that service. Default: its first'),
    proxyPort: z
      .union([z.literal('auto'), portField])
      .optional()
      .describe('Mode 1 with a listener of its own on 127.0.0.1, for clients that cannot set a host'),
    address: z
      .union([addressField, z.array(addressField).min(1)])
      .optional()
      .describe('Mode 2, direct: one `host:port`, or a list of them'),
    protocol: protocolField
      .optional()
      .describe('Mode 2: what is spoken there, default http. The other modes know it from the service'),
    domain: z
      .string()
      .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)?$/, 'a domain is NAME or NAME.NAMESPACE')
      .optional()
      .describe("Mode 3, without a proxy: a service that the client resolves through etcd's gRPC naming"),
  })
  .refine(
    (u) => [u.service, u.address, u.domain].filter((v) => v !== undefined).length === 1,
    'one of service (through the proxy), address (direct) or domain (etcd naming)',
  )
  .refine((u) => u.service !== undefined || (u.proxyPort === undefined && u.port === undefined), {
    message: 'proxyPort and port belong to an upstream with service',
  })
  .refine((u) => u.protocol === undefined || u.address !== undefined, {
    message: 'protocol belongs to an upstream with address',
    path: ['protocol'],
  })
  .refine((u) => u.name !== undefined || u.address === undefined, 'an upstream with address needs a name');
export type Upstream = z.output<typeof upstreamSchema>;

export const healthSchema = z
  .strictObject({
    http: z.string().startsWith('/', 'a path begins with /').optional().describe('A path that answers 200 to 399'),
    grpc: z
      .string()
      .optional()
      .describe('A service name that grpc.health.v1 is asked for; the empty one is the whole server'),
    tcp: z
      .literal(true)
      .optional()
      .describe('A connection is enough. The kernel answers for a process that hangs: prefer another check'),
    command: z
      .array(z.string().min(1))
      .min(1)
      .max(64)
      .optional()
      .describe("A command that is run in the app's container; exit code 0 means well"),
    interval: durationField.default('2s').describe('From the beginning of one check to that of the next'),
    timeout: durationField.default('1s').describe('A check that takes longer has failed'),
    rise: z.int().min(1).max(100).default(1).describe('Successes in a row that make an instance healthy'),
    fall: z.int().min(1).max(100).default(3).describe('Failures in a row that make it unhealthy'),
  })
  .refine(
    (h) => [h.http, h.grpc, h.tcp, h.command].filter((v) => v !== undefined).length === 1,
    'one of http (a path), grpc (a service name), tcp: true or command (its words)',
  );
export type Health = z.output<typeof healthSchema>;

export const serviceSchema = z
  .strictObject({
    protocol: protocolField.optional().describe('With `port`: what is spoken there, default http'),
    port: portField.optional().describe('Short form of `ports` with a single one, named after its protocol'),
    ports: z.array(portSchema).min(1).optional().describe('The ports that callers name'),
    stable: versionField.optional().describe('The version that plain traffic gets. Without it, all versions do'),
    health: healthSchema
      .optional()
      .describe('How the agent asks whether an instance is well. Default: a TCP connection every 2s'),
    upstreams: z
      .array(upstreamSchema)
      .default([])
      .describe('What it calls, each by one of three address modes: service, address or domain'),
    httpProxy: z
      .boolean()
      .default(false)
      .describe('Set http_proxy for the app, with a no_proxy that covers loopback, etcd and direct upstreams'),
    gateway: z
      .boolean()
      .default(false)
      .describe(
        'It is an Envoy without an app, which serves what Gateways say on the ports of the service, as they are',
      ),
    certificates: z
      .string()
      .regex(/^\/[^:]*[^:/]$/, 'a folder is an absolute path, without a slash at its end')
      .optional()
      .describe('A folder of the node with certificates and keys: its sidecars may read it, at the same path'),
    replace: z
      .enum(['start-first', 'stop-first'])
      .optional()
      .describe(
        'A changed instance starts beside the old one, or (for fixed ports) after it has stopped. Default: start-first; of a gateway, whose ports are fixed, stop-first',
      ),
    owner: z.string().optional().describe('Who answers for it'),
  })
  .refine((s) => (s.ports === undefined) !== (s.port === undefined), {
    message: 'either ports, or port with protocol',
    path: ['port'],
  })
  .refine((s) => s.ports === undefined || s.protocol === undefined, {
    message: 'protocol belongs to the short form; ports have their own',
    path: ['protocol'],
  })
  .refine((s) => !s.gateway || (s.upstreams.length === 0 && !s.httpProxy && s.health === undefined), {
    message:
      'a gateway has no app: no upstreams (Gateways and VirtualServices say what it reaches), httpProxy or health',
    path: ['gateway'],
  })
  .refine((s) => !s.gateway || s.replace !== 'start-first', {
    message: 'the ports of a gateway are fixed: its successor can start when it has stopped',
    path: ['replace'],
  });
export type ServiceSpec = z.output<typeof serviceSchema>;

export function replaceOf({ gateway, replace }: ServiceSpec): 'start-first' | 'stop-first' {
  return replace ?? (gateway ? 'stop-first' : 'start-first');
}

/** The ports that callers name, the short form spelled out. */
export function servicePorts(spec: ServiceSpec): readonly ServicePort[] {
  if (spec.ports !== undefined) return spec.ports;
  const protocol: Protocol = spec.protocol ?? 'http';
  return [{ name: protocol, port: spec.port as number, protocol }];
}

/** The port that a bare host means: 80 if the service has it, else its lowest (contract: names that show in Envoy). */
export function defaultPort(spec: ServiceSpec): ServicePort {
  const ports = servicePorts(spec).toSorted((a, b) => a.port - b.port);
  return ports.find((p) => p.port === 80) ?? (ports[0] as ServicePort);
}

export function upstreamName(upstream: Upstream): string {
  return upstream.name ?? (upstream.service ?? upstream.domain ?? '').replace('.', '-');
}

/** `reviews` or `reviews.shop` as seen from a namespace. */
export function splitServiceName(text: string, namespace: string): { service: string; namespace: string } {
  const [service = '', other] = text.split('.');
  return { service, namespace: other ?? namespace };
}
