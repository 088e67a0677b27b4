import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../src/runtime/clock.js';
import { systemClock } from '../../src/runtime/clock.js';
import { MeshError } from '../../src/runtime/mesh-error.js';
import type { ProxyStatus, XdsMetrics } from '../../src/xds/ads-host.js';
import { decodeMessage, encodeMessage } from '../../src/xds/encode.js';
import { healthRequest } from '../../src/xds/health.js';
import { until } from '../support/until.js';
import { cluster, endpoints, listener, routes, runtimeLayer, viewOf } from '../support/xds-resources.js';
import { startXds, type TestXds } from '../support/xds-test-host.js';

let xds: TestXds;
afterEach(() => xds.stop());

function only(status: readonly ProxyStatus[]): ProxyStatus {
  const [proxy] = status;
  if (!proxy || status.length > 1) throw new Error(`${status.length} proxies`);
  return proxy;
}

const full = (revision: number, variant = 0) =>
  viewOf(revision, [cluster('a'), endpoints('a', variant), listener('l', 'r'), routes('r', ['a'], variant)]);

describe('a delta stream', () => {
  test('is introduced to the host with its node, and closed when it ends', async () => {
    xds = await startXds();
    const node = { id: 'n', cluster: 'c', metadata: { mesh: { a: [1] } }, locality: { region: 'r', zone: 'z' } };
    const build = { userAgentBuildVersion: { version: { majorNumber: 1, minorNumber: 40 } } };
    const stream = xds.client().delta({ ...node, ...build });
    stream.send('CDS');
    await until('the host knows', () => xds.connected.length === 1);
    expect(xds.connected[0]).toMatchObject({ ...node, locality: { region: 'r', zone: 'z', subZone: '' } });
    expect(xds.connected[0]?.buildVersion).toBe('1.40.0');
    expect(xds.connected[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    stream.end();
    await until('the host is told', () => xds.closed.includes('n'));
    expect(xds.server.proxies()).toEqual([]);
  });

  test('learns everything in order, and counts as up to date when all is acknowledged', async () => {
    xds = await startXds();
    xds.show(full(7));
    const stream = xds.client().delta();
    stream.send('CDS');
    const clusters = await stream.next();
    expect([...clusters.resources.keys()]).toEqual(['a']);
    stream.send('EDS', { resourceNamesSubscribe: ['a'] });
    stream.send('LDS');
    stream.ack(clusters);
    const assignments = await stream.next();
    expect(assignments.type).toBe('EDS');
    expect(only(xds.server.proxies()).types.EDS).toMatchObject({ state: 'STALE', version: '' });
    stream.ack(assignments);
    const listeners = await stream.next();
    expect(listeners.type).toBe('LDS');
    stream.send('RDS', { resourceNamesSubscribe: ['r'] });
    stream.ack(listeners);
    const routing = await stream.next();
    expect(routing.type).toBe('RDS');
    expect(only(xds.server.proxies()).ackedRevision).toBe(-1n);
    stream.ack(routing);
    await until('all is acknowledged', () => only(xds.server.proxies()).ackedRevision === 7n);
    const { types, streamKind } = only(xds.server.proxies());
    expect(streamKind).toBe('delta');
    expect(Object.values(types).map((type) => type.state)).toEqual(['SYNCED', 'SYNCED', 'SYNCED', 'SYNCED']);
    expect(types.RDS?.version).toMatch(/^[0-9a-f]{12}$/);
    expect(types.RDS?.ackedAt).toBeGreaterThan(0);
  });

  test('acknowledges at once a view that differs in nothing it sees', async () => {
    xds = await startXds();
    const view = viewOf(1, [cluster('a')]);
    xds.show(view);
    const stream = xds.client().delta();
    stream.send('CDS');
    stream.ack(await stream.next());
    await until('the first view', () => only(xds.server.proxies()).ackedRevision === 1n);
    let calls = 0;
    const stop = xds.server.onAcked(() => calls++);
    xds.show({ ...view, storeRevision: 2n });
    expect(only(xds.server.proxies()).ackedRevision).toBe(2n);
    expect(calls).toBe(1);
    stop();
  });

  test('gets nothing on a new stream for what it has already', async () => {
    xds = await startXds();
    xds.show(full(1));
    const digest = (resource: { name: string; digest: string }) => ({ [resource.name]: resource.digest });
    const stream = xds.client().delta();
    stream.send('CDS', { initialResourceVersions: digest(cluster('a')) });
    stream.send('EDS', { resourceNamesSubscribe: ['a'], initialResourceVersions: digest(endpoints('a')) });
    stream.send('LDS', { initialResourceVersions: digest(listener('l', 'r')) });
    stream.send('RDS', { resourceNamesSubscribe: ['r'], initialResourceVersions: digest(routes('r', ['a'])) });
    await until('all counts as acknowledged', () => only(xds.server.proxies()).ackedRevision === 1n);
    expect(stream.responses).toEqual([]);
    xds.show(full(2, 1));
    expect([...(await stream.next()).resources.keys()]).toEqual(['a']);
  });

  test('merges changes that come before the acknowledgement into one response', async () => {
    xds = await startXds();
    xds.show(full(1));
    const stream = xds.client().delta();
    stream.send('RDS', { resourceNamesSubscribe: ['r'] });
    const first = await stream.next();
    for (let revision = 2; revision < 12; revision++) xds.show(full(revision, revision));
    stream.ack(first);
    const second = await stream.next();
    expect(second.resources.get('r')?.version).toBe(routes('r', ['a'], 11).digest);
    stream.ack(second);
    stream.send('RDS', { resourceNamesSubscribe: ['other'] }); // its answer would come after anything still under way
    expect((await stream.next()).removed).toEqual(['other']);
    expect(stream.responses).toHaveLength(3);
  });

  test('is told that a name does not exist, and gets it when it comes', async () => {
    xds = await startXds();
    const stream = xds.client().delta();
    stream.send('EDS', { resourceNamesSubscribe: ['later'] });
    const absent = await stream.next();
    expect(absent).toMatchObject({ type: 'EDS', removed: ['later'] });
    stream.ack(absent);
    xds.show(viewOf(1, [endpoints('later'), endpoints('unasked')]));
    expect([...(await stream.next()).resources.keys()]).toEqual(['later']);
  });

  test('is answered about runtime before everything else', async () => {
    xds = await startXds();
    xds.show(viewOf(1, [runtimeLayer('layer', { x: 1 }), cluster('a')]));
    const stream = xds.client().delta();
    stream.send('CDS');
    const clusters = await stream.next('CDS'); // not acknowledged
    stream.send('RTDS', { resourceNamesSubscribe: ['layer'] });
    expect((await stream.next('RTDS')).resources.get('layer')?.json).toMatchObject({ layer: { x: 1 } });
    stream.ack(clusters);
  });

  test('keeps what it has when it refuses, is not asked again, and says why', async () => {
    xds = await startXds();
    xds.show(full(1));
    const stream = xds.client().delta();
    stream.send('RDS', { resourceNamesSubscribe: ['r'] });
    stream.ack(await stream.next());
    xds.show(full(2, 1));
    stream.nack(await stream.next(), 'unknown cluster');
    await until('the refusal is seen', () => only(xds.server.proxies()).types.RDS?.state === 'NACK');
    expect(only(xds.server.proxies()).types.RDS).toMatchObject({ error: 'unknown cluster' });
    const resources = [{ name: 'r', digest: routes('r', ['a'], 1).digest }];
    expect(xds.rejections).toEqual([{ type: 'RDS', error: 'unknown cluster', resources }]);
    xds.show({ ...full(2, 1), storeRevision: 3n });
    xds.show(full(4, 2));
    const better = await stream.next();
    expect(better.resources.get('r')?.version).toBe(routes('r', ['a'], 2).digest);
    expect(stream.responses).toHaveLength(3);
  });

  test('finds the one bad resource among many, and delivers the others', async () => {
    xds = await startXds();
    const names = Array.from({ length: 9 }, (_, index) => `c${index}`);
    xds.show(
      viewOf(
        1,
        names.map((name) => endpoints(name)),
      ),
    );
    const stream = xds.client().delta();
    stream.send('EDS', { resourceNamesSubscribe: names });
    const delivered = new Set<string>();
    for (let answers = 0; answers < 10; answers++) {
      const response = await stream.next();
      if (response.resources.has('c4')) stream.nack(response, 'c4 is bad');
      else stream.ack(response);
      if (!response.resources.has('c4')) for (const name of response.resources.keys()) delivered.add(name);
      if (delivered.size === 8) break;
    }
    await until('c4 stands alone', () => xds.rejections.at(-1)?.resources.length === 1);
    expect([...delivered].sort()).toEqual(names.filter((name) => name !== 'c4'));
    expect(xds.rejections.at(-1)?.resources.map((resource) => resource.name)).toEqual(['c4']);
  });

  test('never loses all clusters by accident, and does when the view means it', async () => {
    xds = await startXds();
    xds.show(viewOf(1, [cluster('a')]));
    const stream = xds.client().delta();
    stream.send('CDS');
    stream.ack(await stream.next());
    xds.show(viewOf(2, []));
    await until('the view is held back', () => only(xds.server.proxies()).types.CDS?.state === 'STALE');
    xds.show(viewOf(3, [], ['CDS']));
    expect((await stream.next()).removed).toEqual(['a']);
    expect(stream.responses).toHaveLength(2);
  });

  test('is answered when there is nothing at all', async () => {
    xds = await startXds();
    const stream = xds.client().delta();
    stream.send('CDS');
    expect(await stream.next()).toMatchObject({ type: 'CDS', removed: [] });
  });

  test('is sent a cluster’s endpoints again after the cluster changed', async () => {
    xds = await startXds();
    xds.show(viewOf(1, [cluster('a'), endpoints('a')]));
    const stream = xds.client().delta();
    stream.send('CDS');
    stream.ack(await stream.next('CDS'));
    stream.send('EDS', { resourceNamesSubscribe: ['a'] });
    stream.ack(await stream.next('EDS'));
    xds.show(viewOf(2, [cluster('a', 1), endpoints('a')]));
    stream.ack(await stream.next('CDS'));
    expect([...(await stream.next('EDS')).resources.keys()]).toEqual(['a']);
  });
});

describe('a state-of-the-world stream', () => {
  test('gets the union of old and new clusters first, then the exact set when routes have moved', async () => {
    xds = await startXds();
    const before = [cluster('a'), endpoints('a'), listener('l', 'r'), routes('r', ['a'])];
    xds.show(viewOf(1, before));
    const stream = xds.client().sotw();
    stream.send('CDS');
    stream.ack(await stream.next('CDS'));
    stream.send('EDS', { resourceNames: ['a'] });
    stream.ack(await stream.next('EDS'), { resourceNames: ['a'] });
    stream.send('LDS');
    stream.ack(await stream.next('LDS'));
    stream.send('RDS', { resourceNames: ['r'] });
    stream.ack(await stream.next('RDS'), { resourceNames: ['r'] });
    await until('the first view', () => only(xds.server.proxies()).ackedRevision === 1n);

    xds.show(viewOf(2, [cluster('b'), endpoints('b'), listener('l', 'r'), routes('r', ['b'])]));
    const union = await stream.next();
    expect([...union.resources.keys()]).toEqual(['b', 'a']);
    stream.ack(union);
    stream.send('EDS', { resourceNames: ['a', 'b'] });
    const assignments = await stream.next('EDS');
    expect([...assignments.resources.keys()]).toEqual(['b']);
    stream.ack(assignments, { resourceNames: ['a', 'b'] });
    stream.ack(await stream.next('RDS'), { resourceNames: ['r'] });
    const exact = await stream.next('CDS');
    expect([...exact.resources.keys()]).toEqual(['b']);
    stream.ack(exact);
    await until('the second view', () => only(xds.server.proxies()).ackedRevision === 2n);
  });

  test('is not sent again what its version says it has', async () => {
    xds = await startXds();
    xds.show(viewOf(1, [cluster('a')]));
    const first = xds.client().sotw();
    first.send('CDS');
    const { version } = await first.next();
    const second = xds.client().sotw({ id: 'proxy-2' });
    second.send('CDS', { versionInfo: version });
    await until('it counts as acknowledged', () => {
      return xds.server.proxies().find((proxy) => proxy.id === 'proxy-2')?.ackedRevision === 1n;
    });
    expect(second.responses).toEqual([]);
  });

  test('ignores a message with a stale nonce', async () => {
    xds = await startXds();
    xds.show(viewOf(1, [endpoints('a'), endpoints('b')]));
    const stream = xds.client().sotw();
    stream.send('EDS', { resourceNames: ['a'] });
    const first = await stream.next();
    stream.send('EDS', { resourceNames: ['b'], responseNonce: 'old' });
    stream.ack(first, { resourceNames: ['a', 'b'] });
    expect([...(await stream.next()).resources.keys()]).toEqual(['b']);
    expect(stream.responses).toHaveLength(2);
  });
});

describe('the server', () => {
  test('ends a stream that does not introduce itself, or with too much', async () => {
    xds = await startXds();
    const nameless = xds.client().delta({});
    nameless.send('CDS');
    expect(await nameless.status()).toMatchObject({ code: 3, details: /node with an id/ });
    const heavy = xds.client().delta({ id: 'n', metadata: { text: 'x'.repeat(70_000) } });
    heavy.send('CDS');
    expect(await heavy.status()).toMatchObject({ code: 8, details: /65536/ });
    const greedy = xds.client().delta({ id: 'n' });
    greedy.send('EDS', { resourceNamesSubscribe: Array.from({ length: 5_001 }, (_, index) => `c${index}`) });
    expect(await greedy.status()).toMatchObject({ code: 8, details: /5000/ });
    const garbled = xds.client().delta({ id: 'n' });
    garbled.sendRaw(Buffer.from([255, 255]));
    expect(await garbled.status()).toMatchObject({ code: 3 });
    expect(xds.server.proxies()).toEqual([]);
  });

  test('tells a refused proxy from one that may try again', async () => {
    let answer: Error = new MeshError('MESH2008', 'no view yet', { retryable: true });
    xds = await startXds({ host: { connect: () => Promise.reject(answer) } });
    const early = xds.client().delta();
    early.send('CDS');
    expect(await early.status()).toMatchObject({ code: 14, details: 'no view yet' });
    answer = new MeshError('MESH2000', 'who are you');
    const stranger = xds.client().delta();
    stranger.send('CDS');
    expect(await stranger.status()).toMatchObject({ code: 7, details: 'who are you' });
  });

  test('keeps a stream that asks for a type it does not know', async () => {
    xds = await startXds();
    const stream = xds.client().delta();
    stream.send({ typeUrl: 'type.googleapis.com/envoy.no.Such' }, { resourceNamesSubscribe: ['x'] });
    stream.send('CDS');
    expect((await stream.next()).type).toBe('CDS');
  });

  test('ends a stream whose proxy does not answer', async () => {
    let ahead = 0;
    const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
    xds = await startXds({ clock });
    xds.show(viewOf(1, [cluster('a')]));
    const stream = xds.client().delta();
    stream.send('CDS');
    await stream.next();
    ahead = 31_000;
    expect(await stream.status()).toMatchObject({ code: 4, details: /30 s/ });
  });

  test('ends a stream on which nothing is asked', async () => {
    xds = await startXds();
    const stream = xds.client().delta();
    expect(await stream.status()).toMatchObject({ code: 14, details: 'no request for 500 ms' });
  });

  test('asks a proxy once more that has resources of another control plane and does not tell which', async () => {
    xds = await startXds();
    xds.show(full(1));
    const first = xds.client().delta();
    // What only a cluster can have named that came from elsewhere.
    first.send('EDS', { resourceNamesSubscribe: ['a', 'elsewhere'] });
    first.send('CDS');
    first.ack(await first.next('CDS'));
    expect(await first.status()).toMatchObject({ code: 14, details: 'come back and tell what you have' });
    const second = xds.client().delta();
    second.send('EDS', { resourceNamesSubscribe: ['a', 'elsewhere'] });
    second.send('CDS', { initialResourceVersions: { a: 'x', elsewhere: 'y' } });
    const clusters = await second.next('CDS');
    expect([...clusters.resources.keys()]).toEqual(['a']);
    second.ack(clusters);
    const removal = await until('the removal', async () => {
      const response = await second.next();
      second.ack(response);
      return response.type === 'CDS' && response;
    });
    expect(removal.removed).toEqual(['elsewhere']);
  });

  test('sends one proxy elsewhere, and no other', async () => {
    xds = await startXds();
    const one = xds.client().delta({ id: 'one' });
    const other = xds.client().delta({ id: 'other' });
    for (const stream of [one, other]) stream.send('RTDS', { resourceNamesSubscribe: ['mesh'] });
    await until('both', () => xds.server.proxies().length === 2);
    xds.server.sendAway('one');
    expect((await one.status()).code).toBe(14);
    expect(only(xds.server.proxies()).id).toBe('other');
  });

  test('sends proxies elsewhere when it closes', async () => {
    xds = await startXds();
    const stream = xds.client().delta();
    stream.send('CDS');
    await stream.next();
    const closing = xds.server.close();
    expect(await stream.status()).toMatchObject({ code: 14 });
    await closing;
    expect(xds.closed).toEqual(['proxy-1']);
  });

  test('ends its streams one after the other when it closes, and takes no new one meanwhile', async () => {
    const waits: (() => void)[] = [];
    const sleep: Clock['sleep'] = (ms, signal) =>
      ms <= 30 ? new Promise((resolve) => waits.push(resolve)) : systemClock.sleep(ms, signal);
    xds = await startXds({ clock: { ...systemClock, monotonic: () => 0, sleep } });
    const ids = ['a', 'b', 'c', 'd'];
    const streams = ids.map((id) => xds.client().delta({ id }));
    for (const stream of streams) stream.send('RTDS', { resourceNamesSubscribe: ['mesh'] });
    await until('all of them', () => xds.server.proxies().length === ids.length);
    const closed = xds.server.close();
    for (const left of [3, 2, 1]) {
      await until(`${left} left`, () => xds.server.proxies().length === left && waits.length > 0);
      expect((await xds.client().delta({ id: 'late' }).status()).code).toBe(14);
      waits.shift()?.();
    }
    await closed;
    for (const stream of streams) expect((await stream.status()).code).toBe(14);
  });

  test('takes the newer of two streams of one proxy', async () => {
    xds = await startXds();
    const old = xds.client().delta();
    old.send('CDS');
    await old.next();
    const fresh = xds.client().sotw();
    fresh.send('CDS');
    await fresh.next();
    expect(only(xds.server.proxies()).streamKind).toBe('sotw');
  });

  test('tells only the proxies that changed', async () => {
    const views: string[] = [];
    xds = await startXds({
      host: {
        connect: async ({ id }) => {
          const view = () => {
            views.push(id);
            return viewOf(1, []);
          };
          return { view, closed: () => undefined };
        },
      },
    });
    for (const id of ['x', 'y']) {
      const stream = xds.client().delta({ id });
      stream.send('CDS');
      stream.ack(await stream.next());
    }
    views.length = 0;
    xds.server.changed(['y', 'unknown']);
    expect(views).toEqual(['y']);
  });

  test('counts pushes, refusals and streams', async () => {
    const events: string[] = [];
    const metrics: XdsMetrics = {
      pushed: (type, bytes) => events.push(`pushed ${type} ${bytes > 10}`),
      acknowledged: (type) => events.push(`acknowledged ${type}`),
      rejected: (type) => events.push(`rejected ${type}`),
      connected: (kind) => events.push(`connected ${kind}`),
      disconnected: (kind, reason) => events.push(`disconnected ${kind} ${reason}`),
    };
    xds = await startXds({ metrics });
    const stream = xds.client().delta();
    stream.send('CDS');
    stream.ack(await stream.next());
    stream.end();
    await until('the end', () => events.includes('disconnected delta client'));
    expect(events.slice(0, 3)).toEqual(['connected delta', 'pushed CDS true', 'acknowledged CDS']);
  });

  test('answers health checks', async () => {
    let isServing = false;
    xds = await startXds({ isServing: () => isServing });
    const { raw } = xds.client();
    const same = (bytes: Buffer): Buffer => bytes;
    const check = (service: string) =>
      new Promise<string>((resolve) => {
        raw.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, healthRequest(service), (error, answer) => {
          resolve(error ? String(error.code) : (answer?.toString('hex') ?? ''));
        });
      });
    expect(await check('')).toBe('0802');
    isServing = true;
    expect(await check('envoy.service.discovery.v3.AggregatedDiscoveryService')).toBe('0801');
    expect(await check('no.such.Service')).toBe('5');
  });

  test('asks for the load of all clusters and hands the reports on', async () => {
    xds = await startXds({ loadReportIntervalMs: 250 });
    const same = (bytes: Buffer): Buffer => bytes;
    const path = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats';
    const call = xds.client().raw.makeBidiStreamRequest(path, same, same);
    const questions: unknown[] = [];
    call.on('data', (bytes: Buffer) => {
      questions.push(decodeMessage('envoy.service.load_stats.v3.LoadStatsResponse', bytes));
    });
    call.on('error', () => undefined);
    const say = (message: object): void => {
      call.write(Buffer.from(encodeMessage('envoy.service.load_stats.v3.LoadStatsRequest', message)));
    };
    say({ node: { id: 'n', cluster: 'c' } });
    await until('the question', () => questions.length === 1);
    expect(questions).toEqual([{ sendAllClusters: true, loadReportingInterval: '0.250s' }]);
    const locality = { totalSuccessfulRequests: '5', totalErrorRequests: '2', totalIssuedRequests: '8' };
    const upstreamLocalityStats = [locality, { ...locality, totalRequestsInProgress: '1', priority: 1 }];
    const stats = { clusterName: 'a', totalDroppedRequests: '3', loadReportInterval: '0.251s', upstreamLocalityStats };
    say({ clusterStats: [{ ...stats, clusterServiceName: 's' }] });
    await until('the report', () => xds.reports.length === 1);
    const sums = { successes: 10, errors: 4, issued: 16, inProgress: 1, dropped: 3 };
    expect(xds.reports[0]?.node.id).toBe('n');
    expect(xds.reports[0]?.report).toEqual([{ cluster: 'a', service: 's', intervalMs: 251, ...sums }]);

    // The window of one cluster is cut by asking for the others alone; who is not there is not asked.
    say({ clusterStats: [stats, { clusterName: 'b' }] });
    await until('the second report', () => xds.reports.length === 2);
    xds.server.cutLoadWindow('somebody else', () => true);
    xds.server.cutLoadWindow('n', (cluster) => cluster === 'a');
    await until('the cut', () => questions.length === 3);
    expect(questions.slice(1)).toEqual([{ clusters: ['b'], loadReportingInterval: '0.250s' }, questions[0]]);
    call.end();
  });
});
