/**
 * The whole mesh as it runs in production form: a real etcd, one pilot and two agents as processes of their own, real containers
 * and real Envoys. The tests walk through its life in order; each leaves the traffic as it found it.
 */
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp } from '../../fixtures/apps/demo-app/app.js';
import { healthyEndpoints } from '../../scripts/envoy-admin.mjs';
import { type LoadResult, load, startLoad } from '../../scripts/load.mjs';
import { register } from '../../src/client/register.js';
import type { GrayStatus, InstanceItem, NodeItem } from '../../src/model/api.js';
import { acceptanceWorld, NODE_A, NODE_B, version, virtualService } from '../support/acceptance-world.js';
import { type Etcd, startEtcd } from '../support/etcd.js';
import { buildGoClients, followInGo } from '../support/go-clients.js';
import { type Daemon, freePort, mesh, meshOk, run, startDaemon, temporaryFolder } from '../support/mesh-process.js';
import { until } from '../support/until.js';

const LEASE_TTL_MS = 5000;
/** Of a Node process on a busy machine. */
const START_MS = 5000;

let etcd: Etcd;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let pilot: Daemon;
const agents = new Map<string, Daemon>();
let server: string;
let direct: Server;

const cli = (...args: string[]): Promise<string> => meshOk(['--server', server, ...args]);
const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await cli(...args, '-o', 'json')) as T;
const instances = async (...args: string[]): Promise<InstanceItem[]> =>
  (await json<{ items: InstanceItem[] }>('ps', ...args)).items;
const applyText = (text: string): Promise<string> => meshOk(['--server', server, 'apply', '-f', '-'], { input: text });
const grayStatus = (service: string): Promise<GrayStatus> => json<GrayStatus>('gray', 'status', service);

function startAgent(node: string): void {
  agents.set(node, startDaemon(['agent', '--store', etcd.url, '--node', node, '--data-dir', folder.path]));
}

async function proxyOf(service: string): Promise<string> {
  const [instance] = await instances(service);
  return `127.0.0.1:${instance?.proxyPort}`;
}

/** Admin sockets of all sidecars: what the Envoys themselves say. */
function adminSockets(): string[] {
  return [NODE_A, NODE_B].flatMap((node) =>
    readdirSync(path.join(folder.path, node))
      .filter((name) => /-\d+(-\d+)?$/.test(name))
      .map((instance) => path.join(folder.path, node, instance, 'run/admin.sock')),
  );
}

/** Whether any Envoy would still send requests to this address. */
async function anyEnvoySends(service: string, address: string): Promise<boolean> {
  const views = await Promise.all(
    adminSockets().map((socket) => healthyEndpoints(socket).catch(() => new Map<string, Set<string>>())),
  );
  return views.some((view) =>
    [...view].some(([cluster, hosts]) => cluster.includes(`|${service}.`) && hosts.has(address)),
  );
}

const share = (result: LoadResult, backend: string): number =>
  (100 * (result.byBackend.get(backend) ?? 0)) / result.sent;
const fourSigma = (percent: number, requests: number): number =>
  400 * Math.sqrt(((percent / 100) * (1 - percent / 100)) / requests);

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

function expectShare(result: LoadResult, backend: string, percent: number): void {
  expect(Math.abs(share(result, backend) - percent), `${backend} got ${share(result, backend)} %`).toBeLessThanOrEqual(
    fourSigma(percent, result.sent),
  );
}

