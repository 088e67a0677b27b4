import { z } from 'zod';
import { nameField } from './fields.js';
import { defineKind } from './kind.js';
import { suggestion } from './suggestion.js';

const MIN_PORTS = 10;

export const nodeSchema = z.strictObject({
  address: z
    .string()
    .refine((text) => z.union([z.ipv4(), z.ipv6()]).safeParse(text).success, 'an address is an IP, such as 10.0.0.11')
    .describe('IP by which other nodes reach this one; inbound and metrics listeners bind to it'),
  cluster: nameField.describe('The Cluster that it belongs to'),
  ports: z
    .string()
    .regex(/^\d{1,5}-\d{1,5}$/, 'a range is FIRST-LAST, such as 20000-20999')
    .default('20000-20999')
    .describe('Range from which each instance gets its ports, which it keeps for life'),
  proxyMode: z
    .literal('sidecar', 'one shared Envoy per node is not built yet; write sidecar')
    .default('sidecar')
    .describe('An Envoy beside each instance'),
});
export type NodeSpec = z.output<typeof nodeSchema>;

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export function portRange(spec: NodeSpec): PortRange {
  const [first, last] = spec.ports.split('-').map(Number) as [number, number];
  return { first, last };
}

export const nodeKind = defineKind<NodeSpec>({
  kind: 'Node',
  plural: 'nodes',
  aliases: ['no'],
  apiVersions: ['mesh/v1'],
  namespaced: false,
  summary: 'One VM or physical machine that runs Docker and an agent.',
  schema: nodeSchema,
  columns: [
    { header: 'ADDRESS', value: (d) => d.spec.address },
    { header: 'CLUSTER', value: (d) => d.spec.cluster },
    { header: 'PORTS', value: (d) => d.spec.ports },
    {
      header: 'LABELS',
      wide: true,
      value: (d) =>
        Object.entries(d.labels)
          .map(([k, v]) => `${k}=${v}`)
          .join(',') || '-',
    },
  ],
  check(definition, view, report) {
    const { first, last } = portRange(definition.spec);
    if (first < 1024 || last > 65535 || last - first + 1 < MIN_PORTS) {
      report({
        code: 'MESH1011',
        path: ['spec', 'ports'],
        message: `range ${definition.spec.ports} is not usable`,
        hint: `from 1024 to 65535, at least ${MIN_PORTS} ports, FIRST-LAST`,
      });
    }
    const clusters = view.names('Cluster', undefined);
    if (!clusters.includes(definition.spec.cluster)) {
      report({
        code: 'MESH1010',
        path: ['spec', 'cluster'],
        message: `Cluster "${definition.spec.cluster}" does not exist`,
        hint: suggestion(definition.spec.cluster, clusters),
      });
    }
    const twin = view
      .all(nodeKind)
      .find(
        (n) =>
          n.name < definition.name &&
          n.spec.address === definition.spec.address &&
          overlaps(portRange(n.spec), { first, last }),
      );
    if (twin !== undefined) {
      report({
        code: 'MESH1012',
        path: ['spec', 'ports'],
        message: `ports ${definition.spec.ports} at ${definition.spec.address} overlap with node "${twin.name}" (${twin.spec.ports})`,
        hint: 'give the two nodes ranges of their own',
      });
    }
  },
});

function overlaps(a: PortRange, b: PortRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}
