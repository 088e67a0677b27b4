/** Docker for tests, by its command: a second pair of eyes beside the agent's own client. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export function docker(...args: readonly string[]): string {
  const done = spawnSync('docker', args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`docker ${args.join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}

/** Names of containers with this label, running or not. */
export function containersWith(label: string): string[] {
  return docker('ps', '-a', '--filter', `label=${label}`, '--format', '{{.Names}}')
    .split('\n')
    .filter((name) => name !== '')
    .toSorted();
}

export function removeContainersWith(label: string): void {
  const names = containersWith(label);
  if (names.length > 0) docker('rm', '-f', '-v', ...names);
}

/** Containers with this label whose compose file is gone: what somebody has left behind who deleted the folder of a mesh. */
export function removeAbandoned(label: string): void {
  for (const name of containersWith(label)) {
    const files = docker(
      'inspect',
      '--format',
      '{{index .Config.Labels "com.docker.compose.project.config_files"}}',
      name,
    );
    if (!existsSync(files)) docker('rm', '-f', '-v', name);
  }
}

/** For `describe.skipIf(...)`: skips loudly, except where nothing may be skipped. */
export function isDockerMissing(): boolean {
  const isThere =
    spawnSync('docker', ['image', 'inspect', 'lightmesh/demo-app:1', 'lightmesh/envoy:1.40.0']).status === 0;
  if (isThere) return false;
  const message = 'no Docker engine with the images of scripts/images: run scripts/setup';
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(`SKIPPED, ${message}`);
  return true;
}
