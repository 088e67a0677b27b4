import { z } from 'zod';
import { labelsField, nameField, versionField } from './fields.js';
import { defineKind } from './kind.js';
import { selects } from './labels.js';
import { DEFAULT_NAMESPACE } from './names.js';
import { nodeKind } from './node.js';
import { serviceKind } from './service.js';
import { suggestion } from './suggestion.js';
import { versionKind } from './version.js';

const deploySchema = z
  .strictObject({
    service: nameField.describe('What to run'),
    namespace: nameField.default(DEFAULT_NAMESPACE).describe('Namespace of that service'),
    version: versionField.describe('Which version of it'),
    instances: z.int().min(0).max(1000).optional().describe('So many in the whole cluster, spread over its nodes'),
    perNode: z.int().min(1).max(100).optional().describe('So many on every node that matches'),
    nodeSelector: labelsField.default({}).describe('Only on nodes with these labels'),
  })
  .refine((d) => (d.instances === undefined) !== (d.perNode === undefined), 'one of instances or perNode');
export type Deploy = z.output<typeof deploySchema>;

export const clusterSchema = z.strictObject({
  region: z.string().default('').describe('Region of its nodes, as Envoy and the naming entries are told'),
  zone: z.string().default('').describe('Zone of its nodes, within the region'),
  deploy: z.array(deploySchema).default([]).describe('What runs here, and how many of it'),
});
export type ClusterSpec = z.output<typeof clusterSchema>;

export const clusterKind = defineKind<ClusterSpec>({
  kind: 'Cluster',
  plural: 'clusters',
  aliases: ['cl'],
  apiVersions: ['mesh/v1'],
  namespaced: false,
  summary: 'A group of nodes that run services together (a room, zone or set), and what is deployed there.',
  schema: clusterSchema,
  columns: [
    { header: 'REGION', value: (d) => d.spec.region || '-' },
    { header: 'ZONE', value: (d) => d.spec.zone || '-' },
    { header: 'DEPLOYS', value: (d) => String(d.spec.deploy.length) },
  ],
  check(definition, view, report) {
    const labels = view
      .all(nodeKind)
      .filter((n) => n.spec.cluster === definition.name)
      .map((n) => n.labels);
    const seen = new Set<string>();
    for (const [i, deploy] of definition.spec.deploy.entries()) {
      const at = ['spec', 'deploy', i] as const;
      if (view.get(serviceKind, deploy.namespace, deploy.service) === undefined) {
        const names = view
          .all(serviceKind)
          .filter((s) => s.namespace === deploy.namespace)
          .map((s) => s.name);
        report({
          code: 'MESH1010',
          path: [...at, 'service'],
          message: `Service "${deploy.service}" does not exist in namespace ${deploy.namespace}`,
          hint: suggestion(deploy.service, names),
        });
        continue;
      }
      const versions = view
        .all(versionKind)
        .filter((v) => v.namespace === deploy.namespace && v.spec.service === deploy.service)
        .map((v) => v.spec.version);
      if (!versions.includes(deploy.version)) {
        report({
          code: 'MESH1010',
          path: [...at, 'version'],
          message: `version "${deploy.version}" of ${deploy.service} does not exist`,
          hint: suggestion(deploy.version, versions),
        });
      }
      const key = deployKey(deploy);
      if (seen.has(key)) {
        report({
          code: 'MESH1009',
          path: at,
          message: `${deploy.service} ${deploy.version} is deployed twice`,
          hint: 'add the numbers up in one entry, or give them different node selectors',
        });
      }
      seen.add(key);
      const matches = labels.some((have) => selects(deploy.nodeSelector, have));
      if (!matches && deploy.instances !== 0) {
        report({
          code: 'MESH1018',
          severity: 'warning',
          path: [...at, 'nodeSelector'],
          message: `no node of cluster ${definition.name} matches`,
          hint: 'it will wait until one does',
        });
      }
    }
  },
});

/** Two entries with one key would be one: a Cluster may say it once. */
export function deployKey({ namespace, service, version, nodeSelector }: Deploy): string {
  return `${namespace}/${service}/${version}/${selectorKey(nodeSelector)}`;
}

function selectorKey(selector: Readonly<Record<string, string>>): string {
  return Object.keys(selector)
    .toSorted()
    .map((key) => `${key}=${selector[key]}`)
    .join(',');
}
