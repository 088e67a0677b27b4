import { describe, expect, it } from 'vitest';
import { deniedService } from '../../../src/planner/deny.js';
import { smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const service = { image: 'a', network_mode: 'host' };
const denied = (more: object): string[] => deniedService({ ...service, ...more }).map(({ message }) => message);

describe('what no container may have', () => {
  it.each(['privileged', 'pid', 'ipc', 'cap_add', 'devices', 'ports', 'userns_mode', 'sysctls', 'build'])(
    'is the key %s',
    (key) => {
      expect(denied({ [key]: 'x' })).toEqual([`${key} is not allowed`]);
    },
  );

  it('is another network than that of the host', () => {
    expect(denied({ network_mode: 'bridge' })).toHaveLength(1);
  });

  it.each([
    '/var/run/docker.sock:/var/run/docker.sock:ro',
    '/srv/engine/docker.sock:/x',
    '/:/host:ro',
    '//:/host',
    '/./proc:/host',
    '/etc:/x',
    '/etc/cron.d:/x',
    '/srv/../etc:/x',
    '/var/lib/docker/volumes:/x',
    './shared:/x',
    '~/.ssh:/x',
  ])('is the volume %s', (volume) => {
    expect(denied({ volumes: ['data:/data', volume] })).toHaveLength(1);
  });

  it.each(['data:/data', '/srv/files:/files', '/etc/localtime:/etc/localtime:ro', '/anonymous'])(
    'is not the volume %s',
    (volume) => {
      expect(denied({ volumes: [volume] })).toEqual([]);
    },
  );

  it('is found when a version that uses it is planned, at its place in the file', () => {
    const container = { volumes: ['/var/run/docker.sock:/s'], labels: { 'io.lightmesh.node': 'x' } };
    const world = worldOf(
      smallWorld({
        nodes: [{ name: 'a' }],
        services: [{ name: 'api', versions: { v1: container } }],
        deploy: [{ service: 'api', version: 'v1', instances: 1 }],
      }),
    );
    expect(planWorld(world).problems).toMatchObject([
      {
        code: 'MESH1019',
        severity: 'error',
        file: 'world.yaml',
        path: 'Version default/api-v1 spec.container.volumes[0]',
      },
      { code: 'MESH1019', path: 'Version default/api-v1 spec.container.labels.io.lightmesh.node' },
    ]);
  });
});
