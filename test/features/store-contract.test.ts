/**
 * The store's promises, held by a real etcd and by the embedded server alike. Each test works under a prefix of its own;
 * faults are made by a proxy, by restarts and behind the mesh's back.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Mirror, MirrorBatch, Store } from '../../src/store/store.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { type Operator, openAt, operatorAt, type StoreServer, storeServers } from '../support/stores.js';
import { until } from '../support/until.js';

describe.each(storeServers())('$name', ({ start }) => {
  let server: StoreServer;
  let operator: Operator;
  let store: Store;
  let closables: { close(): Promise<void> | void }[] = [];
  let count = 0;

  const closing = <T extends { close(): Promise<void> | void }>(thing: T): T => {
    closables.push(thing);
    return thing;
  };
  const prefixOf = (): string => `test-${count}/`;
  const anotherStore = async (address = server.address): Promise<Store> => closing(await openAt(address, prefixOf()));
  const proxied = async (): Promise<FaultProxy> => closing(await startFaultProxy(server.address));
  const put = (entries: Record<string, string>): Promise<{ storeRevision: bigint }> =>
    store.transact({
      compare: [],
      put: Object.entries(entries).map(([key, value]) => ({ key, value })),
      delete: [],
    });
  const plans = () => store.keys.below('plan');
  const record = (from: Store): { mirror: Mirror; batches: MirrorBatch[] } => {
    const batches: MirrorBatch[] = [];
    const mirror = from.mirror({ list: [plans()], watch: [store.keys.all], onChange: (batch) => batches.push(batch) });
    return { mirror, batches };
  };
  const equalsStore = async (mirror: Mirror): Promise<boolean> => {
    const { entries } = await store.list(plans());
    const text = (list: Iterable<{ key: string; value: string }>) =>
      [...list]
        .map(({ key, value }) => `${key}=${value}`)
        .sort()
        .join();
    return text(entries) === text(mirror.entries.values());
  };

  beforeAll(async () => {
    server = await start();
    operator = operatorAt(server.address);
  }, 30_000);
  afterAll(async () => {
    operator.close();
    await server.stop();
  });
  const fresh = async (): Promise<void> => {
    count++;
    store = await anotherStore();
  };
  afterEach(async () => {
    for (const thing of closables.reverse()) await thing.close();
    closables = [];
  });

  describe('transactions and lists', () => {
    it('writes when the comparisons hold, and nothing when they do not', async () => {
      await fresh();
      const key = store.keys.plan('a');
      const created = await store.transact({
        compare: [{ key, exists: false }],
        put: [{ key, value: '1' }],
        delete: [],
      });
      const again = await store.transact({
        compare: [{ key, modRevision: 0n }],
        put: [{ key, value: '2' }],
        delete: [],
      });
      const other = store.keys.plan('b');
      const stale = await store.transact({
        compare: [{ key, modRevision: created.storeRevision - 1n }],
        put: [{ key: other, value: 'x' }],
        delete: [],
      });
      const changed = await store.transact({
        compare: [
          { key, modRevision: created.storeRevision },
          { key, createRevision: created.storeRevision },
          { key, exists: true },
        ],
        put: [{ key, value: '3' }],
        delete: [],
      });

      expect([created.ok, again.ok, stale.ok, changed.ok]).toEqual([true, false, false, true]);
      expect(await store.get(key)).toEqual({
        key,
        value: '3',
        modRevision: changed.storeRevision,
        createRevision: created.storeRevision,
        lease: '0',
      });
      expect(await store.get(other)).toBeUndefined();
    });

    it('lets exactly one of many who create the same key succeed', async () => {
      await fresh();
      const key = store.keys.lock('deploy');
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          store.transact({ compare: [{ key, exists: false }], put: [{ key, value: String(i) }], delete: [] }),
        ),
      );
      expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    });

    it('puts keys under a lease that nobody renews, so that they vanish with it', async () => {
      await fresh();
      const key = store.keys.event(1, 'x');
      const lease = await store.grant(2);
      await store.transact({ compare: [], put: [{ key, value: '1', lease }], delete: [] });
      expect((await store.get(key))?.lease).toBe(lease);
      await until('the key has vanished', async () => (await store.get(key)) === undefined);
    });

    it('deletes keys and prefixes in the same revision that puts others', async () => {
      await fresh();
      await put({ [store.keys.plan('a')]: '1', [store.keys.deploy('d1')]: '1', [store.keys.deploy('d2')]: '1' });
      const { ok } = await store.transact({
        compare: [],
        put: [{ key: store.keys.plan('b'), value: '2' }],
        delete: [store.keys.plan('a'), { prefix: `${store.prefix}deploy/` }],
      });
      const { entries } = await store.list([plans(), store.keys.below('deploy')]);
      expect(ok).toBe(true);
      expect(entries.map(({ key }) => key)).toEqual([store.keys.plan('b')]);
    });

    it('refuses a transaction that etcd would not take, before sending it', async () => {
      await fresh();
      const many = Array.from({ length: 101 }, (_, i) => ({ key: store.keys.plan(`n${i}`), value: '' }));
      await expect(store.transact({ compare: [], put: many, delete: [] })).rejects.toMatchObject({ code: 'MESH2006' });
      const large = [{ key: store.keys.plan('a'), value: 'x'.repeat(1024 * 1024) }];
      await expect(store.transact({ compare: [], put: large, delete: [] })).rejects.toThrow(/at most 1048576 fit/);
      const most = many.slice(0, 100).map(({ key }) => ({ key, value: 'x'.repeat(10_000) }));
      expect(await store.transact({ compare: [], put: most, delete: [] })).toMatchObject({ ok: true });
    });

    it('lists thousands of keys at one revision, in both directions, up to a limit', async () => {
      await fresh();
      for (let from = 0; from < 2500; from += 100) {
        const names = Array.from({ length: 100 }, (_, i) => String(from + i).padStart(5, '0'));
        await put(Object.fromEntries(names.map((name) => [store.keys.plan(name), name])));
      }
      const listing = await store.list(plans());
      const last = await store.list(plans(), { descending: true, limit: 1200 });
      expect(listing.entries.map(({ value }) => Number(value))).toEqual(Array.from({ length: 2500 }, (_, i) => i));
      expect(last.entries.map(({ value }) => Number(value))).toEqual(Array.from({ length: 1200 }, (_, i) => 2499 - i));
      await put({ [store.keys.plan('00000')]: 'changed' });
      const before = await store.list({ key: store.keys.plan('00000') }, { revision: listing.storeRevision });
      expect(before).toMatchObject({ entries: [{ value: '00000' }], storeRevision: listing.storeRevision });
    });

    it('names the revision that was compacted away', async () => {
      await fresh();
      const { storeRevision } = await put({ [store.keys.plan('a')]: '1' });
      await put({ [store.keys.plan('a')]: '2' });
      await operator.compact(await store.head());
      await expect(store.list(plans(), { revision: storeRevision })).rejects.toMatchObject({ code: 'MESH2006' });
    });

    it('finds out that a transaction was applied when its answer got lost', async () => {
      await fresh();
      const proxy = await proxied();
      const far = await anotherStore(proxy.address);
      const key = store.keys.plan('a');
      await far.transact({ compare: [], put: [], delete: [] }); // has opened the marker's lease
      proxy.cutAfter(1);
      const result = await far.transact({ compare: [{ key, exists: false }], put: [{ key, value: '1' }], delete: [] });
      const entry = await store.get(key);
      expect(proxy.cuts).toBe(1);
      expect(result).toEqual({ ok: true, storeRevision: entry?.modRevision });
      expect(entry?.createRevision).toBe(entry?.modRevision);
    });
  });

  describe('the mirror', () => {
    it('brings one transaction as one batch, without the keys that it does not hold', async () => {
      await fresh();
      await put({ [store.keys.plan('a')]: '1', [store.keys.plan('b')]: '1' });
      const { mirror, batches } = record(store);
      await mirror.whenListed;
      const { storeRevision } = await store.transact({
        compare: [],
        put: [
          { key: store.keys.plan('c'), value: '2' },
          { key: store.keys.rev(7), value: 'history' },
          { key: store.keys.plan('a'), value: '2' },
        ],
        delete: [store.keys.plan('b')],
      });
      await mirror.reach(storeRevision);

      expect(batches).toHaveLength(2);
      expect(batches[0]).toMatchObject({ relisted: true, puts: [{ value: '1' }, { value: '1' }], deletes: [] });
      expect(batches[1]).toMatchObject({ storeRevision, relisted: false, regressed: false });
      expect(batches[1]?.puts.map(({ key }) => key).sort()).toEqual([store.keys.plan('a'), store.keys.plan('c')]);
      expect(batches[1]?.deletes).toMatchObject([{ key: store.keys.plan('b'), previous: { value: '1' } }]);
      expect(await equalsStore(mirror)).toBe(true);
      expect(mirror.synced).toBe(true);
    });

    it('reaches a revision that somebody else made outside of its keys', async () => {
      await fresh();
      const { mirror } = record(store);
      await mirror.whenListed;
      count++;
      const foreign = await anotherStore(); // opening it writes under another prefix
      const head = await foreign.head();
      count--;
      await mirror.reach(head);
      expect(mirror.storeRevision).toBeGreaterThanOrEqual(head);
    });

    it('sees every change once and in order while its connection is cut again and again', async () => {
      await fresh();
      const proxy = await proxied();
      const { mirror, batches } = record(await anotherStore(proxy.address));
      await mirror.whenListed;
      const total = 400;
      for (let i = 1; i <= total; i++) {
        await put({ [store.keys.plan('counter')]: String(i), [store.keys.plan(`n${i % 17}`)]: String(i) });
        if (i % 40 === 0) proxy.cut();
        if (i % 100 === 50) proxy.cutAfter(700);
      }
      await until(
        'the mirror has it all',
        () => mirror.entries.get(store.keys.plan('counter'))?.value === String(total),
      );
      await until('the mirror is synced', () => mirror.synced);

      expect(await equalsStore(mirror)).toBe(true);
      const revisions = batches.map(({ storeRevision }) => storeRevision);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => Number(a - b)));
      // Each value once; only a new list may jump, since it tells what is, not what was.
      let last = 0;
      for (const batch of batches.slice(1)) {
        const value = Number(batch.puts.find(({ key }) => key === store.keys.plan('counter'))?.value);
        expect(batch.relisted ? value > last : value === last + 1, `${last} was followed by ${value}`).toBe(true);
        last = value;
      }
    }, 30_000);

    it('resumes far behind the head and is cut while it catches up, losing nothing', async () => {
      await fresh();
      const proxy = await proxied();
      const { mirror, batches } = record(await anotherStore(proxy.address));
      await mirror.whenListed;
      proxy.drop();
      for (let i = 1; i <= 300; i++) await put({ [store.keys.plan(`n${i % 50}`)]: `${i} ${'x'.repeat(500)}` });
      proxy.cutAfter(60_000);
      proxy.heal();
      await until('the mirror equals the store', async () => mirror.synced && equalsStore(mirror));
      const revisions = batches.map(({ storeRevision }) => storeRevision);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => Number(a - b)));
    }, 20_000);

    it('lists again and tells the differences when its position was compacted while it was away', async () => {
      await fresh();
      await put({ [store.keys.plan('stays')]: '1', [store.keys.plan('goes')]: '1', [store.keys.plan('changes')]: '1' });
      const proxy = await proxied();
      const { mirror, batches } = record(await anotherStore(proxy.address));
      await mirror.whenListed;
      proxy.drop();
      await put({ [store.keys.plan('changes')]: '2', [store.keys.plan('comes')]: '2' });
      await store.transact({ compare: [], put: [], delete: [store.keys.plan('goes')] });
      await operator.compact(await store.head());
      const states: boolean[] = [];
      mirror.onState(({ synced }) => states.push(synced));
      expect(mirror.entries.size).toBe(3);
      proxy.heal();
      await until('the mirror equals the store', async () => mirror.synced && equalsStore(mirror));

      const last = batches.at(-1);
      expect(last).toMatchObject({ relisted: true, regressed: false });
      expect(last?.puts.map(({ key }) => key).sort()).toEqual([store.keys.plan('changes'), store.keys.plan('comes')]);
      expect(last?.deletes.map(({ key }) => key)).toEqual([store.keys.plan('goes')]);
      expect(states.at(-1)).toBe(true);
    });

    it('keeps the last copy while the store does not answer', async () => {
      await fresh();
      await put({ [store.keys.plan('a')]: '1' });
      const proxy = await proxied();
      const { mirror } = record(await anotherStore(proxy.address));
      await until('the mirror is synced', () => mirror.synced);
      const reasons: (string | undefined)[] = [];
      mirror.onState(({ reason }) => reasons.push(reason));
      proxy.blackHole();
      await until('the mirror has noticed', () => !mirror.synced, 9000);
      expect(mirror.entries.get(store.keys.plan('a'))?.value).toBe('1');
      expect(reasons[0]).toBeTruthy();
      proxy.heal();
      await put({ [store.keys.plan('a')]: '2' });
      await until(
        'the mirror has caught up',
        () => mirror.synced && mirror.entries.get(store.keys.plan('a'))?.value === '2',
      );
    }, 25_000);
  });

  describe('the registrar', () => {
    const registered = async (key: string): Promise<boolean> => (await store.get(key)) !== undefined;

    it('writes keys under its lease, deletes one at once, and all of them when it closes', async () => {
      await fresh();
      const [a, b] = [store.keys.node('a'), store.keys.node('b')];
      const registrar = store.registrar({ ttlSeconds: 5 });
      registrar.set(a, '1');
      registrar.set(b, '1');
      await registrar.flush();
      expect(registrar.isAlive()).toBe(true);
      expect((await store.get(a))?.lease).toBe(registrar.leaseId);

      registrar.set(a, '2');
      await registrar.remove(b);
      await registrar.flush();
      expect((await store.get(a))?.value).toBe('2');
      expect(await registered(b)).toBe(false);

      await registrar.close();
      expect(await registered(a)).toBe(false);
      expect(registrar.isAlive()).toBe(false);
    });

    it('writes everything again under a new lease when its lease was revoked', async () => {
      await fresh();
      const keys = Array.from({ length: 250 }, (_, i) => store.keys.node(`n${i}`));
      const registrar = store.registrar({ ttlSeconds: 2 });
      for (const key of keys) registrar.set(key, '1');
      await registrar.flush();
      const lost = registrar.leaseId ?? '';
      await operator.revoke(lost);
      expect((await store.list(store.keys.below('node'))).entries).toHaveLength(0);
      await until('all keys are back', async () => (await store.list(store.keys.below('node'))).entries.length === 250);
      expect(registrar.leaseId).not.toBe(lost);
    });

    it('lets one have a claim at a time, and whoever waits get it when the lease is over', async () => {
      await fresh();
      const key = store.keys.node('a');
      const held: string[] = [];
      const claim = { key, onHeld: (value: string) => void held.push(value) };
      const first = store.registrar({ ttlSeconds: 2, claim });
      first.set(key, 'first');
      await first.flush();
      const second = (await anotherStore()).registrar({ ttlSeconds: 2, claim });
      second.set(key, 'second');
      second.set(store.keys.plan('a'), 'second');
      await until('the second one has seen the first', () => held.length > 0);
      expect([held[0], second.isAlive(), second.claimRevision]).toEqual(['first', false, undefined]);
      expect(await store.get(store.keys.plan('a'))).toBeUndefined();
      // It keeps its lease, as an agent that ends does, but not the claim.
      await first.close({ keepLease: true });
      await second.flush();
      const entry = await store.get(key);
      expect([entry?.value, entry?.createRevision]).toEqual(['second', second.claimRevision]);
      expect((await store.get(store.keys.plan('a')))?.value).toBe('second');
    });

    it('claims again, as another life of the key, when its lease was lost', async () => {
      await fresh();
      const key = store.keys.node('a');
      const registrar = store.registrar({ ttlSeconds: 2, claim: { key, onHeld: () => {} } });
      registrar.set(key, 'mine');
      registrar.set(store.keys.plan('a'), 'mine');
      await registrar.flush();
      const before = registrar.claimRevision;
      await operator.revoke(registrar.leaseId ?? '');
      await until('it is registered again', async () => (await store.get(store.keys.plan('a')))?.value === 'mine');
      expect((await store.get(key))?.createRevision).toBe(registrar.claimRevision);
      expect(registrar.claimRevision).not.toBe(before);
    });

    it('puts and deletes nothing when somebody else has taken its claim', async () => {
      await fresh();
      const key = store.keys.node('a');
      const held: string[] = [];
      const claim = { key, onHeld: (value: string) => void held.push(value) };
      const registrar = store.registrar({ ttlSeconds: 10, claim });
      registrar.set(key, 'mine');
      registrar.set(store.keys.plan('a'), 'mine');
      await registrar.flush();
      await store.transact({ compare: [], put: [], delete: [key] });
      await put({ [key]: 'theirs' });
      void registrar.remove(store.keys.plan('a')).catch(() => {}); // the end of the test ends it
      registrar.set(store.keys.plan('b'), 'mine');
      await until('it knows', () => held.at(-1) === 'theirs');
      expect(registrar.isAlive()).toBe(false);
      expect((await store.get(key))?.value).toBe('theirs');
      expect((await store.get(store.keys.plan('a')))?.value).toBe('mine');
      expect(await store.get(store.keys.plan('b'))).toBeUndefined();
      await store.transact({ compare: [], put: [], delete: [key] });
      await registrar.flush();
      expect((await store.get(key))?.value).toBe('mine');
      expect(await store.get(store.keys.plan('a'))).toBeUndefined();
    });

    it('writes a key again that somebody has deleted', async () => {
      await fresh();
      const key = store.keys.node('a');
      const registrar = store.registrar({ ttlSeconds: 2 });
      registrar.set(key, '1');
      await registrar.flush();
      await store.transact({ compare: [], put: [], delete: [key] });
      await until('the key is back', () => registered(key));
    });

    it('can leave its keys to a successor, whose lease takes them over', async () => {
      await fresh();
      const key = store.keys.node('a');
      const first = store.registrar({ ttlSeconds: 2 });
      first.set(key, '1');
      await first.flush();
      const left = first.leaseId ?? '';
      await first.close({ keepLease: true });
      expect(await registered(key)).toBe(true);
      const second = store.registrar({ ttlSeconds: 2 });
      second.set(key, '1');
      await second.flush();
      await until('the first lease has run out', async () => !(await operator.leases()).includes(left));
      expect((await store.get(key))?.lease).toBe(second.leaseId);
    });

    it('knows by its own clock when its keys may be gone, and registers again when the store is back', async () => {
      await fresh();
      const proxy = await proxied();
      const key = store.keys.node('a');
      const registrar = (await anotherStore(proxy.address)).registrar({ ttlSeconds: 2 });
      const states: boolean[] = [];
      registrar.onState(({ alive }) => states.push(alive));
      registrar.set(key, '1');
      await registrar.flush();
      proxy.drop();
      await until('the store has let the keys go', async () => !(await registered(key)));
      expect(registrar.isAlive()).toBe(false);
      proxy.heal();
      await until('the key is back', () => registered(key));
      await until('the registrar says so', () => states.at(-1));
      expect(states).toEqual([true, false, true]);
    }, 20_000);
  });

  describe('restarts', () => {
    it('keeps keys, revisions and leases over a restart, and clients go on by themselves', async () => {
      await fresh();
      const registrar = store.registrar({ ttlSeconds: 5 });
      registrar.set(store.keys.node('a'), '1');
      await registrar.flush();
      const { leaseId } = registrar;
      const { storeRevision } = await put({ [store.keys.plan('a')]: '1' });
      const { mirror, batches } = record(store);
      await mirror.whenListed;

      await server.restart();
      const entry = await until('the store answers', () => store.get(store.keys.plan('a')));
      expect(entry.modRevision).toBe(storeRevision);
      await put({ [store.keys.plan('b')]: '2' });
      await until('the mirror follows', () => mirror.synced && mirror.entries.has(store.keys.plan('b')));
      await registrar.flush();
      expect(registrar.leaseId).toBe(leaseId);
      expect((await store.get(store.keys.node('a')))?.lease).toBe(leaseId);
      expect(batches.every(({ regressed }) => !regressed)).toBe(true);
    }, 30_000);

    it('says that the history is another one when the store was wiped', async () => {
      await fresh();
      await put({ [store.keys.plan('a')]: '1' });
      const { mirror, batches } = record(store);
      await mirror.whenListed;
      const before = mirror.storeRevision;
      await server.restart({ wiped: true });
      const last = await until('the mirror has noticed', () => batches.find(({ regressed }) => regressed));
      expect(last.relisted).toBe(true);
      expect(last.deletes.map(({ key }) => key)).toEqual([store.keys.plan('a')]);
      expect(last.storeRevision).toBeLessThan(before);
    }, 30_000);
  });
});
