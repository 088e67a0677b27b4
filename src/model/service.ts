import { z } from 'zod';
import type { Definition, DefinitionView } from './definition.js';
import { durationField, nameField, type Protocol, portField, protocolField, versionField } from './fields.js';
import { defineKind, type Report } from './kind.js';
import { nodeKind, type PortRange, portRange } from './node.js';
import { suggestion } from './suggestion.js';
import { versionKind } from './version.js';

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
    tcp: z.literal(true).optional().describe('A connection is enough'),
    interval: durationField.default('2s').describe('From one check to the next'),
    timeout: durationField.default('1s').describe('A check that takes longer has failed'),
    rise: z.int().min(1).max(100).default(1).describe('Successes in a row that make an instance healthy'),
    fall: z.int().min(1).max(100).default(3).describe('Failures in a row that make it unhealthy'),
  })
  .refine(
    (h) => [h.http, h.grpc, h.tcp].filter((v) => v !== undefined).length === 1,
    'one of http (a path), grpc (a service name) or tcp: true',
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
    replace: z
      .enum(['start-first', 'stop-first'])
      .default('start-first')
      .describe('A changed instance starts beside the old one, or (for fixed ports) after it has stopped'),
    owner: z.string().optional().describe('Who answers for it'),
  })
  .refine((s) => (s.ports === undefined) !== (s.port === undefined), {
    message: 'either ports, or port with protocol',
    path: ['port'],
  })
  .refine((s) => s.ports === undefined || s.protocol === undefined, {
    message: 'protocol belongs to the short form; ports have their own',
    path: ['protocol'],
  });
export type ServiceSpec = z.output<typeof serviceSchema>;

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

export const serviceKind = defineKind<ServiceSpec>({
  kind: 'Service',
  plural: 'services',
  aliases: ['svc'],
  apiVersions: ['mesh/v1'],
  namespaced: true,
  summary: 'A named workload: the ports its callers name, what it calls, its health check and its stable version.',
  schema: serviceSchema,
  columns: [
    {
      header: 'PORTS',
      value: (d) =>
        servicePorts(d.spec)
          .map((p) => `${p.port}/${p.protocol}`)
          .join(','),
    },
    { header: 'STABLE', value: (d) => d.spec.stable ?? '-' },
    { header: 'UPSTREAMS', value: (d) => d.spec.upstreams.map(upstreamName).join(',') || '-' },
    { header: 'OWNER', wide: true, value: (d) => d.spec.owner ?? '-' },
  ],
  check(definition, view, report) {
    checkPorts(definition, report);
    checkFixedPorts(definition, view, report);
    checkStable(definition, view.all(versionKind), report);
    for (const [i, upstream] of definition.spec.upstreams.entries()) {
      const target = upstream.service ?? upstream.domain;
      if (target === undefined) continue;
      const path = ['spec', 'upstreams', i, upstream.service === undefined ? 'domain' : 'service'];
      checkUpstream(target, upstream, path, definition, view.all(serviceKind), report);
    }
  },
});

function checkPorts({ spec }: Definition<ServiceSpec>, report: Report): void {
  const seen = new Map<string | number, string>();
  for (const [i, { name, port }] of (spec.ports ?? []).entries()) {
    for (const [key, value] of [
      ['port', port],
      ['name', name],
    ] as const) {
      const before = seen.get(value);
      if (before !== undefined) {
        report({
          code: 'MESH1012',
          path: ['spec', 'ports', i, key],
          message: `${key} ${value} is taken by ${before}`,
          hint: 'give each port its own number and name',
        });
      }
      seen.set(value, `spec.ports[${i}]`);
    }
  }
  const names = new Set<string>();
  const fixed = new Map<number, string>();
  for (const [i, upstream] of spec.upstreams.entries()) {
    const name = upstreamName(upstream);
    if (names.has(name)) {
      report({
        code: 'MESH1009',
        path: ['spec', 'upstreams', i],
        message: `a second upstream named "${name}"`,
        hint: 'give one of them another name',
      });
    }
    names.add(name);
    if (typeof upstream.proxyPort !== 'number') continue;
    const before = fixed.get(upstream.proxyPort);
    if (before !== undefined) {
      report({
        code: 'MESH1012',
        path: ['spec', 'upstreams', i, 'proxyPort'],
        message: `proxyPort ${upstream.proxyPort} is taken by upstream "${before}"`,
        hint: 'choose another, or write auto',
      });
    }
    fixed.set(upstream.proxyPort, name);
  }
}

/** The planner gives the ports of a node's range to whom it likes, so a fixed one must lie outside. */
function checkFixedPorts({ spec }: Definition<ServiceSpec>, view: DefinitionView, report: Report): void {
  for (const [i, { proxyPort }] of spec.upstreams.entries()) {
    if (typeof proxyPort !== 'number') continue;
    const node = view.all(nodeKind).find(({ spec: node }) => isIn(portRange(node), proxyPort));
    if (node === undefined) continue;
    report({
      code: 'MESH1012',
      path: ['spec', 'upstreams', i, 'proxyPort'],
      message: `proxyPort ${proxyPort} lies in the range ${node.spec.ports} of node "${node.name}"`,
      hint: 'choose one outside, or write auto',
    });
  }
}

function isIn({ first, last }: PortRange, port: number): boolean {
  return port >= first && port <= last;
}

function checkStable(
  definition: Definition<ServiceSpec>,
  versions: readonly Definition<{ service: string; version: string }>[],
  report: Report,
): void {
  const { stable } = definition.spec;
  if (stable === undefined) return;
  const own = versions.filter((v) => v.namespace === definition.namespace && v.spec.service === definition.name);
  // A service without any Version runs outside (it registers itself): its versions are not known here.
  if (own.length === 0 || own.some((v) => v.spec.version === stable)) return;
  const names = own.map((v) => v.spec.version);
  report({
    code: 'MESH1010',
    path: ['spec', 'stable'],
    message: `version "${stable}" of ${definition.name} does not exist`,
    hint: suggestion(stable, names),
  });
}

function checkUpstream(
  target: string,
  upstream: Upstream,
  path: readonly PropertyKey[],
  definition: Definition<ServiceSpec>,
  services: readonly Definition<ServiceSpec>[],
  report: Report,
): void {
  const wanted = splitServiceName(target, definition.namespace as string);
  const found = services.find((s) => s.name === wanted.service && s.namespace === wanted.namespace);
  if (found === undefined) {
    const names = services.map((s) => (s.namespace === definition.namespace ? s.name : `${s.name}.${s.namespace}`));
    report({ code: 'MESH1010', path, message: `Service "${target}" does not exist`, hint: suggestion(target, names) });
    return;
  }
  const ports = servicePorts(found.spec).map((p) => p.port);
  if (upstream.port !== undefined && !ports.includes(upstream.port)) {
    report({
      code: 'MESH1010',
      path: [...path.slice(0, -1), 'port'],
      message: `${target} has no port ${upstream.port}`,
      hint: `its ports are ${ports.join(', ')}`,
    });
  }
}
