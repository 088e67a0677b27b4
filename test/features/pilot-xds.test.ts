import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AckWaitResponse, GrayResponse, List, ProxyConfig, ProxyItem } from '../../src/model/api.js';
import { decodeMessage, encodeMessage } from '../../src/xds/encode.js';
import {
  openPilotHouse,
  type PilotHouse,
  runPlans,
  serviceOf,
  setInstance,
  versionKey,
} from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

type Running = Awaited<ReturnType<typeof runPlans>>[number];

let house: PilotHouse;
let running: readonly Running[];
let sidecar: Sidecar;
const by = 'test';
const stableCluster = 'outbound|9080|v1|reviews.default.svc.cluster.local';

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply(readWorld('example'));
  await house.post('/v1/deploy', { by });
  running = await runPlans(house.store);
  const { plan, instance } = theInstance('default/productpage');
  sidecar = connectSidecar(house.pilot.xdsAddress, plan, instance);
});

afterAll(async () => {
  sidecar.close();
  await house.close();
});

function theInstance(service: string, version = 'v1'): Running {
  const found = running.find((one) => serviceOf(one) === service && one.instance.version === version);
  if (found === undefined) throw new Error(`no ${service} ${version}`);
  return found;
}

/** Everything that is on its way has arrived: the pilot has been told that this proxy has it. */
async function settled(storeRevision: bigint | string): Promise<void> {
  await house.get<AckWaitResponse>(`/v1/acks?storeRevision=${storeRevision}&timeoutMs=8000`);
}

/** `healthy` and `unhealthy` endpoints of a cluster as the sidecar has it. */
function healths(cluster: string): readonly string[] {
  const json = sidecar.has('EDS').get(cluster)?.json as
    | { endpoints?: { lbEndpoints?: { healthStatus?: string }[] }[] }
    | undefined;
  return (json?.endpoints ?? []).flatMap((zone) =>
    (zone.lbEndpoints ?? []).map((one) => one.healthStatus ?? 'HEALTHY'),
  );
}

test('a sidecar sees its upstreams and nothing else', async () => {
  await sidecar.until('routes', () => sidecar.has('RDS').has('outbound'));
  await sidecar.until('endpoints', () => healths(stableCluster).length === 2);
  const hosts = [...sidecar.has('CDS').keys()]
    .filter((name) => name.startsWith('outbound|'))
    .map((name) => name.split('|')[3]);
  expect(new Set(hosts)).toEqual(new Set(['details.default.svc.cluster.local', 'reviews.default.svc.cluster.local']));
  expect(healths(stableCluster)).toEqual(['HEALTHY', 'HEALTHY']);
});

test('the API tells that the sidecar is in sync, and what it has', async () => {
  const proxies = await until('SYNCED', async () => {
    const list = await house.get<List<ProxyItem>>('/v1/proxies?all=true');
    return list.items.every((item) => Object.values(item.types).every((type) => type.state === 'SYNCED')) && list.items;
  });
  expect(proxies).toMatchObject([{ proxy: sidecar.id, service: 'productpage', connectedTo: 'p1' }]);
  const config = await house.get<ProxyConfig>(`/v1/proxies/${encodeURIComponent(sidecar.id)}/config?type=routes`);
  expect(Object.keys(config.resources)).toEqual(['routes']);
  const outbound = config.resources['routes']?.find((route) => route.name === 'outbound');
  expect(outbound?.version).toBe(sidecar.has('RDS').get('outbound')?.version);
});

test('a change that concerns no proxy is acknowledged at once and pushes nothing', async () => {
  sidecar.news();
  const answer = await house.post<{ storeRevision: string }>('/v1/apply', {
    by,
    files: [
      { name: 'n.yaml', text: 'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: lonely }\nspec: { port: 80 }\n' },
    ],
  });
  await settled(answer.storeRevision);
  expect(sidecar.news()).toEqual([]);
});

test('a gray command answers when the sidecar has acknowledged it, and a changed weight pushes routes only', async () => {
  const gray = '/v1/gray/default/reviews';
  const started = await house.post<GrayResponse>(`${gray}/start`, { by, to: 'v2', weight: 10 });
  expect(started.status.proxies).toEqual({ acked: 1, total: 1 });
  sidecar.news();
  const shifted = await house.post<GrayResponse>(`${gray}/shift`, { by, weight: 30 });
  expect(shifted.status.proxies).toEqual({ acked: 1, total: 1 });
  const news = sidecar.news();
  expect(news.length).toBeGreaterThan(0);
  expect(news.every((one) => one.startsWith('RDS+'))).toBe(true);
  expect(JSON.stringify(sidecar.has('RDS').get('outbound')?.json)).toContain('reviews.default.svc.cluster.local');
  const back = await house.post<GrayResponse>(`${gray}/rollback`, { by });
  expect(back.status.proxies).toEqual({ acked: 1, total: 1 });
  expect(JSON.stringify(sidecar.has('RDS').get('outbound')?.json)).not.toContain('weightedClusters');
});

