/**
 * Mode 3, an upstream without a proxy: what callers see that resolve names in etcd themselves. The demo application does
 * it with lightmesh/client, programs in Go with the stock resolvers of etcd's own clients; all are held to the same.
 */
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { type Clock, systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { type Etcd, startEtcd } from '../support/etcd.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { buildGoClients, callInGo, followInGo, type GoFollower, type GoFollowOptions } from '../support/go-clients.js';
import { freePort, root } from '../support/mesh-process.js';
import { operatorAt } from '../support/stores.js';
import { until } from '../support/until.js';

let etcd: Etcd;
let store: Store;
let go: Awaited<ReturnType<typeof buildGoClients>>;
const apps: Running[] = [];
const followers: GoFollower[] = [];

beforeAll(async () => {
  [etcd, go] = await Promise.all([startEtcd(), buildGoClients()]);
  store = await openStore(etcd.url, { clock: systemClock, log: silentLogger, timeoutMs: 5000 });
});

afterEach(async () => {
  for (const follower of followers.splice(0)) await follower.stop(); // throws what it said when it has panicked
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await store.transact({ compare: [], put: [], delete: [{ prefix: 'services/' }, { prefix: 'versions/' }] });
});

afterAll(async () => {
  await store?.close();
  await etcd?.stop();
});

interface Started {
  readonly app: Running;
  readonly address: string;
}

async function start(service: string, version: string, env: Readonly<Record<string, string>>): Promise<Started> {
  const identity = { MESH_SERVICE: service, MESH_VERSION: version, MESH_NODE: 'node-a', MESH_ETCD: etcd.address };
  const app = await startApp({ PORT: '0', MESH_INSTANCE: `${service}-${version}`, ...identity, ...env });
  apps.push(app);
  return { app, address: `127.0.0.1:${app.ports[0]}` };
}

/** Stable instances are below both names, gray ones below their version only: the agent writes it so. */
async function register({ app, address }: Started, kind: 'stable' | 'gray'): Promise<void> {
  const { service, version } = app.settings;
  const names = [
    { namespace: 'default', service, version },
    ...(kind === 'stable' ? [{ namespace: 'default', service }] : []),
  ];
  const value = encodeNamingValue({ address, mesh: { version } });
  const put = names.map((name) => ({ key: namingKey(name, address), value }));
  await store.transact({ compare: [], put, delete: [] });
}

async function leave({ app, address }: Started): Promise<void> {
  const { service, version } = app.settings;
  const name = { namespace: 'default', service };
  const keys = [namingKey(name, address), namingKey({ ...name, version }, address)];
  await store.transact({ compare: [], put: [], delete: keys });
}

interface Called {
  readonly status: number;
  readonly body: { readonly instance: string; readonly version: string };
}

async function call(caller: Started, upstream: string): Promise<Called> {
  const response = await fetch(`http://${caller.address}/call/${upstream}/hello`);
  return (await response.json()) as Called;
}

async function versionsSeen(caller: Started, upstream: string, calls: number): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  for (let n = 0; n < calls; n++) seen.add((await call(caller, upstream)).body.version);
  return seen;
}

const grpc = { MESH_PROTOCOL: 'grpc' };
const goClients = ['current', 'legacy'] as const;

function follow(client: (typeof goClients)[number], options: Partial<GoFollowOptions> = {}): GoFollower {
  const follower = followInGo(go[client], { etcd: etcd.address, target: 'services/audit', ...options });
  followers.push(follower);
  return follower;
}

const resolves = (follower: GoFollower, ...wanted: readonly Started[]): Promise<unknown> => {
  const addresses = wanted.map(({ address }) => address).sort();
  return until(`${addresses.join()} in Go`, () => follower.addresses()?.join() === addresses.join());
};
const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

