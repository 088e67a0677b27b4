/** What other nodes' agents see of suspects while evictions are frozen. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { nextSight, noSight, openWitness, suspectsFor, type Witness } from '../../src/agent/witness.js';
import type { EventItem, List } from '../../src/model/api.js';
import type { Eviction, WitnessReport } from '../../src/model/eviction.js';
import { healthSchema } from '../../src/model/service-shape.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import type { Registrar, Store } from '../../src/store/store.js';
import { freePort } from '../support/mesh-process.js';
import { openPilotHouse } from '../support/pilot-house.js';
import { openAt, type StoreServer, startEmbeddedServer } from '../support/stores.js';
import { until } from '../support/until.js';

/** A minute of it is a second. */
const clock = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 60, signal) };

let server: StoreServer;
let store: Store;
let registrar: Registrar;
let witness: Witness;
let count = 0;
const listening: Server[] = [];

beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  store = await openAt(server.address, `test-${++count}/`);
  registrar = store.registrar({ ttlSeconds: 10 });
  witness = openWitness({ store, node: 'node-b', registrar, clock, log: silentLogger, random: () => 0 });
});
afterEach(async () => {
  await witness.close();
  await store.close();
  for (const one of listening.splice(0)) one.close();
});

async function listen(one: Server): Promise<string> {
  listening.push(one);
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(one.address() as AddressInfo).port}`; // a TCP server has one
}

const health = healthSchema.parse({ http: '/healthz', timeout: '200ms' });
const suspect = (address: string, over: Partial<Eviction> = {}): Eviction => {
  return { state: 'suspect', since: 1, why: 'lease gone', address, node: 'node-a', version: 'v1', ...over };
};
const put = (values: Readonly<Record<string, object>>): Promise<unknown> =>
  store.transact({
    compare: [],
    put: Object.entries(values).map(([key, value]) => ({ key, value: JSON.stringify(value) })),
    delete: [],
  });
const freeze = (): Promise<unknown> => put({ [store.keys.freeze()]: { since: 1, why: 'many', sizes: {} } });
const report = async (): Promise<WitnessReport | undefined> => {
  const entry = await store.get(store.keys.witness('node-b'));
  return entry && (JSON.parse(entry.value) as WitnessReport);
};

test('tells the living from the dead, by connection and by health check', async () => {
  const well = await listen(createHttpServer((_request, response) => response.end()));
  const ill = await listen(createHttpServer((_request, response) => response.writeHead(503).end()));
  const mute = await listen(createTcpServer());
  const nobody = `127.0.0.1:${await freePort()}`;
  const evict = (id: string): string => store.keys.evict('default', 'app', id);
  await put({
    [evict('well')]: suspect(well, { health }),
    [evict('ill')]: suspect(ill, { health }),
    [evict('frozen')]: suspect(mute, { health }),
    [evict(mute)]: suspect(mute, { node: '' }),
    [evict('gone')]: suspect(nobody),
    [evict('own')]: suspect(well, { node: 'node-b' }),
    [evict('evicted')]: suspect(well, { state: 'evicted' }),
  });
  await freeze();
  const seen = await until('all five are judged', async () => {
    const words = await report();
    return words !== undefined && Object.keys(words).length === 5 && words;
  });
  expect(Object.entries(seen).map(([name, { alive, why }]) => [name, alive, why])).toEqual([
    [`default/app/${mute}`, true, 'it answers'],
    ['default/app/frozen', false, 'no answer within 200 ms'],
    ['default/app/gone', false, expect.stringContaining('ECONNREFUSED')],
    ['default/app/ill', false, 'HTTP status 503'],
    ['default/app/well', true, 'it answers'],
  ]);
  expect((await store.get(store.keys.witness('node-b')))?.lease).toBe(registrar.leaseId);
});

test('looks at nobody while nothing is frozen, and takes its word back when it is over', async () => {
  let calls = 0;
  const address = await listen(createTcpServer(() => calls++));
  await put({ [store.keys.evict('default', 'app', 'a')]: suspect(address) });
  await until('the agent is registered', () => registrar.isAlive());
  expect([calls, await report()]).toEqual([0, undefined]);
  await freeze();
  await until('it has looked', async () => (await report())?.['default/app/a']?.alive);
  await store.transact({ compare: [], put: [], delete: [store.keys.freeze()] });
  await until('the word is gone', async () => (await report()) === undefined);
  // The next one finds nothing of the one before.
  await store.transact({ compare: [], put: [], delete: [store.keys.evict('default', 'app', 'a')] });
  await put({ [store.keys.evict('default', 'app', 'b')]: suspect(address) });
  await freeze();
  await until('it looks again', async () => (await report())?.['default/app/b']?.alive);
  expect(Object.keys((await report()) ?? {})).toEqual(['default/app/b']);
});

test('lets the leader remove from a frozen service who is dead, and keeps who lives', { timeout: 40_000 }, async () => {
  const house = await openPilotHouse(`etcd://${server.address}/${store.prefix.slice(0, -1)}`);
  const owner = await openAt(server.address, store.prefix);
  try {
    await house.apply(
      [
        'apiVersion: mesh/v1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {leaseTtl: 2s, eviction: {linger: 2s}}',
        'apiVersion: mesh/v1\nkind: Service\nmetadata: {name: legacy}\nspec: {port: 80}',
      ].join('\n---\n'),
    );
    const living = [await listen(createTcpServer()), await listen(createTcpServer())];
    const dead = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const registered = owner.registrar({ ttlSeconds: 2 });
    for (const address of [...living, ...dead]) {
      registered.set(
        namingKey({ namespace: 'default', service: 'legacy' }, address),
        encodeNamingValue({ address, mesh: {} }),
      );
    }
    await registered.flush();
    await until('the leader knows them', async () => {
      return (await store.list(store.keys.below('seen'))).entries.length === 4;
    });
    await registered.close({ keepLease: true });
    const events = (): Promise<List<EventItem>> => house.get('/v1/events?service=legacy');
    const evicted = await until(
      'two are removed',
      async () => {
        const found = (await events()).items.filter(({ reason }) => reason === 'evicted');
        return found.length === 2 && found;
      },
      30_000,
    );
    expect(evicted.map(({ name }) => name).toSorted()).toEqual(dead.toSorted());
    expect(new Set(evicted.map(({ message }) => message))).toEqual(
      new Set(["removed: another node's agent has seen it dead"]),
    );
    const left = (await store.list(store.keys.below('evict'))).entries.map(
      ({ value }) => JSON.parse(value) as Eviction,
    );
    expect(left.map(({ address, state }) => [address, state])).toEqual(
      living.toSorted().map((address) => [address, 'suspect']),
    );
    expect((await store.list(store.keys.below('freeze'))).entries).toHaveLength(1);
  } finally {
    await owner.close();
    await house.close();
  }
});

