/** Goal: the engine against the real Envoy, over both flavours of ADS: what Envoy receives, refuses, keeps and reports. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LoadReport, ProxyStatus } from '../../src/xds/ads-host.js';
import { checkBootstrap } from '../../src/xds/encode.js';
import type { View } from '../../src/xds/resource-cache.js';
import { type Envoy, isEnvoyMissing, startEnvoy } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { until } from '../support/until.js';
import { cluster, endpoints, listener, routes, runtimeLayer, viewOf } from '../support/xds-resources.js';
import { startXds, type TestXds } from '../support/xds-test-host.js';

type Flavour = 'DELTA_GRPC' | 'GRPC';

describe.skipIf(isEnvoyMissing())('Envoy', () => {
  let xds: TestXds;
  let envoy: Envoy;
  let upstreams: Server[];
  let port: number;

  beforeEach(async () => {
    xds = await startXds({ loadReportIntervalMs: 250 });
    upstreams = [];
    port = await freePort();
  });

  afterEach(async () => {
    await envoy.stop();
    await xds.stop();
    for (const upstream of upstreams) await new Promise((resolve) => upstream.close(resolve));
  });

  async function upstream(name: string): Promise<number> {
    const server = createServer((_request, response) => response.end(name));
    upstreams.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.keepAliveTimeout = 60_000; // a connection that closes by itself would look like a lost request
    return (server.address() as AddressInfo).port; // a TCP server has one
  }

  async function start(flavour: Flavour): Promise<void> {
    envoy = await startEnvoy({ bootstrap: bootstrapFor(xds.address, flavour) });
  }

  function proxy(): ProxyStatus | undefined {
    return xds.server.proxies()[0];
  }

  async function show(view: View): Promise<void> {
    xds.show(view);
    await until(`revision ${view.storeRevision} acknowledged`, () => proxy()?.ackedRevision === view.storeRevision);
  }

  async function get(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.text();
  }

  /** Two clusters; the routes go to `target`. */
  async function world(revision: number, ports: Ports, target: readonly string[], variant = 0): Promise<View> {
    return viewOf(revision, [
      runtimeLayer('mesh', { 'mesh.revision': revision }),
      ...Object.entries(ports).flatMap(([name, at]) => [cluster(name, variant), endpoints(name, 0, at)]),
      listener('in', 'r', 0, port),
      routes('r', target),
    ]);
  }

  describe.each(['DELTA_GRPC', 'GRPC'] as const)('over %s', (flavour) => {
    test('follows a route from one cluster to a new one without a failed request', async () => {
      const a = await upstream('a');
      const b = await upstream('b');
      xds.show(await world(1, { a }, ['a']));
      await start(flavour);
      await until('the first view', () => proxy()?.ackedRevision === 1n);
      expect(await until('the first answer', get)).toBe('a');

      const answers: string[] = [];
      let sent = 0;
      const load = Array.from({ length: 8 }, async () => {
        while (sent < 2_000) {
          sent += 1;
          answers.push(await get().catch((error: Error) => `failed: ${error.message}`));
        }
      });
      // Back and forth; the cluster that is left goes away each time, the one that is gone to is new.
      for (let revision = 2; sent < 2_000; revision++) {
        await show(await world(revision, revision % 2 === 0 ? { b } : { a }, [revision % 2 === 0 ? 'b' : 'a']));
      }
      await Promise.all(load);
      expect(answers.filter((answer) => answer !== 'a' && answer !== 'b')).toEqual([]);
      expect(answers.filter((answer) => answer === 'b').length).toBeGreaterThan(100);
      expect(answers.length).toBeGreaterThanOrEqual(2_000);
    });

    test('warms a changed cluster at once, since its endpoints are sent again', async () => {
      const a = await upstream('a');
      xds.show(await world(1, { a }, ['a']));
      await start(flavour);
      await until('the first answer', get);
      await show(await world(2, { a }, ['a'], 1));
      await until(
        'the new cluster is warm',
        async () => (await envoy.stat(/^cluster_manager\.warming_clusters$/)) === 0,
      );
      const dump = await envoy.adminGet('/config_dump?resource=dynamic_active_clusters');
      expect(dump).toContain('"connect_timeout": "2s"');
      expect(await get()).toBe('a');
    });

    test('refuses a route to a cluster that is not there, keeps the old one, and the status says so', async () => {
      const a = await upstream('a');
      xds.show(await world(1, { a }, ['a']));
      await start(flavour);
      await until('the first answer', get);
      xds.show(await world(2, { a }, ['nowhere']));
      const refused = await until('the refusal', () => {
        const status = proxy()?.types.RDS;
        return status?.state === 'NACK' && status;
      });
      expect(refused.error).toMatch(/nowhere/);
      expect(xds.rejections).toHaveLength(1);
      expect(await get()).toBe('a');
      await show(await world(3, { a }, ['a']));
      expect(proxy()?.types.RDS?.state).toBe('SYNCED');
    });

    test('asks for its runtime layer and gets it', async () => {
      xds.show(viewOf(1, [runtimeLayer('mesh', { 'mesh.revision': 7 }), cluster('a'), endpoints('a')]));
      const before = performance.now();
      await start(flavour);
      const dump = await until('the layer', async () => {
        const page = await envoy.adminGet('/runtime');
        return page.includes('mesh.revision') && page;
      });
      expect(JSON.parse(dump)).toMatchObject({ entries: { 'mesh.revision': { final_value: '7' } } });
      await until('Envoy is live', async () => (await envoy.adminGet('/ready')).trim() === 'LIVE');
      expect(performance.now() - before).toBeLessThan(10_000); // it waits 15 s for a layer that does not come
    });
  });

  test('is sent nothing again when it reconnects, and then follows', async () => {
    const a = await upstream('a');
    const view = await world(1, { a }, ['a']);
    xds.show(view);
    await start('DELTA_GRPC');
    await until('the first view', () => proxy()?.ackedRevision === 1n);
    await until('the first answer', get);
    const updates = /^(cluster_manager\.cds|listener_manager\.lds|cluster\.a|http\.http\.rds\.r)\.update_success$/;
    const before = await envoy.stat(updates);
    await xds.server.close();
    expect(await get()).toBe('a');

    const again = await startXds({}, xds.address);
    xds = again;
    again.show(view);
    await until('the same view counts as acknowledged', () => proxy()?.ackedRevision === 1n, 20_000);
    expect(await envoy.stat(updates)).toBe(before);
    const loads = () => again.reports.flatMap(({ report }) => report).filter((load) => load.cluster === 'a');
    await until('what it counted meanwhile', () => loads().some((load) => load.successes > 0));
    await show(await world(2, { a }, ['a'], 1));
    expect(await envoy.stat(updates)).toBeGreaterThan(before);
  });

  test('reports how many requests it sent where', async () => {
    const a = await upstream('a');
    xds.show(await world(1, { a }, ['a']));
    await start('DELTA_GRPC');
    await until('the first answer', get);
    const loads = () => xds.reports.flatMap(({ report }) => report).filter((load) => load.cluster === 'a');
    const successes = () => loads().reduce((sum, load) => sum + load.successes, 0);
    // Envoy leaves out what a cluster did before its first interval, so we count from a report of rest after a first one.
    await until('the cluster is reported', async () => (await get()) === 'a' && successes() > 0);
    const seen = xds.reports.length;
    const isRest = (report: LoadReport): boolean =>
      report.every((load) => load.cluster !== 'a' || load.successes === 0);
    await until('a report of rest', () => xds.reports.slice(seen + 1).some(({ report }) => isRest(report)));
    const before = successes();
    for (let sent = 0; sent < 50; sent++) await get();
    await until('all requests are reported', () => successes() === before + 50);
    expect(xds.reports[0]?.node.id).toBe('test/envoy');
    expect(loads().reduce((sum, load) => sum + load.errors, 0)).toBe(0);
    const intervals = loads().map((load) => load.intervalMs);
    expect(Math.max(...intervals)).toBeLessThan(2_000);
  });

  test('begins a new window of one cluster when that is cut, and loses nothing of the others', async () => {
    await xds.stop();
    xds = await startXds({ loadReportIntervalMs: 1_000 });
    const [a, b] = [await upstream('a'), await upstream('b')];
    xds.show(await world(1, { a, b }, ['a', 'b']));
    await start('DELTA_GRPC');
    await until('the first answer', get);
    await until('two reports', () => xds.reports.length >= 2, 10_000); // both clusters are tracked from now on
    const seen = xds.reports.length;
    const total = (cluster: string): number => {
      const loads = xds.reports.slice(seen).flatMap(({ report }) => report.filter((load) => load.cluster === cluster));
      return loads.reduce((sum, load) => sum + load.successes, 0);
    };
    const send = async (count: number): Promise<string[]> => {
      const answers: string[] = [];
      while (answers.length < count) answers.push(await get());
      return answers;
    };
    const before = await send(40);
    expect(xds.reports.length).toBe(seen); // a second is far more than 40 requests need
    const asked = (): Promise<number> => envoy.stat(/^load_reporter\.requests$/);
    const askedBefore = await asked();
    xds.server.cutLoadWindow('test/envoy', (cluster) => cluster === 'a');
    // What Envoy sends before it has heard of the cut belongs to the window before.
    await until('Envoy has heard of it', async () => (await asked()) === askedBefore + 2);
    const after = await send(40);
    const count = (answers: readonly string[], name: string): number => answers.filter((one) => one === name).length;
    await until('all of b is reported', () => total('b') === count([...before, ...after], 'b'), 10_000);
    expect(total('a')).toBe(count(after, 'a'));
    expect(count(before, 'a')).toBeGreaterThan(0);
    const first = xds.reports[seen]?.report;
    const interval = (cluster: string): number => first?.find((load) => load.cluster === cluster)?.intervalMs ?? 0;
    expect(interval('a')).toBeLessThan(interval('b'));
  });
});

