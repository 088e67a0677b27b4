/** EnvoyFilter: what may stand in it (reference: 1.8). Whether a value is a message of Envoy is asked where Envoy's types are known. */
import { z } from 'zod';
import { portField } from '../model/fields.js';
import { notYet, refusedValue } from './not-yet.js';
import { workloadSelectorField } from './workload-shape.js';

export const ENVOY_FILTER_HTTP = 'envoy.filters.network.http_connection_manager';

const NO_WAYPOINTS = 'there are no waypoints: every instance has a sidecar';
const BY_NUMBER = 'write portNumber';

const operations = [
  'MERGE',
  'MERGE_AND_REPLACE_LIST',
  'ADD',
  'REMOVE',
  'INSERT_BEFORE',
  'INSERT_AFTER',
  'INSERT_FIRST',
  'REPLACE',
] as const;
export type PatchOperation = (typeof operations)[number];

const merges = ['MERGE', 'MERGE_AND_REPLACE_LIST'] as const;
const changes = ['ADD', 'REMOVE', ...merges] as const;

/** What can be patched, and how. */
const targets = {
  LISTENER: changes,
  FILTER_CHAIN: changes,
  LISTENER_FILTER: operations,
  NETWORK_FILTER: operations,
  HTTP_FILTER: operations,
  ROUTE_CONFIGURATION: merges,
  VIRTUAL_HOST: [...changes, 'REPLACE'],
  HTTP_ROUTE: [...changes, 'INSERT_BEFORE', 'INSERT_AFTER', 'INSERT_FIRST'],
  CLUSTER: changes,
  EXTENSION_CONFIG: ['ADD'],
} as const satisfies Readonly<Record<string, readonly PatchOperation[]>>;
export type PatchTarget = keyof typeof targets;
const targetNames = Object.keys(targets) as PatchTarget[]; // its own keys

const inListeners: readonly string[] = ['LISTENER', 'FILTER_CHAIN', 'LISTENER_FILTER', 'NETWORK_FILTER', 'HTTP_FILTER'];
const inRoutes: readonly string[] = ['ROUTE_CONFIGURATION', 'VIRTUAL_HOST', 'HTTP_ROUTE'];

/** What an Envoy says of itself, `mesh proxy config bootstrap` shows it. */
export const proxyFacts = ['namespace', 'service', 'version', 'instance', 'node', 'cluster'] as const;

const subFilterSchema = z.strictObject({
  name: z.string().min(1).describe('Its name, such as envoy.filters.http.router'),
});

const filterSchema = z.strictObject({
  name: z.string().min(1).describe(`Its name, such as ${ENVOY_FILTER_HTTP}`),
  subFilter: subFilterSchema.optional().describe('An HTTP filter in it'),
});

const listenerSchema = z.strictObject({
  portNumber: portField
    .optional()
    .describe('Port of the service that the listener stands for, or the one that it is bound to'),
  portName: notYet(BY_NUMBER),
  name: z.string().min(1).optional().describe('Of the listener, as `mesh proxy config listeners` shows it'),
  listenerFilter: z.string().min(1).optional().describe('Name of a listener filter'),
  filterChain: z
    .strictObject({
      name: z.string().min(1).optional().describe('Its name'),
      sni: z.string().min(1).optional().describe('A server name that it takes'),
      transportProtocol: z.string().min(1).optional().describe('What it asks for: tls or raw_buffer'),
      applicationProtocols: z.string().min(1).optional().describe('ALPN names that it takes, separated by commas'),
      destinationPort: portField.optional().describe('The destination port that it asks for'),
      filter: filterSchema.optional().describe('A network filter in it'),
    })
    .optional()
    .describe('Which filter chains'),
});