describe('a caller that resolves names in etcd', () => {
  it('meets every stable instance in turn and no gray one, in Node as in Go', async () => {
    const stable = [
      await start('audit', 'v1', { ...grpc, MESH_INSTANCE: 'audit-1' }),
      await start('audit', 'v1', { ...grpc, MESH_INSTANCE: 'audit-2' }),
    ];
    const gray = await start('audit', 'v2', grpc);
    for (const instance of stable) await register(instance, 'stable');
    await register(gray, 'gray');
    const caller = await start('productpage', 'v1', { AUDIT_ADDR: 'etcd:///services/audit' });

    const instances = new Set<string>();
    await until('both instances answer', async () => {
      const { body } = await call(caller, 'audit');
      expect(body.version).toBe('v1');
      instances.add(body.instance);
      return instances.size === 2;
    });
    for (const client of goClients) {
      const seen = await callInGo(go[client], { etcd: etcd.address, target: 'services/audit', calls: 20 });
      expect(seen.addresses).toEqual(stable.map(({ address }) => address).sort());
      expect(Object.keys(seen.backends)).toEqual(['audit/v1']);
      expect(Object.keys(seen.instances).sort()).toEqual(['audit-1', 'audit-2']);
      expect(seen.failures).toEqual({});
    }
  });

  it('meets the gray version where it asks for it by name', async () => {
    await register(await start('audit', 'v1', grpc), 'stable');
    await register(await start('audit', 'v2', grpc), 'gray');
    const caller = await start('productpage', 'v1', { AUDIT_ADDR: 'etcd:///versions/audit/v2' });
    expect(await versionsSeen(caller, 'audit', 3)).toEqual(new Set(['v2']));
    for (const client of goClients) {
      const { backends } = await callInGo(go[client], { etcd: etcd.address, target: 'versions/audit/v2', calls: 5 });
      expect(Object.keys(backends)).toEqual(['audit/v2']);
    }
  });

  it.each([
    ['gRPC', grpc, {}],
    ['HTTP', {}, { AUDIT_URL: 'etcd:///services/audit' }],
  ])('follows instances that come and go, over %s', async (_, protocol, url) => {
    const old = await start('audit', 'v1', protocol);
    await register(old, 'stable');
    const caller = await start('productpage', 'v1', { AUDIT_ADDR: 'etcd:///services/audit', ...url });
    expect((await call(caller, 'audit')).body.version).toBe('v1');
    await register(await start('audit', 'v2', protocol), 'stable');
    await leave(old);
    await until('only the new one answers', async () => (await versionsSeen(caller, 'audit', 4)).size === 1);
    expect((await call(caller, 'audit')).body.version).toBe('v2');
  });

  it('is told at once when nobody is registered', async () => {
    const caller = await start('productpage', 'v1', { AUDIT_ADDR: 'etcd:///services/audit' });
    expect(await call(caller, 'audit')).toMatchObject({ status: 14 });
    const overHttp = await start('productpage', 'v1', {
      AUDIT_ADDR: 'etcd:///services/audit',
      AUDIT_URL: 'etcd:///services/audit',
    });
    const response = await fetch(`http://${overHttp.address}/call/audit/`);
    expect([response.status, await response.text()]).toEqual([
      502,
      expect.stringContaining('no instance is registered'),
    ]);
  });

  it('keeps its list while etcd is away, and follows again when it is back', async () => {
    const old = await start('audit', 'v1', grpc);
    await register(old, 'stable');
    const caller = await start('productpage', 'v1', { AUDIT_ADDR: 'etcd:///services/audit' });
    expect((await call(caller, 'audit')).status).toBe(0);
    await etcd.kill();
    for (let n = 0; n < 5; n++) expect((await call(caller, 'audit')).body.version).toBe('v1');
    await etcd.restart();
    await register(await start('audit', 'v2', grpc), 'stable');
    await until('the new one answers too', async () => (await versionsSeen(caller, 'audit', 4)).has('v2'));
  });
});

