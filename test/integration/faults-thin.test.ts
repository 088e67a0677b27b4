/**
 * What must stay true when parts fail: a real etcd that dies, is wiped or damaged by hand under a pilot with a sidecar, and
 * `mesh up` that is killed. Longer trials with containers and load are made by hand; these are the ones that need no luck.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ApplyResponse, DefinitionItem, List, StatusResponse } from '../../src/model/api.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import { type Etcd, startEtcd } from '../support/etcd.js';
import { type Daemon, freePort, mesh, meshOk, startDaemon, temporaryFolder } from '../support/mesh-process.js';
import { openPilotHouse, type PilotHouse, runPlans, serviceOf, versionKey } from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { smallWorld } from '../support/small-world.js';
import { openAt, operatorAt } from '../support/stores.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

const by = 'test';
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
});

interface Scene {
  readonly etcd: Etcd;
  readonly house: PilotHouse;
  readonly running: Awaited<ReturnType<typeof runPlans>>;
  readonly sidecar: Sidecar;
}

/** The example world, "running", and one sidecar that has all of its configuration. */
async function openScene(): Promise<Scene> {
  const etcd = await startEtcd();
  closers.push(() => etcd.stop());
  const house = await openPilotHouse(etcd.url);
  closers.push(() => house.close());
  await house.apply(readWorld('example'));
  await house.post('/v1/deploy', { by });
  const running = await runPlans(house.store);
  const own = running.find((one) => serviceOf(one) === 'default/productpage') as (typeof running)[number];
  const sidecar = connectSidecar(house.pilot.xdsAddress, own.plan, own.instance);
  closers.push(() => sidecar.close());
  await sidecar.until('endpoints', () => endpointsOf(sidecar) === 3);
  await settled(house);
  sidecar.news();
  return { etcd, house, running, sidecar };
}

/** Of reviews: two of v1, one of v2. */
function endpointsOf(sidecar: Sidecar): number {
  const count = (subset: string): number => {
    const found = sidecar.has('EDS').get(`outbound|9080|${subset}|reviews.default.svc.cluster.local`)?.json;
    return (
      (found as { endpoints?: { lbEndpoints?: object[] }[] } | undefined)?.endpoints?.[0]?.lbEndpoints?.length ?? 0
    );
  };
  return count('v1') + count('v2');
}

/** All that was written before has reached the sidecar, and with it a change that is nothing to it. */
async function settled(house: PilotHouse): Promise<void> {
  const bystander = smallWorld({ nodes: [], deploy: [], services: [{ name: `by-${await house.store.head()}` }] });
  const { storeRevision } = (await house.apply(bystander)) as unknown as ApplyResponse; // the whole of the answer
  expect(await house.get(`/v1/acks?storeRevision=${storeRevision}&timeoutMs=8000`)).toMatchObject({ acked: true });
}

const isSynced = (house: PilotHouse): Promise<unknown> =>
  until(
    'the pilot follows the store',
    async () => (await house.get<StatusResponse>('/v1/status')).store.synced,
    20_000,
  );

describe('under a pilot with a sidecar', () => {
  test('etcd that is killed and comes back costs no push, and the next command works', async () => {
    const { etcd, house, sidecar } = await openScene();
    await etcd.kill();
    expect(await house.send('POST', '/v1/deploy', { by })).toMatchObject({ status: 503 });
    expect(await house.send('GET', '/readyz')).toMatchObject({ status: 200 });
    await etcd.restart();
    await isSynced(house);
    expect(sidecar.news()).toEqual([]);
    await house.post('/v1/gray/default/reviews/start', { by, to: 'v2', weight: 10 });
    await sidecar.until('the new routes', () => sidecar.news().some((one) => one.startsWith('RDS')));
  });

  test('etcd that is wiped freezes the pilot: it says so and serves the last good, also to those that come', async () => {
    const { etcd, house, running, sidecar } = await openScene();
    await etcd.restart({ wiped: true });
    const frozen = await until('frozen', async () => {
      const ready = await house.send('GET', '/readyz');
      return ready.status === 503 && ready;
    });
    expect(frozen.body).toContain('frozen: ');
    const other = running.find((one) => serviceOf(one) === 'default/productpage') as (typeof running)[number];
    const comer = connectSidecar(house.pilot.xdsAddress, other.plan, other.instance);
    closers.push(() => comer.close());
    await comer.until('the last good', () => endpointsOf(comer) === 3);
    expect(sidecar.news()).toEqual([]);
    expect(endpointsOf(sidecar)).toBe(3);
    // Started again on the empty store it has nothing to serve, which is not the same as serving nothing.
    await house.restartPilot();
    comer.reconnect(house.pilot.xdsAddress);
    const refused = /mesh_xds_streams_ended_total\{.*\} [1-9]/;
    await until('it was refused', async () => refused.test((await house.send('GET', '/metrics')).body as string));
    expect(endpointsOf(comer)).toBe(3);
  });

  test('history that is compacted while nobody watches is no loss', async () => {
    const { etcd, house, running, sidecar } = await openScene();
    const [gone] = running.filter((one) => serviceOf(one) === 'default/reviews');
    const { plan, instance } = gone as (typeof running)[number];
    await etcd.kill();
    await etcd.restart();
    const put = { key: 'foreign', value: '1' };
    await house.store.transact({ compare: [], put: [put], delete: [versionKey(plan, instance)] });
    const operator = operatorAt(etcd.address);
    closers.push(() => operator.close());
    await operator.compact(await house.store.head());
    await isSynced(house);
    await sidecar.until('it is unhealthy', () =>
      JSON.stringify([...sidecar.has('EDS').values()]).includes('"healthStatus":"UNHEALTHY"'),
    );
  });

  test('a damaged value spoils only itself', async () => {
    const { house, sidecar } = await openScene();
    const { keys } = house.store;
    const put = [
      { key: keys.def('Service', 'default', 'cut-off'), value: '{"document":' },
      {
        key: keys.def('Service', 'default', 'nameless'),
        value: '{"document":{"kind":"Service","spec":7},"revision":1}',
      },
      { key: keys.def('Version', 'default', 'reviews-v2'), value: '[]' },
      { key: keys.release('default', 'reviews'), value: '{}' },
      { key: keys.instance('node-a', 'nobody'), value: 'x' },
      { key: keys.pilot('nobody'), value: 'x' },
      { key: keys.ack('nobody'), value: 'x' },
      { key: 'services/reviews/nobody', value: 'x' },
    ];
    await house.store.transact({ compare: [], put, delete: [] });
    await settled(house);
    const services = await house.get<List<DefinitionItem>>('/v1/definitions/service');
    expect(services.items.map(({ document }) => document.metadata.name)).toContain('reviews');
    await house.get('/v1/status');
    expect(sidecar.news()).toEqual([]);
  });

  test('a pilot that is started on damaged values serves what they were before', async () => {
    const { house, sidecar } = await openScene();
    const { keys } = house.store;
    await house.post('/v1/gray/default/reviews/start', { by, to: 'v2', weight: 10 });
    await settled(house);
    sidecar.news();
    const damaged = [
      keys.def('Service', 'default', 'reviews'),
      keys.def('Version', 'default', 'reviews-v2'),
      keys.release('default', 'reviews'),
    ];
    const neverGood = keys.def('Service', 'default', 'nobody');
    const put = [...damaged, neverGood].map((key) => ({ key, value: '{"document":' }));
    await house.store.transact({ compare: [], put, delete: [] });
    await house.restartPilot();
    sidecar.reconnect(house.pilot.xdsAddress);
    await settled(house);
    expect(sidecar.news()).toEqual([]);
    const services = await house.get<List<DefinitionItem>>('/v1/definitions/service');
    expect(services.items.find(({ document }) => document.metadata.name === 'reviews')?.problems).not.toEqual([]);
  });
});