const routeConfigurationSchema = z.strictObject({
  portNumber: portField
    .optional()
    .describe('Port of the service: virtual hosts of that port, also where many share a table'),
  portName: notYet(BY_NUMBER),
  gateway: notYet('write name: http.PORT, or https.PORT.NAME.GATEWAY.NAMESPACE'),
  name: z
    .string()
    .min(1)
    .optional()
    .describe("Of the table, as `mesh proxy config routes` shows it; Istio's names of the same are understood too"),
  vhost: z
    .strictObject({
      name: z.string().min(1).optional().describe('HOST:PORT with the full host; inbound|http|PORT for the way in'),
      domainName: z.string().min(1).optional().describe('One of its domains'),
      route: z
        .strictObject({
          name: z.string().min(1).optional().describe('Its name, as the access log and `mesh resolve` show it'),
          action: z.enum(['ANY', 'ROUTE', 'REDIRECT', 'DIRECT_RESPONSE']).default('ANY').describe('What it does'),
        })
        .optional()
        .describe('Which of its routes'),
    })
    .optional()
    .describe('Which virtual hosts'),
});

const clusterSchema = z.strictObject({
  portNumber: portField.optional().describe('Port of the service'),
  service: z.string().min(1).optional().describe('Full host of the service'),
  subset: z.string().min(1).optional().describe('Name of its subset or version'),
  name: z
    .string()
    .min(1)
    .optional()
    .describe('Of the Envoy cluster, such as outbound|9080|v1|reviews.default.svc.cluster.local'),
});