beforeAll(async () => {
  [etcd, folder] = await Promise.all([startEtcd(), temporaryFolder('mesh-acceptance')]);
  direct = createServer((_request, answer) => answer.end(JSON.stringify({ service: 'legacy' })));
  await new Promise<void>((resolve) => direct.listen(0, '127.0.0.1', resolve));
  const { port } = direct.address() as { port: number };
  const [http, xds] = await Promise.all([freePort(), freePort()]);
  server = `http://127.0.0.1:${http}`;
  pilot = startDaemon(['pilot', '--store', etcd.url, '--http', `127.0.0.1:${http}`, '--xds', `127.0.0.1:${xds}`]);
  await until(
    'the pilot is ready',
    async () => (await fetch(`${server}/readyz`).catch(() => undefined))?.status === 200,
    20_000,
  );
  await applyText(acceptanceWorld({ direct: `127.0.0.1:${port}` }));
  startAgent(NODE_A);
  startAgent(NODE_B);
  await cli('deploy', '--timeout', '90s');
}, 180_000);

afterAll(async () => {
  for (const agent of agents.values()) await agent.stop();
  await pilot?.stop();
  for (const node of [NODE_A, NODE_B]) {
    const { stdout } = await run('docker', ['ps', '-aq', '--filter', `label=io.lightmesh.node=${node}`]);
    const ids = stdout.trim().split('\n').filter(Boolean);
    if (ids.length > 0) await run('docker', ['rm', '-f', ...ids]);
  }
  direct?.close();
  await etcd?.stop();
  await folder?.remove();
}, 60_000);

describe('after the first deploy', () => {
  it('every instance is healthy, on both nodes', async () => {
    const all = await instances('-A');
    expect(all.map((i) => `${i.service}/${i.version} ${i.state}`).toSorted()).toEqual([
      'audit/v1 healthy',
      'audit/v2 healthy',
      'productpage/v1 healthy',
      'ratings/v1 healthy',
      'reviews/v1 healthy',
      'reviews/v1 healthy',
      'reviews/v2 healthy',
      'reviews/v3 healthy',
    ]);
    expect(new Set(all.map((i) => i.node))).toEqual(new Set([NODE_A, NODE_B]));
  });

  it('a second deploy changes nothing', async () => {
    expect((await mesh(['--server', server, 'plan', '--exit-code'])).code).toBe(0);
  });

  it('every proxy has acknowledged everything', async () => {
    const { items } = await json<{ items: { types: Record<string, { state: string }> }[] }>('proxy', 'status');
    expect(items).toHaveLength(8);
    // A proxy without upstreams never asks for endpoints: those are not sent to it.
    const states = new Set(items.flatMap((p) => Object.values(p.types).map((t) => t.state)));
    expect([...states].filter((state) => state !== 'SYNCED' && state !== 'NOT_SENT')).toEqual([]);
  });

  it('only the callers that declare an upstream get it', async () => {
    const { items } = await json<{ items: { proxy: string; service: string }[] }>('proxy', 'list');
    const leaf = items.find((p) => p.service === 'reviews');
    const clusters = await cli('proxy', 'config', 'clusters', leaf?.proxy as string);
    expect(clusters).not.toContain('outbound|');
  });
});

