/** Goal: no proxy ever goes back in time, whichever pilot it comes to: one of two is cut off from the store. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { List, ProxyItem } from '../../src/model/api.js';
import { type Pilot, startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import type { Store } from '../../src/store/store.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { openPilotHouse, type PilotHouse, runPlans, serviceOf, setInstance } from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { openAt } from '../support/stores.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

type Running = Awaited<ReturnType<typeof runPlans>>[number];

let house: PilotHouse;
let link: FaultProxy;
let store: Store;
let second: Pilot;
let sidecar: Sidecar;
let caller: Running;
let called: Running;

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply(readWorld('example'));
  await house.post('/v1/deploy', { by: 'test' });
  const running = await runPlans(house.store);
  const theInstance = (service: string): Running => running.find((one) => serviceOf(one) === service) as Running;
  caller = theInstance('default/productpage');
  called = theInstance('default/reviews');
  link = await startFaultProxy(house.store.addresses[0] as string);
  store = await openAt(link.address, house.store.prefix, 1000);
  const common = { clock: systemClock, log: silentLogger, version: 'test' };
  second = await startPilot({ ...common, store, http: '127.0.0.1:0', xds: '127.0.0.1:0', id: 'p2' });
  await second.whenReady;
  sidecar = connectSidecar(second.xdsAddress, caller.plan, caller.instance);
  await sidecar.until('both endpoints', () => healthy(sidecar) === 2);
});

afterAll(async () => {
  sidecar.close();
  await second.close();
  await store.close();
  await link.close();
  await house.close();
});

/** Endpoints of reviews v1 that may get requests. */
function healthy(of: Sidecar): number {
  const found = of.has('EDS').get('outbound|9080|v1|reviews.default.svc.cluster.local')?.json as
    | { endpoints?: { lbEndpoints?: { healthStatus?: string }[] }[] }
    | undefined;
  const all = (found?.endpoints ?? []).flatMap((locality) => locality.lbEndpoints ?? []);
  return all.filter(({ healthStatus = 'HEALTHY' }) => healthStatus === 'HEALTHY').length;
}

async function refusals(): Promise<number> {
  const text = await (await fetch(`http://${second.httpAddress}/metrics`)).text();
  return Number(/mesh_xds_streams_ended_total\{reason="refused"\} (\d+)/.exec(text)?.[1] ?? 0);
}

test('a pilot that is cut off from the store does not serve a proxy that another one has brought further', async () => {
  link.blackHole();
  await setInstance(house.store, called.plan, called.instance, 'unhealthy');
  sidecar.reconnect(house.pilot.xdsAddress);
  await sidecar.until('one endpoint', () => healthy(sidecar) === 1);
  sidecar.news();
  const before = await refusals();
  sidecar.reconnect(second.xdsAddress);
  await until('it is sent elsewhere', async () => (await refusals()) > before);
  expect(sidecar.news()).toEqual([]);
  expect(healthy(sidecar)).toBe(1);
});

test('but it serves its last good to one that has nothing', async () => {
  const comer = connectSidecar(second.xdsAddress, caller.plan, caller.instance);
  await comer.until('what was, before it was cut off', () => healthy(comer) === 2);
  comer.close();
});

test('and serves every proxy again as soon as it has caught up', async () => {
  link.heal();
  const isInSync = async (): Promise<boolean> => {
    const list = (await (await fetch(`http://${second.httpAddress}/v1/proxies`)).json()) as List<ProxyItem>; // as the path answers
    return list.items.length === 1 && list.items[0]?.types['EDS']?.state === 'SYNCED';
  };
  await until('it takes the proxy', async () => {
    const before = await refusals();
    sidecar.reconnect(second.xdsAddress);
    await until('an answer', async () => (await isInSync()) || (await refusals()) > before);
    return isInSync();
  });
  expect(healthy(sidecar)).toBe(1);
});

test('a pilot that stops says so, leaves the list of pilots, and then ends its streams', async () => {
  const pilots = async (): Promise<number> => (await house.store.list(house.store.keys.below('pilot'))).entries.length;
  expect(await pilots()).toBe(2);
  const closed = second.close();
  const ready = await fetch(`http://${second.httpAddress}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, 'the pilot is stopping\n']);
  await closed;
  expect(await pilots()).toBe(1);
  expect(await fetch(`http://${second.httpAddress}/readyz`).catch(() => 'refused')).toBe('refused');
});
