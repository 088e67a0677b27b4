/** The client library over a real etcd and over the embedded server: registration under a lease, and the list that follows it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Naming, openNaming } from '../../src/client/naming.js';
import { type RegisterOptions, type Registration, register } from '../../src/client/register.js';
import type { Release } from '../../src/model/release.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import type { Store } from '../../src/store/store.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { type Operator, openAt, operatorAt, type StoreServer, storeServers } from '../support/stores.js';
import { until } from '../support/until.js';

const SLOW_MS = 20_000;

describe.each(storeServers())('over $name', ({ start }) => {
  let server: StoreServer;
  let operator: Operator;
  let store: Store;
  let closables: { close(): Promise<void> }[] = [];
  let count = 0;
  let service = '';

  const closing = <T extends { close(): Promise<void> }>(thing: T): T => {
    closables.push(thing);
    return thing;
  };
  const registered = (over: Partial<RegisterOptions> = {}): Registration =>
    closing(register({ etcd: server.address, service, address: '10.0.0.1:80', ttlSeconds: 2, ...over }));
  const followed = async (path = `services/${service}`, etcd = server.address): Promise<Naming> =>
    closing(await openNaming({ etcd, path }));
  const proxied = async (): Promise<FaultProxy> => closing(await startFaultProxy(server.address));
  const keys = async (): Promise<string[]> => {
    const { entries } = await store.list([{ prefix: 'services' }, { prefix: 'versions' }]);
    return entries.map((entry) => entry.key).filter((key) => key.includes(`/${service}/`));
  };
  const listed = (...wanted: string[]): Promise<unknown> =>
    until(wanted.join(' and ') || 'nothing is listed', async () => (await keys()).join() === wanted.join());
  const put = (key: string, value: string): Promise<unknown> =>
    store.transact({ compare: [], put: [{ key, value }], delete: [] });
  const define = (stable: string): Promise<unknown> =>
    put(store.keys.def('Service', 'default', service), JSON.stringify({ document: { spec: { stable } } }));
  const release = (phase: Release['phase']): Promise<unknown> =>
    put(store.keys.release('default', service), JSON.stringify({ phase, stable: 'v1', gray: 'v2' }));

  beforeAll(async () => {
    server = await start();
    operator = operatorAt(server.address);
    store = await openAt(server.address, 'lightmesh/');
  }, 30_000);
  beforeEach(() => {
    service = `audit-${++count}`;
  });
  afterEach(async () => {
    for (const thing of closables.reverse()) await thing.close();
    closables = [];
  });
  afterAll(async () => {
    operator.close();
    await store.close();
    await server.stop();
  });

  describe('a service that registers itself', () => {
    it('is listed while it lives, and gone at once when it closes', async () => {
      const registration = registered();
      expect(registration.state()).toMatchObject({ isRegistered: false });
      await registration.whenRegistered();
      expect(registration.state()).toEqual({ isRegistered: true, reason: undefined });
      expect(await keys()).toEqual([`services/${service}/10.0.0.1:80`]);
      await registration.close();
      expect(await keys()).toEqual([]);
      expect(registration.state().reason).toBe('closed');
    });

    it('is listed again after its lease was lost', async () => {
      const registration = registered();
      await registration.whenRegistered();
      for (const lease of await operator.leases()) await operator.revoke(lease);
      await listed();
      await listed(`services/${service}/10.0.0.1:80`);
      await until('it knows', () => registration.state().isRegistered);
    });

    it('may start before its etcd, and is told what is wrong', async () => {
      const proxy = await proxied();
      proxy.drop();
      const registration = registered({ etcd: proxy.address });
      await until('the reason', () => registration.state().reason?.includes(proxy.address));
      proxy.heal();
      await registration.whenRegistered();
      expect(await keys()).toHaveLength(1);
    });

    it('is listed in the place that it names, in its namespace', async () => {
      const place = { node: 'vm-1', region: 'r', zone: 'z' };
      await registered({ namespace: 'shop', version: 'v1', place }).whenRegistered();
      await listed(`services.shop/${service}/10.0.0.1:80`, `versions.shop/${service}/v1/10.0.0.1:80`);
      const { entries } = await store.list({ prefix: `services.shop/${service}/` });
      expect(entries[0]?.value).toBe(encodeNamingValue({ address: '10.0.0.1:80', mesh: { ...place, version: 'v1' } }));
    });

    it('is listed only while its health check says yes', async () => {
      let isHealthy = false;
      const registration = registered({ health: { check: () => isHealthy, intervalMs: 20 } });
      await until('the check speaks', () => registration.state().reason === 'unhealthy: the check says no');
      expect(await keys()).toEqual([]);
      isHealthy = true;
      await registration.whenRegistered();
      await listed(`services/${service}/10.0.0.1:80`);
      isHealthy = false;
      await listed();
      isHealthy = true;
      await listed(`services/${service}/10.0.0.1:80`);
    });

    it('of a gray version is no plain traffic before it is promoted, and the list is never empty in between', async () => {
      const [one, two] = ['10.0.0.1:80', '10.0.0.2:80'];
      await define('v1');
      await registered({ version: 'v1', address: one }).whenRegistered();
      await registered({ version: 'v2', address: two }).whenRegistered();
      const versions = [`versions/${service}/v1/${one}`, `versions/${service}/v2/${two}`];
      await listed(`services/${service}/${one}`, ...versions);
      const naming = await followed();
      const lengths: number[] = [];
      naming.onChange((addresses) => lengths.push(addresses.length));
      await release('step');
      await release('succeeded');
      await listed(`services/${service}/${two}`, ...versions);
      await release('undone');
      await listed(`services/${service}/${one}`, ...versions);
      expect(lengths).not.toContain(0);
    });
  });

  describe('a list of addresses', () => {
    const stable = (address: string): string => namingKey({ namespace: 'default', service }, address);
    const value = (address: string): string => encodeNamingValue({ address, mesh: {} });
    const add = (address: string): Promise<unknown> => put(stable(address), value(address));
    const follows = (naming: Naming, ...addresses: string[]): Promise<unknown> =>
      until(addresses.join(), () => naming.addresses().join() === addresses.join());

    it('follows what is registered', async () => {
      const naming = await followed();
      expect(naming.addresses()).toEqual([]);
      await add('10.0.0.1:80');
      await add('10.0.0.2:80');
      await follows(naming, '10.0.0.1:80', '10.0.0.2:80');
      await store.transact({ compare: [], put: [], delete: [stable('10.0.0.1:80')] });
      await follows(naming, '10.0.0.2:80');
    });

    it('stays as it was while etcd is away, also when all that it has seen is compacted meanwhile', async () => {
      const proxy = await proxied();
      await add('10.0.0.1:80');
      const naming = await followed(undefined, proxy.address);
      proxy.drop();
      await store.transact({ compare: [], put: [], delete: [stable('10.0.0.1:80')] });
      await add('10.0.0.2:80');
      await operator.compact(await store.head());
      expect(naming.addresses()).toEqual(['10.0.0.1:80']);
      proxy.heal();
      await follows(naming, '10.0.0.2:80');
    });

    it(
      'outlives a store that was wiped, until somebody registers again',
      async () => {
        await registered({ address: '10.0.0.1:80' }).whenRegistered();
        await add('10.0.0.2:80');
        const naming = await followed();
        const lengths: number[] = [];
        naming.onChange((addresses) => lengths.push(addresses.length));
        await server.restart({ wiped: true });
        await follows(naming, '10.0.0.1:80');
        expect(lengths).not.toContain(0);
      },
      SLOW_MS,
    );
  });
});

describe('what can never be registered is refused at once', () => {
  it.each([
    [{ service: 'Audit' }, 'the service is "Audit"'],
    [{ namespace: 'a/b' }, 'the namespace is "a/b"'],
    [{ version: 'v/1' }, 'the version is "v/1"'],
    [{ address: '10.0.0.1' }, 'the address is "10.0.0.1"'],
    [{ address: '0.0.0.0:80' }, 'host:port at which callers reach it'],
    [{ ttlSeconds: 1 }, 'ttlSeconds is 1, expected a whole number, 2 at least'],
    [{ etcd: '' }, 'no address of etcd is given'],
  ])('%j', (over, message) => {
    expect(() => register({ etcd: '127.0.0.1:1', service: 'audit', address: '10.0.0.1:80', ...over })).toThrow(message);
  });
});
