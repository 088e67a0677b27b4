import { describe, expect, it } from 'vitest';
import { bootstrap, containerPlaces, instanceBootstrap } from '../../../src/planner/bootstrap.js';
import { pilotsFile } from '../../../src/planner/pilots-file.js';
import { planWorld, readWorld, worldOf } from '../../support/worlds.js';

const plan = planWorld(worldOf(readWorld('example'))).plans.find((p) => p.node === 'node-a');
const instance = plan?.instances.find((i) => i.service === 'productpage');
if (plan === undefined || instance === undefined) throw new Error('the example has changed');
const made = instanceBootstrap(plan, instance);

/** Every object below a value. */
function objects(value: unknown): Record<string, unknown>[] {
  if (value === null || typeof value !== 'object') return [];
  const inner = Object.values(value).flatMap(objects);
  return Array.isArray(value) ? inner : [value as Record<string, unknown>, ...inner];
}

describe('the bootstrap', () => {
  it('says who the proxy is, with all that a pilot needs before the instance is registered', () => {
    expect(made['node']).toMatchObject({
      id: 'default/productpage/productpage-v1-1@node-a',
      cluster: 'productpage',
      locality: { region: 'cn-bj', zone: 'cn-bj-a' },
      metadata: { mesh: { address: '127.0.0.11', ports: instance.ports, upstreams: instance.upstreams, revision: 1 } },
    });
  });

  it('asks the pilots first and the last good of the agent after them, both with a short back-off', () => {
    const { ads_config } = made['dynamic_resources'] as { ads_config: { grpc_services: object[] } };
    expect(ads_config).toMatchObject({ api_type: 'DELTA_GRPC' });
    expect(ads_config.grpc_services).toMatchObject([
      { envoy_grpc: { cluster_name: 'pilots' } },
      { envoy_grpc: { cluster_name: 'agent_lkg' } },
    ]);
    for (const service of ads_config.grpc_services) {
      expect(service).toMatchObject({ envoy_grpc: { retry_policy: { retry_back_off: { max_interval: '1s' } } } });
    }
  });

  it('waits for clusters and listeners without end, and for the runtime layer only briefly', () => {
    const timeouts = objects(made).flatMap((object) => object['initial_fetch_timeout'] ?? []);
    expect(timeouts).toEqual(['0s', '0s', '5s']);
  });

  it('never shares a port, nor shows its admin on the network', () => {
    const { listeners } = made['static_resources'] as { listeners: object[] };
    expect(listeners).toMatchObject([
      { enable_reuse_port: false, address: { socket_address: { address: '127.0.0.11' } } },
    ]);
    expect(made['admin']).toEqual({ address: { pipe: { path: '/run/lightmesh/admin.sock', mode: 0o660 } } });
  });

  it('can stand in other folders, for a process outside of a container', () => {
    const { node } = made as { node: { metadata: { mesh: Parameters<typeof bootstrap>[0]['proxy'] } } };
    const places = { shared: '/tmp/shared', run: '/tmp/run' };
    const outside = bootstrap({ proxy: node.metadata.mesh, region: '', zone: '', places });
    const text = JSON.stringify(outside);
    expect(text).not.toContain(containerPlaces.shared);
    expect(text).toContain('/tmp/shared/pilots.json');
  });
});

describe('the file of pilots', () => {
  it('is an EDS response, the same for the same pilots in any order', () => {
    const file = pilotsFile(['127.0.0.1:7071', '[fd00::2]:7071']);
    expect(file).toBe(pilotsFile(['[fd00::2]:7071', '127.0.0.1:7071', '127.0.0.1:7071']));
    expect(JSON.parse(file)).toMatchObject({
      resources: [
        {
          cluster_name: 'pilots',
          endpoints: [
            {
              lb_endpoints: [
                { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 7071 } } } },
                { endpoint: { address: { socket_address: { address: 'fd00::2', port_value: 7071 } } } },
              ],
            },
          ],
        },
      ],
    });
  });

  it('has another version for other pilots', () => {
    const version = (text: string): unknown => (JSON.parse(text) as { version_info: unknown }).version_info;
    expect(version(pilotsFile(['127.0.0.1:1']))).not.toBe(version(pilotsFile(['127.0.0.1:2'])));
  });

  it('takes addresses only, since EDS knows no names', () => {
    expect(() => pilotsFile(['pilot.intern:7071'])).toThrow('IP:port');
  });
});
