/** A real gRPC client that speaks xDS by itself, `@grpc/grpc-js-xds`, at a real pilot. Go's is in test/integration. */
import { Client, credentials } from '@grpc/grpc-js';
import { register } from '@grpc/grpc-js-xds';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { List, ProxyItem } from '../../src/model/api.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';
import { type ProxylessWorld, proxylessWorld } from '../support/proxyless-world.js';
import { until } from '../support/until.js';
import { askWho } from '../support/who-servers.js';

let house: PilotHouse;
let world: ProxylessWorld;
const clients: Client[] = [];

/** A channel of its own, so that nothing is left of what another has learnt. */
function clientOf(target: string): Client {
  const client = new Client(`xds:///${target}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  return client;
}

beforeAll(async () => {
  house = await openPilotHouse();
  world = await proxylessWorld(house);
  process.env['GRPC_XDS_BOOTSTRAP_CONFIG'] = JSON.stringify(world.bootstrap);
  register();
});

afterAll(async () => {
  for (const client of clients) client.close();
  world.stop();
  await house.close();
});

async function proxy(): Promise<ProxyItem | undefined> {
  return (await house.get<List<ProxyItem>>('/v1/proxies')).items.find(({ proxy }) => proxy === world.bootstrap.node.id);
}

async function answers(client: Client, calls: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < calls; i++) {
    const who = await askWho(client);
    counts[who] = (counts[who] ?? 0) + 1;
  }
  return counts;
}

test('calls reach the service by each of its names', async () => {
  for (const target of ['echo:50051', 'echo.default:50051', 'echo.default.svc.cluster.local:50051']) {
    expect(await askWho(clientOf(target))).toMatch(/^echo-v/);
  }
});

test('calls follow a split of weights, and its change', async () => {
  await world.split(80, 20);
  const client = clientOf('echo:50051');
  await until('the split', async () => (await answers(client, 40))['echo-v2-1'] !== undefined);
  const { 'echo-v2-1': fifth = 0, ...others } = await answers(client, 400);
  expect(fifth).toBeGreaterThan(40);
  expect(fifth).toBeLessThan(130);
  expect(Object.keys(others).sort()).toEqual(['echo-v1-1', 'echo-v1-2']);
  await world.split(0, 100);
  await until('all go to v2', async () => Object.keys(await answers(client, 20)).join() === 'echo-v2-1');
});

test('a rule on a header is followed', async () => {
  await world.split(100, 0);
  const client = clientOf('echo:50051');
  await until('plain calls go to v1', async () => !('echo-v2-1' in (await answers(client, 20))));
  expect(await askWho(client, { 'x-user': 'jason' })).toBe('echo-v2-1');
});

test('a call that fails as unavailable is made again, as the route says', async () => {
  const client = clientOf('echo:50051');
  await until('all is known', () => askWho(client, { 'x-user': 'jason' }));
  world.servers['echo-v2-1']?.failNext(1);
  expect(await askWho(client, { 'x-user': 'jason' })).toBe('echo-v2-1');
});

test('the client is seen among the proxies, refused nothing, and a command can wait for it', async () => {
  const seen = await until('it has acknowledged', async () => {
    const item = await proxy();
    return item && Object.values(item.types).every(({ state }) => state === 'SYNCED') ? item : undefined;
  });
  expect(seen.service).toBe('web');
  const change = await world.split(50, 50);
  const waited = await house.get<{ acked: boolean }>(`/v1/acks?storeRevision=${change}&timeoutMs=8000`);
  expect(waited).toMatchObject({ acked: true });
});

test('an instance that leaves gets no calls any more', async () => {
  await world.split(100, 0);
  const client = clientOf('echo:50051');
  await world.remove('echo-v1-1');
  await until('it gets none', async () => Object.keys(await answers(client, 20)).join() === 'echo-v1-2');
});
