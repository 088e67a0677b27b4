/** Goal: after its store was wiped or restored, a node's agent says so, and brings the store to what it knows of its node. */
import { afterEach, describe, expect, it } from 'vitest';
import { openRegistration, type Registration } from '../../src/agent/registration.js';
import { openStoreView, type StoreView } from '../../src/agent/store-view.js';
import type { InstanceRecord } from '../../src/model/instance.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { adoptStore } from '../../src/store/adopt.js';
import type { Store } from '../../src/store/store.js';
import { hasEtcd } from '../support/etcd.js';
import { openAt, type StoreServer, startEmbeddedServer, startEtcdServer } from '../support/stores.js';
import { until } from '../support/until.js';

const servers = { embedded: startEmbeddedServer, ...(hasEtcd() ? { etcd: startEtcdServer } : {}) };
const never = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
});

const record = (instance: string, planRevision = 7): InstanceRecord => ({
  instance,
  namespace: 'default',
  service: 'reviews',
  version: 'v1',
  node: 'node-a',
  cluster: '',
  region: '',
  zone: '',
  address: '10.0.0.1',
  ports: { app: {}, inbound: {}, proxy: 1, metrics: 2, upstreams: {} },
  labels: {},
  state: 'healthy',
  reason: '',
  container: instance,
  sidecar: `${instance}-sidecar`,
  startedAt: 1,
  planRevision,
});

interface Scene {
  readonly server: StoreServer;
  readonly store: Store;
  readonly registration: Registration;
  readonly storeView: StoreView;
  otherStores(): number;
}

async function openScene(start: () => Promise<StoreServer>): Promise<Scene> {
  const server = await start();
  closers.push(() => server.stop());
  const store = await openAt(server.address, 'lightmesh/');
  closers.push(() => store.close());
  let otherStores = 0;
  const storeView = await openStoreView(
    { store, node: 'node-a', log: silentLogger, onChange: () => {}, onOtherStore: () => otherStores++ },
    never,
  );
  closers.push(() => storeView.close());
  const claim = { key: store.keys.node('node-a'), onHeld: () => {} };
  const registrar = store.registrar({ ttlSeconds: 5, claim });
  registrar.set(claim.key, '{"node":"node-a"}');
  await registrar.flush();
  const registration = await openRegistration(store, registrar, 'node-a', never);
  for (const instance of ['reviews-1', 'reviews-2']) await registration.write(record(instance), never);
  await registration.put('reviews-1', [{ key: 'services/reviews/10.0.0.1:80', value: '{}' }], never);
  return { server, store, registration, storeView, otherStores: () => otherStores };
}
const recordsIn = async ({ store }: Scene): Promise<string[]> => {
  const { entries } = await store.list(store.keys.below('instance', 'node-a'));
  return entries.map(({ key }) => key.slice(key.lastIndexOf('/') + 1));
};
const restate = ({ registration }: Scene): Promise<true> =>
  until('the node is ours again', () => registration.restate(never).then(() => true as const));

describe.each(Object.entries(servers))('on %s', (_, start) => {
  it('knows that the store was wiped, and writes its records and its registrations again', async () => {
    const scene = await openScene(start);
    const { server, store, storeView } = scene;
    expect(storeView.lost()).toBeUndefined();
    await server.restart({ wiped: true });
    await until('it has noticed', () => scene.otherStores() > 0 && storeView.lost());
    await restate(scene);
    expect(await recordsIn(scene)).toEqual(['reviews-1', 'reviews-2']);
    await until(
      'its registration is back',
      async () => (await store.get('services/reviews/10.0.0.1:80')) !== undefined,
    );
  }, 30_000);

  it('removes what a backup brings back of instances that it has no more, but not what others own', async () => {
    const scene = await openScene(start);
    const { store, registration, storeView } = scene;
    await registration.forget('reviews-2', never);
    const put = [record('reviews-2'), record('joined-by-itself', 0)].map((one) => {
      return { key: store.keys.instance('node-a', one.instance), value: JSON.stringify(one) };
    });
    await store.transact({ compare: [], put, delete: [store.keys.instance('node-a', 'reviews-1')] });
    await restate(scene);
    expect(await recordsIn(scene)).toEqual(['joined-by-itself', 'reviews-1']);
    // Nothing of this was another store.
    expect(storeView.lost()).toBeUndefined();
  }, 20_000);
});

it('says what it has lost until an operator gives that up', async () => {
  const scene = await openScene(startEmbeddedServer);
  const { store, storeView } = scene;
  const known = await store.get(store.keys.metaEpoch);
  await store.transact({ compare: [], put: [{ key: store.keys.metaEpoch, value: 'other' }], delete: [] });
  const lost = await until('it has noticed', () => storeView.lost());
  expect(lost.reason).toContain('another history (epoch other');
  expect(JSON.parse(known?.value ?? '')).toMatchObject({ id: lost.epoch });
  const before = await store.get(store.keys.metaEpoch);
  await adoptStore(store, [{ who: 'node node-a', lost }], before, { by: 'operator', why: '', at: 1 });
  await until('it has taken it', () => storeView.lost() === undefined);
  expect(scene.otherStores()).toBe(2);
}, 20_000);
