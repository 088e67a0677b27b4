/** Worlds in a few words, for tests of the planner. */
import type { Document } from '../../src/model/definition.js';

export interface SmallNode {
  readonly name: string;
  readonly address?: string;
  readonly ports?: string;
  readonly cluster?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface SmallService {
  readonly name: string;
  readonly namespace?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Version to what differs from the plain container. */
  readonly versions?: Readonly<Record<string, object>>;
}

export interface SmallWorld {
  readonly nodes: readonly SmallNode[];
  readonly services: readonly SmallService[];
  readonly deploy: readonly object[];
  readonly mesh?: object;
}

export function smallWorld(world: SmallWorld): string {
  // JSON is YAML too.
  return documentsOf(world)
    .map((document) => JSON.stringify(document))
    .join('\n---\n');
}

export function documentsOf({ nodes, services, deploy, mesh }: SmallWorld): Document[] {
  const clusters = [...new Set(['main', ...nodes.map((node) => node.cluster ?? 'main')])];
  return [
    ...(mesh === undefined ? [] : [document('Mesh', { name: 'mesh' }, mesh)]),
    ...nodes.map(nodeDocument),
    ...clusters.map((name) => document('Cluster', { name }, { deploy: name === 'main' ? deploy : [] })),
    ...services.flatMap(serviceDocuments),
  ];
}

/** Without an address: 10.0.0.1 for a, 10.0.0.2 for b, whoever else is there. */
function nodeDocument({ name, address, ports, cluster, labels }: SmallNode): Document {
  const spec = {
    address: address ?? `10.0.0.${name.charCodeAt(0) - 96}`,
    cluster: cluster ?? 'main',
    ...(ports ? { ports } : {}),
  };
  return document('Node', { name, labels: labels ?? {} }, spec);
}

function serviceDocuments({ name, namespace = 'default', spec, versions = { v1: {} } }: SmallService): Document[] {
  return [
    document('Service', { name, namespace }, { port: 80, ...spec }),
    ...Object.entries(versions).map(([version, container]) =>
      document(
        'Version',
        { name: `${name}-${version.replaceAll('.', '-')}`, namespace },
        // A gateway has no app: what differs are its labels.
        spec?.['gateway'] === true
          ? { service: name, version, labels: container }
          : { service: name, version, container: { image: `${name}:${version}`, ...container } },
      ),
    ),
  ];
}

function document(kind: string, metadata: Document['metadata'], spec: object): Document {
  return { apiVersion: 'mesh/v1', kind, metadata, spec };
}
