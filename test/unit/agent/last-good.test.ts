import { describe, expect, test } from 'vitest';
import { type Dump, lastGoodView, readDump } from '../../../src/agent/last-good.js';
import { format, parse } from '../../../src/agent/last-good-files.js';
import { createStays } from '../../../src/agent/last-good-stays.js';
import { proxyParts } from '../../../src/model/names.js';
import { pilotsFile, pilotsIn } from '../../../src/planner/pilots-file.js';

const ads = { ads: {}, resource_api_version: 'V3' };
const any = (name: string, fields: object): object => ({ '@type': `type.googleapis.com/envoy.${name}`, ...fields });

/** As Envoy 1.40 shows one listener, its routes, and one cluster with its endpoints. */
const dump: Dump = {
  dynamic_active_clusters: [
    {
      version_info: 'x',
      cluster: any('config.cluster.v3.Cluster', {
        name: 'c',
        type: 'EDS',
        connect_timeout: '1s',
        eds_cluster_config: { eds_config: ads },
      }),
    },
  ],
  dynamic_endpoint_configs: [
    { endpoint_config: endpoints('c') },
    { endpoint_config: endpoints('of a static cluster') },
  ],
  dynamic_listeners: [
    {
      name: 'l',
      active_state: { listener: any('config.listener.v3.Listener', { name: 'l', filter_chains: [http()] }) },
    },
    { name: 'leaving', draining_state: {} },
  ],
  dynamic_route_configs: [
    { route_config: any('config.route.v3.RouteConfiguration', { name: 'r' }) },
    { route_config: any('config.route.v3.RouteConfiguration', { name: 'nobody uses it any more' }) },
  ],
};

function endpoints(name: string): object {
  const address = { socket_address: { address: '10.0.0.1', port_value: 80 } };
  const locality = { lb_endpoints: [{ endpoint: { address }, health_status: 'UNHEALTHY' }], load_balancing_weight: 0 };
  return any('config.endpoint.v3.ClusterLoadAssignment', { cluster_name: name, endpoints: [locality] });
}

function http(): object {
  const typed_config = any('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 's',
    rds: { route_config_name: 'r', config_source: ads },
  });
  return { filters: [{ name: 'http', typed_config }] };
}

function whole(of: Dump) {
  const reading = readDump(of);
  if (reading.kind !== 'whole') throw new Error(JSON.stringify(reading));
  return reading.resources;
}

describe('what a sidecar shows', () => {
  test('is read into what it needs to serve, and nothing besides', () => {
    const view = lastGoodView(whole(dump));
    const names = Object.fromEntries([...view.byType].map(([url, map]) => [url.split('.').at(-1), [...map.keys()]]));
    expect(names).toEqual({
      Cluster: ['c'],
      Listener: ['l'],
      ClusterLoadAssignment: ['c'],
      RouteConfiguration: ['r'],
      Runtime: ['mesh'],
    });
  });

  test('is nothing to keep before it has clusters and listeners', () => {
    expect(readDump({ ...dump, dynamic_active_clusters: [] })).toEqual({ kind: 'nothing' });
    expect(readDump({ ...dump, dynamic_listeners: [] })).toEqual({ kind: 'nothing' });
  });

  test('has no weight 0, which Envoy shows but does not accept, and keeps the health of endpoints', () => {
    const kept = JSON.stringify(whole(dump).find(({ type }) => type === 'EDS')?.json);
    expect(kept).not.toContain('loadBalancingWeight');
    expect(kept).toContain('UNHEALTHY');
  });

  test.each([
    ['endpoints', { dynamic_endpoint_configs: [] }, 'c is missing'],
    ['routes', { dynamic_route_configs: [] }, 'r is missing'],
    ['a listener that was refused', { dynamic_listeners: [{ name: 'l', error_state: {} }] }, 'listener l does not'],
  ])('is not whole without %s', (_what, change, reason) => {
    const reading = readDump({ ...dump, ...change });
    expect(reading).toMatchObject({ kind: 'partial', reason: expect.stringContaining(reason) });
  });
});

describe('the file', () => {
  const text = format(whole(dump));

  test('is read back as it was written', () => {
    expect(parse(text)).toEqual(JSON.parse(JSON.stringify(whole(dump))));
    expect(format(parse(text))).toBe(text);
  });

  test('is refused when any single bit of it is another', () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
      expect(() => parse(flipped.toString()), `byte ${at}`).toThrow();
    }
  });

  test('is refused when its end is missing', () => {
    for (const length of [0, 10, text.indexOf('\n') + 1, text.length - 1]) {
      expect(() => parse(text.slice(0, length)), `${length} characters`).toThrow();
    }
  });
});

describe('a sidecar that asks', () => {
  test('is let in at once when no pilot serves', () => {
    expect(createStays().mayBegin('a', false, 0)).toBe(true);
  });

  test('is turned away while a pilot serves, but not for ever', () => {
    const stays = createStays();
    expect([0, 500, 1900, 2100].map((nowMs) => stays.mayBegin('a', true, nowMs))).toEqual([false, false, false, true]);
  });

  test('is turned away again when it had found a pilot long ago', () => {
    const stays = createStays();
    stays.mayBegin('a', true, 0);
    expect(stays.mayBegin('a', true, 120_000)).toBe(false);
  });

  test('may be sent back after a while that grows each time that it had to return', () => {
    const stays = createStays();
    const canEndAfter = (nowMs: number): number => {
      stays.begin('a', 'proxy a', nowMs);
      let at = nowMs;
      while (stays.mayEnd(at).length === 0) at += 500;
      stays.end('a');
      expect(stays.mayEnd(at + 60_000)).toEqual([]);
      return at - nowMs;
    };
    expect([0, 5000, 10_000].map(canEndAfter)).toEqual([1000, 2000, 4000]);
  });
});

test('only well-formed proxy ids name a folder', () => {
  expect(proxyParts('default/web/web-1.0-3@vm-1')).toEqual({ instance: 'web-1.0-3', node: 'vm-1' });
  for (const id of ['', 'default/web/..@vm-1', 'default/web/a/b@vm-1', 'default/web/a@..', 'default/web/@vm-1', 'a@b'])
    expect(proxyParts(id), id).toBeUndefined();
});

test('the pilots can be read from the file that sidecars read them from', () => {
  expect(pilotsIn(pilotsFile(['10.0.0.2:7071', '[fd00::1]:7071']))).toEqual([
    { host: '10.0.0.2', port: 7071 },
    { host: 'fd00::1', port: 7071 },
  ]);
  expect(pilotsIn('{"resources": [')).toEqual([]);
});
