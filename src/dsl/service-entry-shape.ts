/** ServiceEntry: what may stand in it (reference: 1.3). */
import { z } from 'zod';
import { portField } from '../model/fields.js';
import { exportToField, hostField, wildcardHostField } from './fields.js';
import { isWildcard } from './host.js';
import { protocolWordField, protocolWords } from './protocol.js';
import { isIpAddress, isUnixAddress, portNameField, workloadSchema, workloadSelectorField } from './workload-shape.js';

const portSchema = z.strictObject({
  number: portField.describe('Number that callers name'),
  protocol: protocolWordField()
    .optional()
    .describe(`What is spoken there: ${protocolWords}. Left out, requests are routed and tunnels carry bytes`),
  name: portNameField.describe('Its name, which endpoints refer to'),
  targetPort: portField.optional().describe('Where endpoints listen. Default: the same number'),
});

const CIDR = /^[0-9a-fA-F.:]+\/\d{1,3}$/;

const isCidr = (address: string): boolean =>
  CIDR.test(address) && z.union([z.cidrv4(), z.cidrv6()]).safeParse(address).success;

const exportField = z.union([z.tuple([z.literal('~')]), exportToField]);

const resolutions = ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'] as const;
export type Resolution = (typeof resolutions)[number];

export const serviceEntrySchema = z
  .strictObject({
    hosts: z
      .array(wildcardHostField.refine((host) => host !== '*', 'a bare * would take every host of the mesh'))
      .min(1)
      .describe('Names that callers use; *.example.com takes all below it'),
    addresses: z
      .array(
        z.string().refine((text) => isIpAddress(text) || isCidr(text), 'an IP address, or a range such as 10.1.0.0/16'),
      )
      .default([])
      .describe('Addresses that callers may name instead of the host. A range is only noted: nobody names it'),
    ports: z
      .array(portSchema)
      .default([])
      .refine((ports) => new Set(ports.map(({ name }) => name)).size === ports.length, 'two ports have one name')
      .refine((ports) => new Set(ports.map(({ number }) => number)).size === ports.length, 'two ports have one number')
      .describe('What is served there'),
    location: z
      .enum(['MESH_EXTERNAL', 'MESH_INTERNAL'])
      .default('MESH_EXTERNAL')
      .describe('For readers: nothing is done differently for the one or the other'),
    resolution: z
      .enum(resolutions)
      .default('NONE')
      .describe(
        'Where requests go. STATIC: to the addresses of the endpoints. DNS: to all addresses that their names, or else the host, have. DNS_ROUND_ROBIN: to the first of them. NONE and DYNAMIC_DNS: to the very host that the caller names',
      ),
    endpoints: z.array(workloadSchema).optional().describe('Who serves it'),
    workloadSelector: workloadSelectorField
      .optional()
      .describe('Who serves it, instead of endpoints: WorkloadEntries, and instances of ours, of the same namespace'),
    exportTo: exportField
      .optional()
      .describe('Namespaces that see it: names, . for its own, * for all, ~ for none. Default: all'),
    subjectAltNames: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'Names, one of which its certificate has, where a DestinationRule speaks TLS to it and names none itself. Default: the host that was asked for',
      ),
  })
  .refine((entry) => entry.endpoints === undefined || entry.workloadSelector === undefined, {
    message: 'endpoints and workloadSelector exclude each other',
    path: ['endpoints'],
  })
  .superRefine((entry, context) => {
    for (const { path, message } of misfits(entry))
      context.addIssue({ code: 'custom', path: [...path], message, input: entry });
  });
export type ServiceEntrySpec = z.output<typeof serviceEntrySchema>;

interface Misfit {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What one resolution demands or excludes, with Istio's rules (`ValidateServiceEntry`). */
function misfits(entry: ServiceEntryShape): readonly Misfit[] {
  return [...resolutionMisfits(entry), ...endpointMisfits(entry)];
}

type ServiceEntryShape = {
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly z.output<typeof portSchema>[];
  readonly resolution: Resolution;
  readonly endpoints?: readonly z.output<typeof workloadSchema>[] | undefined;
};

function resolutionMisfits({ hosts, addresses, ports, resolution, endpoints = [] }: ServiceEntryShape): Misfit[] {
  const found: Misfit[] = [];
  const isByName = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
  if (resolution !== 'NONE' && resolution !== 'STATIC' && addresses.some(isCidr))
    found.push({ path: ['addresses'], message: 'ranges of addresses go with resolution NONE or STATIC only' });
  if ((resolution === 'NONE' || resolution === 'DYNAMIC_DNS') && endpoints.length > 0)
    found.push({
      path: ['endpoints'],
      message: `resolution ${resolution} has no endpoints: requests go to the host itself`,
    });
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1)
    found.push({ path: ['endpoints'], message: 'resolution DNS_ROUND_ROBIN has one endpoint at most' });
  if (isByName && endpoints.length === 0 && hosts.some((host) => !hostField.safeParse(host).success))
    found.push({
      path: ['hosts'],
      message: `resolution ${resolution} without endpoints needs hosts that DNS knows: no wildcards`,
    });
  if (resolution === 'DYNAMIC_DNS') {
    if (!hosts.every(isWildcard))
      found.push({ path: ['hosts'], message: 'resolution DYNAMIC_DNS is for hosts like *.example.com' });
    if (addresses.length > 0) found.push({ path: ['addresses'], message: 'resolution DYNAMIC_DNS has no addresses' });
    if (ports.some(({ protocol = '' }) => !/^(HTTP|TLS|GRPC|HTTP2)$/i.test(protocol)))
      found.push({ path: ['ports'], message: 'resolution DYNAMIC_DNS is for HTTP, HTTP2, GRPC and TLS' });
  }
  return found;
}

function endpointMisfits({ ports, resolution, endpoints = [] }: ServiceEntryShape): Misfit[] {
  const names = new Set(ports.map(({ name }) => name));
  return endpoints.flatMap((endpoint, i) => {
    const path = ['endpoints', i, 'address'];
    const unknown = Object.keys(endpoint.ports)
      .filter((name) => !names.has(name))
      .map((name) => ({ path: ['endpoints', i, 'ports', name], message: `there is no port "${name}"` }));
    if (isUnixAddress(endpoint.address)) {
      if (resolution !== 'STATIC') return [...unknown, { path, message: 'a unix socket goes with resolution STATIC' }];
      return ports.length === 1 ? unknown : [...unknown, { path, message: 'a unix socket serves exactly one port' }];
    }
    const isName = resolution === 'STATIC' && !isIpAddress(endpoint.address);
    return isName ? [...unknown, { path, message: 'resolution STATIC needs IP addresses' }] : unknown;
  });
}
