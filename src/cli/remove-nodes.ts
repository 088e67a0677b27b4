import { type Container, type Docker, openDocker } from '../agent/docker.js';
import { LABELS } from '../model/container-labels.js';
import type { Io } from './io.js';

const MAX_PARALLEL = 8;

/** Stops and removes every container of these nodes, apps before their sidecars. Answers how many. */
export async function removeNodes(nodes: readonly string[], io: Pick<Io, 'env'>): Promise<number> {
  if (nodes.length === 0) return 0;
  const docker = openDocker(io.env['DOCKER_HOST']);
  const lists = await Promise.all(nodes.map((node) => docker.list({ [LABELS.node]: node })));
  const containers = lists.flat();
  const isSidecar = ({ labels }: Container): boolean => labels[LABELS.role] === 'sidecar';
  await removeAll(
    docker,
    containers.filter((container) => !isSidecar(container)),
  );
  await removeAll(docker, containers.filter(isSidecar));
  return containers.length;
}

async function removeAll(docker: Docker, containers: readonly Container[]): Promise<void> {
  for (let i = 0; i < containers.length; i += MAX_PARALLEL) {
    await Promise.all(
      containers.slice(i, i + MAX_PARALLEL).map(async ({ id }) => {
        await docker.stop(id);
        await docker.remove(id);
      }),
    );
  }
}
