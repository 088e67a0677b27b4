/**
 * The two stages of an eviction and its guard, as a sidecar sees them: two pilots, simulated agents under leases of 2 s, on a
 * real etcd and on the embedded server.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InstanceItem, List, StatusResponse, ThawResponse } from '../../src/model/api.js';
import { type Pilot, startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import type { Registrar } from '../../src/store/store.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';
import { type RegisteredNode, registerNodes } from '../support/registered-nodes.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { smallWorld } from '../support/small-world.js';
import { type StoreServer, storeServers } from '../support/stores.js';
import { until } from '../support/until.js';

const TTL_S = 2;
/** `web` on one node calls `api`, which runs on all six, and `old`, which registers itself. */
const world = smallWorld({
  nodes: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name })),
  services: [
    { name: 'web', spec: { stable: 'v1', upstreams: [{ service: 'api' }, { service: 'old' }] } },
    { name: 'api', spec: { stable: 'v1' } },
    { name: 'old', versions: {} },
  ],
  deploy: [
    { service: 'web', version: 'v1', instances: 1 },
    { service: 'api', version: 'v1', perNode: 1 },
  ],
  mesh: { leaseTtl: `${TTL_S}s`, eviction: { linger: '2s' } },
});

// Side by side, since they mostly wait.
describe.concurrent.each(storeServers())('$name', ({ start }) => {
  let server: StoreServer;
  let house: PilotHouse;
  let second: Pilot;
  let nodes: readonly RegisteredNode[];
  let sidecar: Sidecar;
  const others: Registrar[] = [];

  beforeAll(async () => {
    server = await start();
    house = await openPilotHouse(`etcd://${server.address}`);
    await house.apply(world);
    await house.post('/v1/deploy', { by: 'test' });
    nodes = await registerNodes(house.store, TTL_S);
    second = await startSecond('p2');
    const home = nodes.find(({ plan }) => plan.instances.some(({ service }) => service === 'web')) as RegisteredNode;
    const web = home.plan.instances.find(({ service }) => service === 'web');
    // The sidecar follows the pilot that does not decide: what it shows comes by the store alone.
    sidecar = connectSidecar(second.xdsAddress, home.plan, web as NonNullable<typeof web>);
    await sidecar.until('all of api', () => api().length === 6);
  }, 40_000);
  afterAll(async () => {
    sidecar.close();
    for (const node of nodes) await node.close();
    for (const one of others) await one.close();
    await second.close();
    await house.close();
    await server.stop();
  });

  const startSecond = async (id: string): Promise<Pilot> => {
    const addresses = { http: '127.0.0.1:0', xds: '127.0.0.1:0' };
    const common = { clock: systemClock, log: silentLogger, version: 'test' };
    const pilot = await startPilot({ ...common, ...addresses, store: house.store, id });
    await pilot.whenReady;
    return pilot;
  };
  const healths = (service: string): readonly string[] => {
    const name = `outbound|80||${service}.default.svc.cluster.local`;
    const json = sidecar.has('EDS').get(name)?.json as
      | { endpoints?: { lbEndpoints?: { healthStatus?: string }[] }[] }
      | undefined;
    const all = (json?.endpoints ?? []).flatMap((zone) => zone.lbEndpoints ?? []);
    return all.map((one) => one.healthStatus ?? 'HEALTHY').toSorted();
  };
  const api = (): readonly string[] => healths('api');
  const eviction = async (): Promise<StatusResponse['eviction']> =>
    (await house.get<StatusResponse>('/v1/status')).eviction;
  /** Nodes without `web`: its only instance must stay. */
  const victims = (): readonly RegisteredNode[] =>
    nodes.filter(({ plan }) => plan.instances.every(({ service }) => service === 'api'));
  const selfRegister = async (port: number): Promise<Registrar> => {
    const registrar = house.store.registrar({ ttlSeconds: TTL_S });
    others.push(registrar);
    registrar.set(`services/old/10.9.9.9:${port}`, JSON.stringify({ Op: 0, Addr: `10.9.9.9:${port}`, Metadata: null }));
    await registrar.flush();
    return registrar;
  };

  test.sequential('a dead agent: unhealthy within its TTL, removed after the linger, the same instance when it is back', async () => {
    const [victim] = victims() as [RegisteredNode];
    const instance = victim.plan.instances[0]?.instance;
    const killedMs = performance.now();
    await victim.kill();
    await sidecar.until('an unhealthy endpoint', () => api().includes('UNHEALTHY'));
    expect(performance.now() - killedMs).toBeLessThan((TTL_S + 1) * 1000);
    expect(api()).toHaveLength(6);
    const missing = await until('the suspect', async () => (await eviction()).missing[0]);
    expect(missing).toMatchObject({ instance, state: 'suspect', node: victim.node, isFrozen: false });
    expect(missing.until).toBe(missing.since + 2000);
    await sidecar.until('its removal', () => api().length === 5);
    const items = await until('evicted in the list', async () => {
      const list = await house.get<List<InstanceItem>>('/v1/instances?service=api');
      return list.items.some((item) => item.eviction?.state === 'evicted') && list.items;
    });
    expect(items.filter((item) => item.eviction !== undefined)).toMatchObject([
      { instance, eviction: { until: null } },
    ]);
    await victim.start();
    await sidecar.until('it again', () => api().length === 6 && !api().includes('UNHEALTHY'));
    await until('nothing left of it', async () => (await eviction()).missing.length === 0);
  }, 20_000);

  test.sequential('an instance that leaves in order is never suspected', async () => {
    const [victim] = victims() as [RegisteredNode];
    const [instance] = victim.plan.instances;
    await victim.leave(instance as NonNullable<typeof instance>);
    await sidecar.until('five', () => api().length === 5);
    expect((await eviction()).missing).toEqual([]);
  });

  test.sequential('what registers itself: unhealthy when its lease ends, on a pilot that starts then too; gone at once when it says so', async () => {
    const [first, next] = [await selfRegister(1), await selfRegister(2), await selfRegister(3)];
    await sidecar.until('three', () => healths('old').length === 3);
    await until(
      'remembered',
      async () => (await house.store.list(house.store.keys.below('seen'))).entries.length === 3,
    );
    await next?.remove('services/old/10.9.9.9:2');
    await sidecar.until('two', () => healths('old').length === 2);
    expect(healths('old')).toEqual(['HEALTHY', 'HEALTHY']);
    await first?.close({ keepLease: true });
    await sidecar.until('unhealthy', () => healths('old').includes('UNHEALTHY'));
    const third = await startSecond('p3');
    sidecar.reconnect(third.xdsAddress);
    await until('the same view', async () => (await eviction()).missing.length === 1);
    expect(healths('old')).toEqual(['HEALTHY', 'UNHEALTHY']);
    await sidecar.until('removed', () => healths('old').length === 1);
    sidecar.reconnect(second.xdsAddress);
    await third.close();
  }, 20_000);

  test.sequential('all at once: frozen, nobody removed, not even by the next leader, until an operator knows better', async () => {
    const before = api().length;
    await Promise.all(victims().map((victim) => victim.kill()));
    const frozen = await until('a freeze', async () => {
      const found = await eviction();
      return found.frozen.length > 0 && found.missing.length === before - 1 && found;
    });
    expect(frozen.frozen.map(({ scope }) => scope)).toContain('default/api');
    expect(frozen.missing.every(({ state, until: at }) => state === 'suspect' && at === null)).toBe(true);
    const leader = frozen.leader;
    await house.restartPilot();
    await until('another leader', async () => {
      const now = (await eviction()).leader;
      return now !== null && now !== leader;
    });
    const lastMs = Math.max(...frozen.missing.map(({ since }) => since));
    await until('three lingers', () => Date.now() > lastMs + 3 * 2000);
    expect(api()).toHaveLength(before);
    const text = (await house.send('GET', '/metrics')).body as string;
    expect(text).toMatch(/^mesh_frozen\{scope="service"\} 1$/m);
    expect(text).toMatch(new RegExp(`^mesh_suspects ${before - 1}$`, 'm'));
    const thawed = await house.post<ThawResponse>('/v1/thaw', { by: 'ops', why: 'burnt down' });
    expect(thawed.thawed.map(({ scope }) => scope)).toContain('default/api');
    await sidecar.until('only the living', () => api().length === 1);
    await until('nothing frozen', async () => (await eviction()).frozen.length === 0);
    for (const victim of victims()) await victim.start();
    await sidecar.until('all again', () => api().length === before && !api().includes('UNHEALTHY'));
  }, 30_000);

  test.sequential('a freeze ends by itself when enough are back', async () => {
    const before = api().length;
    await Promise.all(victims().map((victim) => victim.kill()));
    await until('a freeze', async () => (await eviction()).frozen.length > 0);
    for (const victim of victims()) await victim.start();
    await until('thawed', async () => (await eviction()).frozen.length === 0);
    expect(api()).toEqual(Array.from({ length: before }, () => 'HEALTHY'));
  }, 20_000);
});
