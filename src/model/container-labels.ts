/** Labels that every container of the mesh carries (contract: "What runs on a node"). */
export const LABELS = {
  node: 'io.lightmesh.node',
  namespace: 'io.lightmesh.namespace',
  service: 'io.lightmesh.service',
  version: 'io.lightmesh.version',
  instance: 'io.lightmesh.instance',
  role: 'io.lightmesh.role',
  /** The mesh revision that created the instance. */
  revision: 'io.lightmesh.revision',
} as const;

export type Role = 'app' | 'sidecar';