test('three failures in a row are a death, one answer is life', () => {
  const [one, two] = [nextSight(noSight, 'no', 1), nextSight(nextSight(noSight, 'no', 1), 'no', 2)];
  expect([one.alive, two.alive]).toEqual([undefined, undefined]);
  const dead = nextSight(two, 'still no', 3);
  expect(dead).toEqual({ failures: 3, alive: false, at: 3, why: 'still no' });
  expect(nextSight(dead, 'no', 4)).toMatchObject({ alive: false, at: 3 });
  const back = nextSight(dead, undefined, 5);
  expect(back).toEqual({ failures: 0, alive: true, at: 5, why: 'it answers' });
  expect(nextSight(nextSight(back, 'no', 6), 'no', 7).alive).toBe(true);
});

test('of very many suspects each node looks at a bounded part, and together at all', () => {
  const all = Array.from({ length: 1000 }, (_, i) => ({
    name: `default/app/i-${i}`,
    eviction: suspect('127.0.0.1:1', { node: 'elsewhere' }),
  }));
  const parts = Array.from({ length: 40 }, (_, i) => suspectsFor(`node-${i}`, all));
  expect(new Set(parts.map(({ length }) => length))).toEqual(new Set([200]));
  expect(new Set(parts.flat().map(({ name }) => name)).size).toBe(1000);
});