const matchSchema = z.strictObject({
  context: refusedValue(
    z.enum(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY', 'WAYPOINT']),
    (context) => context === 'WAYPOINT',
    `context WAYPOINT is not supported: ${NO_WAYPOINTS}`,
  )
    .default('ANY')
    .describe('The way into the app, the way out of it, or the edge'),
  proxy: z
    .strictObject({
      proxyVersion: notYet('there are no versions of Istio here: a patch is for the Envoy that runs'),
      metadata: z
        .record(z.string(), z.string())
        .refine(
          (facts) => Object.keys(facts).every((name) => proxyFacts.some((fact) => fact === name)),
          `a proxy says of itself: ${proxyFacts.join(', ')}`,
        )
        .default({})
        .describe(`What the proxy says of itself: ${proxyFacts.join(', ')}`),
    })
    .optional()
    .describe('Which proxies, beside the workloadSelector'),
  listener: listenerSchema.optional().describe('Which listeners'),
  routeConfiguration: routeConfigurationSchema.optional().describe('Which route tables'),
  cluster: clusterSchema.optional().describe('Which Envoy clusters'),
  waypoint: notYet(NO_WAYPOINTS),
});
export type PatchMatch = z.output<typeof matchSchema>;

const patchSchema = z
  .strictObject({
    applyTo: refusedValue(
      z.enum([...targetNames, 'BOOTSTRAP']),
      (target) => target === 'BOOTSTRAP',
      'applyTo BOOTSTRAP is not supported: a bootstrap is read once, when Envoy starts, and nobody could push it',
    ).describe('What is patched'),
    match: matchSchema.prefault({}).describe('Where. Without it: everywhere'),
    patch: z
      .strictObject({
        operation: z.enum(operations).describe('What is done'),
        filterClass: z
          .enum(['UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'])
          .default('UNSPECIFIED')
          .describe(
            'Where ADD puts an HTTP filter: after those that ask who calls, after those that decide who may, or last',
          ),
        value: z
          .record(z.string(), z.unknown())
          .optional()
          .describe("Envoy's message, in either spelling of its fields; a typed_config names its @type"),
      })
      .describe('How'),
  })
  .superRefine((one, context) => {
    for (const { path, message } of misfits(one))
      context.addIssue({ code: 'custom', path: [...path], message, input: one });
  });

export const envoyFilterSchema = z.strictObject({
  workloadSelector: workloadSelectorField
    .optional()
    .describe(
      'For the proxies of these instances. Without labels: for all of the namespace, and of the mesh in the root namespace',
    ),
  targetRefs: notYet('they name gateways of Kubernetes: write a workloadSelector'),
  priority: z.int().default(0).describe('Lower ones are first; those of the root namespace are before all others'),
  configPatches: z.array(patchSchema).default([]).describe('One after the other'),
});
export type EnvoyFilterSpec = z.output<typeof envoyFilterSchema>;

interface Misfit {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

interface Patched {
  readonly applyTo: PatchTarget | 'BOOTSTRAP';
  readonly match: PatchMatch;
  readonly patch: { readonly operation: PatchOperation; readonly filterClass: string; readonly value?: unknown };
}

function misfits({ applyTo, match, patch }: Patched): readonly Misfit[] {
  if (applyTo === 'BOOTSTRAP') return [];
  const possible: readonly PatchOperation[] = targets[applyTo];
  const { operation } = patch;
  const found: Misfit[] = [];
  if (!possible.includes(operation))
    found.push({
      path: ['patch', 'operation'],
      message: `${operation} of ${applyTo} does nothing; there is ${possible.join(', ')}`,
    });
  if (operation !== 'REMOVE' && patch.value === undefined)
    found.push({ path: ['patch'], message: `${operation} has a value` });
  if (patch.filterClass !== 'UNSPECIFIED' && (applyTo !== 'HTTP_FILTER' || operation !== 'ADD'))
    found.push({ path: ['patch', 'filterClass'], message: 'filterClass is for ADD of HTTP_FILTER' });
  return [...found, ...matchMisfits(applyTo, match), ...anchorMisfits(applyTo, match, operation)];
}

function matchMisfits(applyTo: PatchTarget, match: PatchMatch): readonly Misfit[] {
  const other = (key: 'listener' | 'routeConfiguration' | 'cluster', isFit: boolean): readonly Misfit[] =>
    match[key] === undefined || isFit ? [] : [{ path: ['match', key], message: `${key} says nothing of ${applyTo}` }];
  return [
    ...other('listener', inListeners.includes(applyTo)),
    ...other('routeConfiguration', inRoutes.includes(applyTo)),
    // ADD takes no notice of it, and Istio's own samples have it.
    ...other('cluster', applyTo === 'CLUSTER'),
  ];
}

/** What is done to a filter has to say which. */
function anchorMisfits(applyTo: PatchTarget, { listener }: PatchMatch, operation: PatchOperation): readonly Misfit[] {
  const filter = listener?.filterChain?.filter;
  const at = ['match', 'listener'];
  if (filter !== undefined && applyTo !== 'NETWORK_FILTER' && applyTo !== 'HTTP_FILTER')
    return [{ path: [...at, 'filterChain', 'filter'], message: `filter says nothing of ${applyTo}` }];
  if (filter?.subFilter !== undefined && applyTo !== 'HTTP_FILTER')
    return [{ path: [...at, 'filterChain', 'filter', 'subFilter'], message: `subFilter says nothing of ${applyTo}` }];
  if (applyTo === 'HTTP_FILTER' && filter !== undefined && filter.name !== ENVOY_FILTER_HTTP)
    return [{ path: [...at, 'filterChain', 'filter', 'name'], message: `HTTP filters stand in ${ENVOY_FILTER_HTTP}` }];
  if (
    operation !== 'REPLACE' &&
    operation !== 'REMOVE' &&
    !(operation.startsWith('INSERT_') && operation !== 'INSERT_FIRST')
  )
    return [];
  if (applyTo === 'NETWORK_FILTER' && filter === undefined)
    return [{ path: ['match'], message: `${operation} needs match.listener.filterChain.filter.name` }];
  if (applyTo === 'LISTENER_FILTER' && listener?.listenerFilter === undefined)
    return [{ path: ['match'], message: `${operation} needs match.listener.listenerFilter` }];
  const isRemoval = operation === 'REPLACE' || operation === 'REMOVE';
  if (applyTo === 'HTTP_FILTER' && isRemoval && filter?.subFilter === undefined)
    return [{ path: ['match'], message: `${operation} needs match.listener.filterChain.filter.subFilter.name` }];
  return [];
}