type Ports = Readonly<Record<string, number>>;

function bootstrapFor(xdsAddress: string, flavour: Flavour): object {
  const [host, portText] = xdsAddress.split(':');
  const grpcServices = [{ envoyGrpc: { clusterName: 'pilot' } }];
  const retry = { retryBackOff: { baseInterval: '0.2s', maxInterval: '1s' } };
  const pilot = [{ envoyGrpc: { clusterName: 'pilot', retryPolicy: retry } }];
  const ads = { ads: {}, resourceApiVersion: 'V3' };
  const bootstrap = {
    node: { id: 'test/envoy', cluster: 'tests' },
    dynamicResources: {
      adsConfig: { apiType: flavour, transportApiVersion: 'V3', grpcServices: pilot },
      cdsConfig: ads,
      ldsConfig: ads,
    },
    clusterManager: {
      loadStatsConfig: { apiType: 'GRPC', transportApiVersion: 'V3', grpcServices },
    },
    layeredRuntime: { layers: [{ name: 'mesh', rtdsLayer: { name: 'mesh', rtdsConfig: ads } }] },
    staticResources: {
      clusters: [
        {
          name: 'pilot',
          type: 'STATIC',
          connectTimeout: '1s',
          typedExtensionProtocolOptions: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicitHttpConfig: { http2ProtocolOptions: {} },
            },
          },
          loadAssignment: {
            clusterName: 'pilot',
            endpoints: [
              {
                lbEndpoints: [
                  { endpoint: { address: { socketAddress: { address: host, portValue: Number(portText) } } } },
                ],
              },
            ],
          },
        },
      ],
    },
  };
  checkBootstrap(bootstrap);
  return bootstrap;
}