describe('protocols through the explicit proxy', () => {
  const curl = async (...args: string[]): Promise<string> =>
    (await run('curl', ['-sS', '-i', '--max-time', '5', ...args])).stdout;

  it.each([
    ['HTTP/1.0', ['-0', '-H', 'Host: reviews:9080'], 'origin'],
    ['HTTP/1.1', ['-H', 'Host: reviews'], 'origin'],
    ['HTTP/2 prior knowledge', ['--http2-prior-knowledge', '-H', 'Host: reviews:9080'], 'origin'],
    ['absolute form', [], 'proxy'],
    ['CONNECT', ['--proxytunnel'], 'proxy'],
    ['the full name', ['-H', 'Host: reviews.default.svc.cluster.local:9080'], 'origin'],
  ])('%s reaches reviews', async (_name, args, form) => {
    const proxy = await proxyOf('productpage');
    const answer =
      form === 'proxy'
        ? await curl('-x', `http://${proxy}`, ...args, 'http://reviews:9080/x')
        : await curl(...args, `http://${proxy}/x`);
    expect(answer.toLowerCase()).toContain('x-backend: reviews/v1');
  });

  it('a namespace other than default is reached by its name', async () => {
    const proxy = await proxyOf('productpage');
    expect((await curl('-H', 'Host: ratings.shop:9080', `http://${proxy}/`)).toLowerCase()).toContain(
      'x-backend: ratings/v1',
    );
  });

  it('a listener of its own needs no host', async () => {
    const [caller] = await instances('productpage');
    const answer = await curl(
      `http://127.0.0.1:${caller?.inboundPort}/call/reviews-own/x`,
      '--interface',
      '127.0.0.1',
    ).catch(() => '');
    const viaNode = answer === '' ? await curl(`http://${caller?.address}/call/reviews-own/x`) : answer;
    expect(viaNode).toContain('reviews');
  });

  it.each([
    ['grpc-js through CONNECT', 'connect'],
    ['grpc-js by authority', 'authority'],
  ])('%s reaches the gRPC service', async (_name, how) => {
    const proxy = await proxyOf('productpage');
    const client = await import('../support/echo-client.js');
    const reply = await client.say({
      proxy,
      target: 'audit:9090',
      how: how as 'connect' | 'authority',
      message: 'hello',
    });
    expect(reply).toMatchObject({ message: 'hello', service: 'audit', version: 'v1' });
  });

  it('an upstream in mode 2 is called directly', async () => {
    const [caller] = await instances('productpage');
    const answer = await curl(`http://${caller?.address}/call/legacy/x`);
    expect(answer).toContain('legacy');
  });

  it('an unknown service is refused with a sentence', async () => {
    const proxy = await proxyOf('productpage');
    expect(await curl('-H', 'Host: nobody:9080', `http://${proxy}/`)).toMatch(/no service "?nobody/i);
  });
});

describe('a gray release', () => {
  it('lands 10,000 requests at weight 10 within four sigma, and its share is what the load saw', async () => {
    await cli('gray', 'start', 'reviews', '--to', 'v2', '--weight', '10');
    const target = { proxy: await proxyOf('productpage'), authority: 'reviews:9080' };
    const result = await load({ ...target, total: 10_000, concurrency: 16 });
    expect(result.failures).toEqual([]);
    expectShare(result, 'reviews/v2', 10);
    const status = await until('every request is reported', async () => {
      const now = await grayStatus('reviews');
      return now.stableCounts.requests + now.grayCounts.requests >= 10_000 && now;
    });
    expect(status.weight).toBe(10);
    expect(status.proxies.acked).toBe(status.proxies.total);
    expect(Math.abs((status.share as number) - share(result, 'reviews/v2'))).toBeLessThan(0.5);
    await cli('gray', 'rollback', 'reviews');
  });

  it('fails no request while it starts, shifts, promotes a step and rolls back, and ends within a second', async () => {
    const target = { proxy: await proxyOf('productpage'), authority: 'reviews:9080' };
    const steady = startLoad({ ...target, perSecond: 1500, concurrency: 16 });
    const more = async (count: number): Promise<void> => {
      const from = steady.result.sent;
      await until(`${count} more requests`, () => steady.result.sent >= from + count, 30_000);
    };
    await more(1000);
    await cli('gray', 'start', 'reviews', '--to', 'v2', '--steps', '5,50', '--match', 'header:x-user=jason');
    await more(1000);
    await cli('gray', 'shift', 'reviews', '20');
    await more(1000);
    await cli('gray', 'shift', 'reviews', '+10');
    await more(1000);
    await cli('gray', 'promote', 'reviews');
    await more(2000);
    const jason = await load({ ...target, total: 100, headers: { 'x-user': 'jason' } });
    expect(share(jason, 'reviews/v2')).toBe(100);
    await cli('gray', 'rollback', 'reviews');
    const returned = performance.now();
    await more(3000);
    const { sent, failures, lastSeenMs } = await steady.stop();
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThanOrEqual(9000);
    expect((lastSeenMs.get('reviews/v2') as number) - returned).toBeLessThan(1000);
  });

  it('combines with a VirtualService that already splits 80/20', async () => {
    await applyText(virtualService);
    await cli('gray', 'start', 'reviews', '--from', 'v1', '--to', 'v3', '--weight', '10');
    const result = await load({
      proxy: await proxyOf('productpage'),
      authority: 'reviews:9080',
      total: 5000,
      concurrency: 16,
    });
    expect(result.failures).toEqual([]);
    expectShare(result, 'reviews/v1', 72);
    expectShare(result, 'reviews/v2', 20);
    expectShare(result, 'reviews/v3', 8);
    const status = await until('the load is reported', async () => {
      const now = await grayStatus('reviews');
      return now.grayCounts.requests >= (result.byBackend.get('reviews/v3') ?? 0) && now;
    });
    const seen =
      (100 * (result.byBackend.get('reviews/v3') ?? 0)) /
      ((result.byBackend.get('reviews/v1') ?? 0) + (result.byBackend.get('reviews/v3') ?? 0));
    expect(Math.abs((status.share as number) - seen)).toBeLessThan(0.5);
    await cli('gray', 'rollback', 'reviews');
    await meshOk(['--server', server, 'delete', '-y', '-f', '-'], { input: virtualService });
  });

  it('never shows its version to callers that resolve names in etcd before plain traffic gets it, and fails none', async () => {
    const go = await buildGoClients();
    const follow = { etcd: etcd.address, target: 'services/audit', perSecond: 200 };
    const callers = [followInGo(go.current, follow), followInGo(go.legacy, follow)];
    const [caller] = await instances('productpage');
    const inNode = async (calls: number): Promise<Set<string>> => {
      const url = `http://${caller?.address}/call/ledger/x`;
      const answers = await Promise.all(Array.from({ length: calls }, async () => (await fetch(url)).json()));
      return new Set(answers.map((answer) => (answer as { body: { version: string } }).body.version));
    };
    /** What all callers in Go have got since this was asked last. */
    let before: Readonly<Record<string, number>>[] = callers.map(() => ({}));
    const seenInGo = (): Set<string> => {
      const now = callers.map((one) => one.calls().backends);
      const grown = now.flatMap((counts, i) => Object.keys(counts).filter((by) => counts[by] !== before[i]?.[by]));
      before = now;
      return new Set(grown);
    };
    const settlesAt = async (backend: string): Promise<void> => {
      const address = (await instances('audit')).find((i) => `audit/${i.version}` === backend)?.address;
      await until(`only ${backend} is listed`, () => callers.every((one) => one.addresses()?.join() === address));
      // The calls that were on their way when the list changed.
      const isAlone = (): boolean => [...seenInGo()].join() === backend;
      await until(`only ${backend} answers`, isAlone);
      await moreCalls(300);
      expect(seenInGo()).toEqual(new Set([backend]));
    };
    const moreCalls = async (count: number): Promise<void> => {
      const made = (): number => Math.min(...callers.map((one) => sum(one.calls().backends)));
      const from = made();
      await until(`${count} more calls in Go`, () => made() >= from + count, 30_000);
    };

    await moreCalls(100);
    await cli('gray', 'start', 'audit', '--to', 'v2', '--weight', '10');
    await moreCalls(300);
    expect(await inNode(20)).toEqual(new Set(['v1']));
    expect(seenInGo()).toEqual(new Set(['audit/v1']));
    await cli('gray', 'promote', 'audit', '--full');
    await settlesAt('audit/v2');
    await until('Node follows', async () => [...(await inNode(5))].join() === 'v2');
    await cli('gray', 'undo', 'audit');
    await settlesAt('audit/v1');
    await until('Node follows', async () => [...(await inNode(5))].join() === 'v1');
    for (const one of callers) {
      await one.stop();
      expect(one.calls().failures).toEqual({});
      expect(one.lists.filter((list) => list.length === 0)).toEqual([]);
      expect(one.broken).toEqual([]);
    }
  });
});

describe('a service that registers itself', () => {
  it('gets requests through the proxies like any other instance, until it leaves, and none fails', async () => {
    const app = await startApp({ PORT: '0', MESH_SERVICE: 'ratings', MESH_VERSION: 'v1', MESH_INSTANCE: 'outside' });
    const address = `127.0.0.1:${app.ports[0]}`;
    const registration = register({ etcd: etcd.url, service: 'ratings', namespace: 'shop', version: 'v1', address });
    const target = { proxy: await proxyOf('productpage'), authority: 'ratings.shop:9080' };
    const failures: unknown[] = [];
    const isCalled = async (): Promise<boolean> => {
      const result = await load({ ...target, total: 100, concurrency: 4 });
      failures.push(...result.failures);
      return result.byInstance.has('outside');
    };
    await until('it is called', isCalled);
    await registration.close();
    await until('it is called no more', async () => !(await isCalled()));
    await app.close();
    await isCalled();
    expect(failures).toEqual([]);
  });
});

describe('a changed version', () => {
  it('starts beside the old one, which drains: no request fails', async () => {
    const target = { proxy: await proxyOf('productpage'), authority: 'reviews:9080' };
    const before = await instances('reviews');
    const steady = startLoad({ ...target, perSecond: 1000, concurrency: 16 });
    await applyText(version('reviews', 'v1', 'second'));
    await cli('deploy', '--timeout', '90s');
    await until('10,000 requests', () => steady.result.sent >= 10_000, 30_000);
    const { failures, byInstance } = await steady.stop();
    expect(failures).toEqual([]);
    const after = (await instances('reviews')).filter((i) => i.version === 'v1');
    expect(after).toHaveLength(2);
    const old = new Set(before.map((i) => i.instance));
    expect(after.filter((i) => old.has(i.instance))).toEqual([]);
    expect(after.every((i) => (byInstance.get(i.instance) ?? 0) > 0)).toBe(true);
  });
});

describe('what dies leaves', () => {
  it('a killed instance is out of every Envoy within a second, and comes back', async () => {
    const victim = (await instances('reviews')).find((i) => i.version === 'v1') as InstanceItem;
    expect(await anyEnvoySends('reviews', victim.address)).toBe(true);
    const killed = await run('docker', ['kill', victim.container]);
    const at = performance.now();
    expect(killed.code).toBe(0);
    await until('it is gone', async () => !(await anyEnvoySends('reviews', victim.address)), 10_000);
    expect(performance.now() - at).toBeLessThan(1000);
    await until('it is back', () => anyEnvoySends('reviews', victim.address), 60_000);
  });

  it('instances of a killed agent turn unhealthy within the lease, and return with it', async () => {
    const lost = (await instances('reviews')).find((i) => i.node === NODE_B) as InstanceItem;
    agents.get(NODE_B)?.signal('SIGKILL');
    const at = performance.now();
    await until('they are unhealthy', async () => !(await anyEnvoySends('reviews', lost.address)), LEASE_TTL_MS + 5000);
    expect(performance.now() - at).toBeLessThan(LEASE_TTL_MS + 1000);
    const nodes = await json<{ items: NodeItem[] }>('node', 'list');
    expect(nodes.items.find((n) => n.name === NODE_B)?.agent).toBe('lost');
    startAgent(NODE_B);
    await until('they are back', () => anyEnvoySends('reviews', lost.address), 20_000);
  });
});

describe('etcd away', () => {
  it('a command says so with the address, exit 6, within its timeout', async () => {
    const port = await freePort();
    const at = performance.now();
    const done = await mesh(['--store', `etcd://127.0.0.1:${port}`, '--timeout', '3s', 'get', 'services']);
    expect(done.code).toBe(6);
    expect(done.stderr).toContain(`127.0.0.1:${port}`);
    expect(performance.now() - at).toBeLessThan(3000 + START_MS);
  });
});
