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

/** Compose's own: the absolute folder of the file from which it has made the container. */
export const COMPOSE_FOLDER = 'com.docker.compose.project.working_dir';

export type Role = 'app' | 'sidecar';