test('an instance whose lease ends turns unhealthy by endpoints alone, and one that is drained says so', async () => {
  const { plan, instance } = theInstance('default/reviews');
  sidecar.news();
  await house.store.transact({ compare: [], put: [], delete: [versionKey(plan, instance)] });
  await sidecar.until('an unhealthy endpoint', () => healths(stableCluster).includes('UNHEALTHY'));
  expect(healths(stableCluster).toSorted()).toEqual(['HEALTHY', 'UNHEALTHY']);
  await setInstance(house.store, plan, instance, 'draining');
  await sidecar.until('a draining endpoint', () => healths(stableCluster).includes('DRAINING'));
  await setInstance(house.store, plan, instance, 'healthy');
  await sidecar.until('both again', () => healths(stableCluster).every((health) => health === 'HEALTHY'));
  expect(sidecar.news().every((one) => one.startsWith('EDS+'))).toBe(true);
});

test('a stored object that cannot be read spoils itself only, and is told of', async () => {
  const key = house.store.keys.def('Route', 'default', 'reviews');
  const entry = await house.store.get(key);
  const routes = sidecar.has('RDS').get('outbound')?.version;
  await house.store.transact({ compare: [], put: [{ key, value: '{"revision":1,"document":{}}' }], delete: [] });
  await house.apply('apiVersion: mesh/v1\nkind: Service\nmetadata: { name: later }\nspec: { port: 80 }\n');
  const items = await until('the finding', async () => {
    const list = await house.get<List<{ name: string; problems: { message: string }[] }>>('/v1/definitions/routes');
    return list.items.some((item) => item.problems.length > 0) && list.items;
  });
  expect(items).toMatchObject([{ name: 'reviews', problems: [{ message: expect.stringContaining('does not fit') }] }]);
  expect(sidecar.has('RDS').get('outbound')?.version).toBe(routes);
  await house.store.transact({ compare: [], put: [{ key, value: entry?.value ?? '' }], delete: [] });
});

test('load reports become the measured share, of windows that were cut when the transition was acknowledged', async () => {
  const gray = '/v1/gray/default/reviews';
  const reports = sidecar.client.raw.makeBidiStreamRequest(
    '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats',
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
  );
  const asked: unknown[] = [];
  reports.on('data', (bytes: Buffer) => {
    asked.push(decodeMessage('envoy.service.load_stats.v3.LoadStatsResponse', bytes));
  });
  reports.on('error', () => undefined);
  const other = 'outbound|9080||details.default.svc.cluster.local';
  const report = (stable: number, grayRequests: number, interval: string): Promise<void> => {
    const clusterStats = [
      clusterLoad(stableCluster, stable, interval),
      clusterLoad(stableCluster.replace('|v1|', '|v2|'), grayRequests, interval),
      clusterLoad(other, 1, interval),
    ];
    const message = encodeMessage('envoy.service.load_stats.v3.LoadStatsRequest', { node: sidecar.node, clusterStats });
    return new Promise((resolve) => reports.write(Buffer.from(message), () => resolve()));
  };
  const all = { sendAllClusters: true, loadReportingInterval: '1s' };
  await report(0, 0, '1s');
  await until('the question', () => asked.length === 1);
  const started = await house.post<GrayResponse>(`${gray}/start`, { by, to: 'v2', weight: 10 });
  expect(started.status.share).toBe(null);
  await until('the cut', () => asked.length === 3);
  expect(asked).toEqual([all, { clusters: [other], loadReportingInterval: '1s' }, all]);
  await report(500, 500, '60s'); // was on its way
  await report(90, 10, '0.001s');
  const status = await until('a share', async () => {
    const found = await house.get<GrayResponse['status']>(gray);
    return found.share !== null && found;
  });
  expect(status).toMatchObject({ share: 10, stableCounts: { requests: 90, errors: 0 }, grayCounts: { requests: 10 } });
  expect(status.lastGrayAt).not.toBe(null);
  reports.end();
  await house.post(`${gray}/rollback`, { by });
});

function clusterLoad(clusterName: string, requests: number, loadReportInterval: string): object {
  return {
    clusterName,
    loadReportInterval,
    upstreamLocalityStats: [
      { locality: {}, totalSuccessfulRequests: String(requests), totalIssuedRequests: String(requests) },
    ],
  };
}

test('a restarted pilot has nothing to say to a sidecar that has everything', async () => {
  await until(
    'all of it',
    async () => (await house.get<List<ProxyItem>>('/v1/proxies')).items[0]?.types['RDS']?.state === 'SYNCED',
  );
  await house.restartPilot();
  sidecar.news();
  sidecar.reconnect(house.pilot.xdsAddress);
  await until('the sidecar in sync', async () => {
    const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
    return items.length === 1 && Object.values(items[0]?.types ?? {}).every((type) => type.state === 'SYNCED');
  });
  expect(sidecar.news()).toEqual([]);
});

test('a stranger that is no sidecar of ours is refused', async () => {
  const stream = sidecar.client.delta({ id: 'who/is/this@there', cluster: 'x', metadata: {} });
  stream.send('CDS');
  expect((await stream.status()).code).toBe(7);
});
