/** Goal: a store that is not the one it was changes nothing that proxies have, on every pilot, until an operator says so. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeStatus } from '../../src/model/leased-values.js';
import { type Pilot, startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { adoptStore, frozenIn } from '../../src/store/adopt.js';
import { parseEpoch } from '../../src/store/epoch.js';
import type { Store } from '../../src/store/store.js';
import { hasEtcd } from '../support/etcd.js';
import { smallWorld } from '../support/small-world.js';
import { openAt, type StoreServer, startEmbeddedServer, startEtcdServer } from '../support/stores.js';
import { until } from '../support/until.js';

const servers = { embedded: startEmbeddedServer, ...(hasEtcd() ? { etcd: startEtcdServer } : {}) };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
});

interface Running {
  readonly store: Store;
  readonly pilot: Pilot;
  ready(): Promise<{ readonly status: number; readonly text: string }>;
  close(): Promise<void>;
}

async function runPilot(server: StoreServer, id: string): Promise<Running> {
  const store = await openAt(server.address, 'lightmesh/');
  const common = { clock: systemClock, log: silentLogger, version: 'test' };
  const pilot = await startPilot({ ...common, store, http: '127.0.0.1:0', xds: '127.0.0.1:0', id });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await pilot.close();
    await store.close();
  };
  closers.push(close);
  const ready = async (): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`http://${pilot.httpAddress}/readyz`);
    return { status: answer.status, text: await answer.text() };
  };
  return { store, pilot, ready, close };
}
const frozen = (running: Running, why: RegExp): Promise<unknown> =>
  until(`${running.pilot.id} is frozen`, async () => {
    const { status, text } = await running.ready();
    return status === 503 && why.test(text) && text.includes('`mesh store adopt`');
  });
const serves = (running: Running): Promise<unknown> =>
  until(`${running.pilot.id} is ready`, async () => (await running.ready()).status === 200);

async function apply({ pilot }: Running, name: string): Promise<Response> {
  const text = smallWorld({ nodes: [], deploy: [], services: [{ name }] });
  const body = JSON.stringify({ by: 'test', files: [{ name: 'a.yaml', text }] });
  return fetch(`http://${pilot.httpAddress}/v1/apply`, { method: 'POST', body });
}
async function adopt(store: Store): Promise<string[]> {
  const epoch = await store.get(store.keys.metaEpoch);
  const { entries } = await store.list([store.keys.below('pilot'), store.keys.below('node')]);
  const found = frozenIn(store, entries, parseEpoch(epoch?.value));
  await adoptStore(store, found, epoch, { by: 'operator', why: 'test', at: 1 });
  return found.map(({ who }) => who).sort();
}
async function twoPilots(server: StoreServer): Promise<readonly [Running, Running]> {
  const one = await runPilot(server, 'p1');
  const two = await runPilot(server, 'p2');
  await Promise.all([one.pilot.whenReady, two.pilot.whenReady]);
  expect((await apply(one, 'reviews')).status).toBe(200);
  return [one, two];
}

describe.each(Object.entries(servers))('on %s', (_, start) => {
  const started = async (): Promise<StoreServer> => {
    const server = await start();
    closers.push(() => server.stop());
    return server;
  };

  it('a wiped store freezes all pilots and one that starts, and adoption ends it for all of them', async () => {
    const server = await started();
    const [one, two] = await twoPilots(server);
    await server.restart({ wiped: true });
    await Promise.all([
      frozen(one, /the store is empty|another history/),
      frozen(two, /the store is empty|another history/),
    ]);
    await until(
      'both have said so',
      async () => (await one.store.list(one.store.keys.below('pilot'))).entries.length === 2,
    );
    const three = await runPilot(server, 'p3');
    await frozen(three, /pilot p[12] knows a mesh that this store has lost/);
    // Whoever waits remembers for those who knew: pilots that are replaced one by one do not take it silently.
    await one.close();
    await two.close();
    await until(
      'p3 is alone',
      async () => (await three.store.list(three.store.keys.below('pilot'))).entries.length === 1,
    );
    const four = await runPilot(server, 'p4');
    await frozen(four, /pilot p3 knows a mesh/);
    await frozen(three, /knows a mesh/);
    expect(await adopt(four.store)).toEqual(['pilot p3', 'pilot p4']);
    await Promise.all([serves(three), serves(four)]);
  }, 30_000);

  it('pilots that lived through it go on with an adopted store, and what is applied then counts', async () => {
    const server = await started();
    const [one, two] = await twoPilots(server);
    await server.restart({ wiped: true });
    await Promise.all([frozen(one, /frozen/), frozen(two, /frozen/)]);
    await until(
      'both have said so',
      async () => (await one.store.list(one.store.keys.below('pilot'))).entries.length === 2,
    );
    // Agents would follow a plan that is deployed here.
    const refused = await apply(one, 'ratings');
    expect({ status: refused.status, body: await refused.json() }).toMatchObject({
      status: 409,
      body: { error: { code: 'MESH2054', message: expect.stringContaining('`mesh store adopt`') } },
    });
    expect(await adopt(one.store)).toEqual(['pilot p1', 'pilot p2']);
    await Promise.all([serves(one), serves(two)]);
    expect((await apply(two, 'ratings')).status).toBe(200);
    const status = await (await fetch(`http://${one.pilot.httpAddress}/v1/status`)).json();
    expect(status).toMatchObject({ revision: 1, services: [{ name: 'ratings' }] });
    await until('it is told what happened', async () => {
      const { entries } = await one.store.list(one.store.keys.below('event'));
      const told = entries.map(({ value }) => JSON.parse(value) as { reason: string; name: string });
      return ['frozen', 'thawed'].every((reason) =>
        told.some((event) => event.reason === reason && event.name === 'p1'),
      );
    });
  }, 30_000);

  it('a pilot that starts where an agent knows another mesh waits for an operator', async () => {
    const server = await started();
    const store = await openAt(server.address, 'lightmesh/');
    closers.push(() => store.close());
    const status: Partial<NodeStatus> = { node: 'node-a', lost: { epoch: 'of-before', reason: 'the store is empty' } };
    await store.transact({
      compare: [],
      put: [{ key: store.keys.node('node-a'), value: JSON.stringify(status) }],
      delete: [],
    });
    const one = await runPilot(server, 'p1');
    await frozen(one, /node node-a knows a mesh that this store has lost \(the store is empty\)/);
    await adopt(store);
    await serves(one);
  }, 20_000);

  it('an epoch that was changed by hand freezes, and the one of before ends it', async () => {
    const server = await started();
    const [one] = await twoPilots(server);
    const { store } = one;
    const before = await store.get(store.keys.metaEpoch);
    const write = (value: string): Promise<unknown> =>
      store.transact({ compare: [], put: [{ key: store.keys.metaEpoch, value }], delete: [] });
    await write('by-hand');
    await frozen(one, /another history \(epoch by-hand/);
    await write(before?.value ?? '');
    await serves(one);
  }, 20_000);
});
