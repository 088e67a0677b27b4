import { z } from 'zod';
import { extensionProvidersSchema } from './extension-provider.js';
import { durationField, durationMs, nameField } from './fields.js';
import { defineKind } from './kind.js';
import { localityLbSchema } from './locality-lb.js';
import { connectionPoolField, hasSplitErrors, outlierFields, SPLIT_ERRORS_NEEDED } from './traffic-limits.js';

/** A third of it is the shortest time after which a registration is written again. */
const MIN_RETENTION_MS = 3 * 60_000;
const MAX_TOUCH_MS = 20 * 60_000;

/** The one Mesh object is called so. */
export const MESH_NAME = 'mesh';

function thresholdField(percent: number, min: number) {
  return z
    .strictObject({
      percent: z
        .number()
        .min(0)
        .max(100)
        .default(percent)
        .describe('More than this share of the instances, in percent'),
      min: z.int().min(1).max(100_000).default(min).describe('And at least so many of them'),
    })
    .prefault({});
}

const trustDomainField = z.string().regex(/^[a-z0-9._-]{1,255}$/, 'lower case letters, digits, ., - and _');

export const meshSchema = z.strictObject({
  domain: z.string().default('cluster.local').describe('Domain of full service names, `NAME.NAMESPACE.svc.DOMAIN`'),
  trustDomain: trustDomainField
    .default('cluster.local')
    .describe(
      'How principals of the mesh begin: TRUST-DOMAIN/ns/NAMESPACE/sa/NAME. In a policy, cluster.local means it',
    ),
  trustDomainAliases: z
    .array(trustDomainField)
    .default([])
    .describe('Other trust domains, such as former ones, whose principals are the same to policies'),
  rootNamespace: z.string().default('istio-system').describe('Namespace whose policies hold for all others'),
  leaseTtl: durationField
    .default('10s')
    .describe("Life of an agent's lease: a dead agent's instances turn unhealthy after it. etcd's minimum is 2s"),
  compactionRetention: durationField
    .refine(
      (text) => durationMs(text) >= MIN_RETENTION_MS,
      'at least 3m: registrations are written again within a third',
    )
    .default('1h')
    .describe(
      "How long etcd keeps old revisions, its --auto-compaction-retention. Registrations are written again within a third of it, every 20m at the latest, so that clients of etcd's naming can resume their watches",
    ),
  eviction: z
    .strictObject({
      linger: durationField
        .default('60s')
        .describe(
          'An instance whose lease has ended is unhealthy at once, and removed when it has been missing for so long. At least leaseTtl',
        ),
      freeze: z
        .strictObject({
          service: thresholdField(30, 3).describe('Of one service; all of a service freezes it at any pace'),
          mesh: thresholdField(15, 5).describe('Of the whole mesh'),
        })
        .prefault({})
        .describe(
          'When more than so many are lost within twice leaseTtl, nobody is removed: it may be the store or the network that is in trouble',
        ),
    })
    .prefault({})
    .describe('How instances that are missing leave the mesh'),
  sidecar: z
    .strictObject({
      image: z
        .string()
        .default('lightmesh/envoy:1.40.0')
        .describe('Any image with Envoy 1.30 or newer; scripts/images makes the default one'),
      healthCommand: z
        .array(z.string())
        .default(['/bin/busybox', 'wget', '-q', '-O', '/dev/null', 'http://{address}:{port}/ready'])
        .describe(
          "Command of the container's health check; {address} and {port} are those of the metrics listener. The default needs a busybox in the image; [NONE] leaves it to the agent, which asks /ready all the same",
        ),
      logLevel: z
        .enum(['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'])
        .default('warning')
        .describe('How much each Envoy logs'),
      concurrency: z.int().min(1).max(64).default(1).describe('Worker threads of each Envoy'),
    })
    .prefault({})
    .describe('The Envoy beside each instance'),
  naming: z
    .strictObject({
      roots: z
        .array(
          z.strictObject({
            path: z
              .string()
              .regex(/^\/?[^/]+(\/[^/]+)*$/, 'a root is /grpc or prod/rpc, without a slash at its end')
              .regex(/^(?!(services|versions)(\.[^/]*)?(\/|$))/, 'services and versions are read anyway')
              .describe('Below it stands `<service>/<anything>`; a leading slash is a part of it'),
            namespace: nameField.default('default').describe('Where the services that are found there belong'),
          }),
        )
        .default([])
        .describe('Registries that others write, in the same format below roots of their own'),
    })
    .prefault({})
    .describe("Where instances are read from besides the mesh's own naming keys"),
  defaultTrafficPolicy: z
    .strictObject({
      connectionPool: connectionPoolField
        .optional()
        .describe(
          'Limits of what one caller has open and in flight; its connectTimeout and tcpKeepalive hold also where another connectionPool leaves them out',
        ),
      outlierDetection: z
        .strictObject(outlierFields)
        .refine(hasSplitErrors, SPLIT_ERRORS_NEEDED)
        .optional()
        .describe('When a caller stops using an instance that fails, for a time'),
      localityLbSetting: localityLbSchema.optional().describe('Which instances come first by where they are'),
    })
    .optional()
    .describe('Of every destination whose DestinationRule leaves such a block out'),
  extensionProviders: extensionProvidersSchema
    .default([])
    .describe('Where proxies report to; a Telemetry names them. There without being defined: envoy, prometheus'),
});

export type MeshSpec = z.output<typeof meshSchema>;

export const defaultMesh: MeshSpec = meshSchema.parse({});

/** How often a registration is written again although nothing has changed. */
export function touchMs(mesh: MeshSpec): number {
  return Math.min(MAX_TOUCH_MS, durationMs(mesh.compactionRetention) / 3);
}

export const meshKind = defineKind<MeshSpec>({
  kind: 'Mesh',
  plural: 'meshes',
  aliases: [],
  apiVersions: ['mesh/v1'],
  namespaced: false,
  summary: 'What must be the same everywhere: domain, lease time, sidecar image. One object, named mesh.',
  schema: meshSchema,
  columns: [
    { header: 'DOMAIN', value: (d) => d.spec.domain },
    { header: 'LEASE TTL', value: (d) => d.spec.leaseTtl },
    { header: 'SIDECAR', value: (d) => d.spec.sidecar.image },
  ],
  check(definition, _view, report) {
    if (definition.name !== MESH_NAME) {
      report({
        code: 'MESH1008',
        path: ['metadata', 'name'],
        message: `the Mesh object must be named "${MESH_NAME}", found "${definition.name}"`,
        hint: `write name: ${MESH_NAME}`,
      });
    }
    const { leaseTtl, eviction } = definition.spec;
    if (durationMs(eviction.linger) < durationMs(leaseTtl)) {
      report({
        code: 'MESH1005',
        path: ['spec', 'eviction', 'linger'],
        message: `linger ${eviction.linger} is shorter than leaseTtl ${leaseTtl}: the first would be removed before the last is missed`,
        hint: `write at least ${leaseTtl}; the default is 60s`,
      });
    }
  },
});