/** As a service does that was not started by us: a release needs somebody to take the traffic. */
async function registerByItself(dataDir: string, version: string): Promise<void> {
  const { storeUrl } = JSON.parse(await readFile(path.join(dataDir, 'up.json'), 'utf8')) as { storeUrl: string };
  const store = await openAt(storeUrl.slice('etcd://'.length), 'lightmesh/');
  const address = '192.0.2.1:20000';
  const key = namingKey({ namespace: 'default', service: 'reviews', version }, address);
  await store.transact({
    compare: [],
    put: [{ key, value: encodeNamingValue({ address, mesh: { version } }) }],
    delete: [],
  });
  await store.close();
}

test('mesh up that is killed goes on where it was: revision, release and weight', async () => {
  const folder = await temporaryFolder('up');
  closers.push(() => folder.remove());
  const dataDir = path.join(folder.path, 'data');
  const server = `http://127.0.0.1:${await freePort()}`;
  const xds = `127.0.0.1:${await freePort()}`;
  const start = async (): Promise<Daemon> => {
    const daemon = startDaemon(['up', '--data-dir', dataDir, '--listen', server.slice('http://'.length), '--xds', xds]);
    closers.push(() => daemon.stop());
    await until('it is ready', async () => (await fetch(`${server}/readyz`)).ok, 20_000);
    return daemon;
  };
  const up = await start();
  // Its node is elsewhere: nothing is to run here.
  const input = smallWorld({
    nodes: [{ name: 'away', address: '192.0.2.1', ports: '20000-20099' }],
    services: [{ name: 'reviews', spec: { stable: 'v1' }, versions: { v1: {}, v2: {} } }],
    deploy: [],
  });
  await meshOk(['--server', server, 'apply', '-f', '-'], { input });
  await registerByItself(dataDir, 'v2');
  const gray = async (...args: string[]): Promise<{ readonly revision: number }> =>
    JSON.parse(await meshOk(['--server', server, 'gray', ...args, '-o', 'json'])) as { revision: number };
  const { revision } = await gray('start', 'reviews', '--to', 'v2', '--weight', '30');
  const second = await mesh(['up', '--data-dir', dataDir, '--listen', '127.0.0.1:0', '--xds', '127.0.0.1:0']);
  expect(second.code, second.stderr).toBe(5);
  up.signal('SIGKILL');
  await up.ended;
  await start();
  expect(await gray('status', 'reviews')).toMatchObject({ weight: 30, revision });
  expect(await gray('shift', 'reviews', '+20')).toMatchObject({ revision: revision + 1 });
}, 60_000);

test('mesh up without an engine says which node runs nothing, and why', async () => {
  const folder = await temporaryFolder('up');
  closers.push(() => folder.remove());
  const env = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
  const args = ['--data-dir', path.join(folder.path, 'data'), '--listen', '127.0.0.1:0', '--xds', '127.0.0.1:0'];
  const up = startDaemon(['up', ...args], { env });
  closers.push(() => up.stop());
  await until('it is ready', () => up.log().includes('Ready. Next:'), 20_000);
  expect(up.log()).toMatch(/^✖ agent +\S+ could not start, nothing runs there until it can .*nowhere\/docker\.sock/m);
  expect(up.log()).not.toContain('✔ agents');
});