describe.each(goClients)('a %s client of etcd in Go', (client) => {
  it('follows instances that come and go under calls, loses none and sees no empty list', async () => {
    const one = await start('audit', 'v1', { ...grpc, MESH_INSTANCE: 'audit-1' });
    await register(one, 'stable');
    const follower = follow(client, { perSecond: 200 });
    await until('it calls', () => sum(follower.calls().backends) > 20);
    const two = await start('audit', 'v1', { ...grpc, MESH_INSTANCE: 'audit-2' });
    await register(two, 'stable');
    await resolves(follower, one, two);
    await until('the second is called', () => (follower.calls().instances['audit-2'] ?? 0) > 20);
    await leave(one);
    await resolves(follower, two);
    expect(follower.lost).toEqual([one.address]);
    await follower.stop();
    expect(follower.calls().failures).toEqual({});
    expect(follower.lists.filter((list) => list.length === 0)).toEqual([]);
  });

  it('keeps its list while etcd is away, and follows again when it is back', async () => {
    const one = await start('audit', 'v1', grpc);
    await register(one, 'stable');
    const follower = follow(client, { perSecond: 50 });
    await resolves(follower, one);
    await etcd.kill();
    const before = sum(follower.calls().backends);
    await until('it goes on calling', () => sum(follower.calls().backends) > before + 20);
    await etcd.restart();
    const two = await start('audit', 'v1', grpc);
    await register(two, 'stable');
    await resolves(follower, one, two);
    await follower.stop();
    expect(follower.calls().failures).toEqual({});
  });

  // Its watch resumes from the last event that it saw. When that is compacted it is deaf for ever, so the registrar writes
  // each key again well within the time that etcd keeps.
  it('still follows a service that was quiet for longer than etcd keeps, after its connection broke', async () => {
    const clock = hurriedClock();
    const ours = await openStore(etcd.url, { clock, log: silentLogger, timeoutMs: 5000 });
    const registrar = ours.registrar({ ttlSeconds: 3 });
    const proxy = await startFaultProxy(etcd.address);
    const operator = operatorAt(etcd.address);
    try {
      const one = await start('audit', 'v1', grpc);
      const key = namingKey({ namespace: 'default', service: 'audit' }, one.address);
      registrar.set(key, encodeNamingValue({ address: one.address, mesh: {} }));
      await registrar.flush();
      const follower = follow(client, { etcd: proxy.address });
      await resolves(follower, one);
      const written = (await store.get(key))?.modRevision ?? 0n;
      for (let n = 0; n < 3; n++) {
        await store.transact({ compare: [], put: [{ key: `other/${n}`, value: '' }], delete: [] });
      }
      clock.hurry(20 * 60_000);
      await until('the key is written again', async () => ((await store.get(key))?.modRevision ?? 0n) > written);
      await operator.compact((await store.get(key))?.modRevision ?? 0n);
      proxy.cut();
      const two = await start('audit', 'v1', grpc);
      await register(two, 'stable');
      await resolves(follower, one, two);
      expect(follower.broken).toEqual([]);
    } finally {
      operator.close();
      await ours.close();
      await proxy.close();
    }
  });
});

describe('the examples of docs/how-to/clients.md', () => {
  const examples = path.join(root, 'fixtures/examples');
  const env = (): NodeJS.ProcessEnv => ({ ...process.env, MESH_ETCD: etcd.address });
  const node = (file: string, ...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)('node', [path.join(examples, 'node', file), ...args], { env: env() });
  const isListed = async (address: string): Promise<boolean> =>
    (await store.get(`services/ledger/${address}`)) !== undefined;

  async function runs<T>(command: string, args: readonly string[], test: () => Promise<T>): Promise<T> {
    const child = spawn(command, args, { env: env(), stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    try {
      return await test();
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  }

  it('a service in Go lists itself, callers in Node and in Go find it, and it leaves at once', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await runs(go.register, ['ledger', address], async () => {
      await until('it is listed', () => isListed(address));
      const inNode = await node('call.mjs', 'etcd:///services/ledger');
      expect(inNode.stdout.trim().split('\n')).toEqual(Array(10).fill(`${address} SERVING`));
      const inGo = await promisify(execFile)(go.call, ['etcd:///services/ledger'], { env: env() });
      expect(inGo.stdout).toBe(inNode.stdout);
    });
    expect(await isListed(address)).toBe(false);
  });

  it('a service in Node lists itself, a caller in Node finds it, and it leaves at once', async () => {
    const [host, port] = ['127.0.0.1', String(await freePort())];
    await runs('node', [path.join(examples, 'node/register.mjs'), 'ledger', host, port], async () => {
      await until('it is listed', () => isListed(`${host}:${port}`));
      const { stdout } = await node('follow.mjs', 'services/ledger');
      expect(stdout.trim().split('\n')).toEqual(Array(3).fill(`ledger at ${host}:${port}`));
    });
    expect(await isListed(`${host}:${port}`)).toBe(false);
  });
});

/** The system's clock, until it is told that more time has passed. */
function hurriedClock(): Clock & { hurry(ms: number): void } {
  let aheadMs = 0;
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + aheadMs,
    hurry: (ms) => {
      aheadMs += ms;
    },
  };
}
