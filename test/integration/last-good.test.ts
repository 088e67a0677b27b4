/** Goal: a real Envoy that starts while no pilot answers serves from what its agent has kept, and follows the pilots again by itself. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LastGood, serveLastGood } from '../../src/agent/agent.js';
import { allKinds } from '../../src/dsl/kinds.js';
import type { GrayResponse, List, ProxyItem } from '../../src/model/api.js';
import type { NodePlan } from '../../src/model/node-plan.js';
import { createApi } from '../../src/pilot/api/api.js';
import { type Bootstrap, bootstrap, PILOTS_FILE, proxyMetadata } from '../../src/planner/bootstrap.js';
import { pilotsFile } from '../../src/planner/pilots-file.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { plannedCaller } from '../support/caller.js';
import { type Envoy, isEnvoyMissing, startEnvoy } from '../support/envoy.js';
import { mesh, startDaemon, temporaryFolder } from '../support/mesh-process.js';
import { askReviews, startNamedApp } from '../support/named-app.js';
import { nodePlan } from '../support/node-plans.js';
import { openPilotHouse, type PilotHouse, setInstance } from '../support/pilot-house.js';
import { smallWorld } from '../support/small-world.js';
import { until } from '../support/until.js';

const by = 'test';
/** Nobody listens there. */
const NO_STORE = 'etcd://127.0.0.1:1';
const gray = '/v1/gray/default/reviews';

describe.skipIf(isEnvoyMissing())('the last good configuration', () => {
  const servers: Server[] = [];
  let house: PilotHouse;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let lastGood: LastGood;
  let envoy: Envoy;
  let boot: Bootstrap;
  let proxyPort = 0;
  let plan: NodePlan;
  const node = 'a';
  const kept = (): Promise<string> => readFile(path.join(folder.path, node, 'web-v1-1', 'last-good.jsonl'), 'utf8');
  const keep = (): Promise<LastGood> =>
    serveLastGood({ dataDir: folder.path, node, clock: systemClock, log: silentLogger });

  const ask = (): Promise<string> => askReviews(proxyPort, false);

  beforeAll(async () => {
    house = await openPilotHouse();
    folder = await temporaryFolder('last-good');
    const services = [
      { name: 'web', spec: { port: 8080 } },
      { name: 'reviews', spec: { port: 9080, stable: 'v1' }, versions: { v1: {}, v2: {} } },
    ];
    await house.apply(smallWorld({ nodes: [], deploy: [], services }));
    const web = await plannedCaller('web-v1-1', { service: 'reviews', port: 9080 });
    proxyPort = web.ports.proxy;
    const reviews = [await startNamedApp('v1', servers), await startNamedApp('v2', servers)];
    plan = nodePlan(1, [web, ...reviews], { node, address: '127.0.0.1' });
    for (const instance of reviews) await setInstance(house.store, plan, instance, 'healthy');
    const places = {
      shared: path.join(folder.path, node, 'shared'),
      run: path.join(folder.path, node, 'web-v1-1/run'),
    };
    for (const place of Object.values(places)) await mkdir(place, { recursive: true });
    await writeFile(`${places.shared}/${PILOTS_FILE}`, pilotsFile([house.pilot.xdsAddress]));
    boot = bootstrap({ proxy: proxyMetadata(plan, web), region: '', zone: '', places });
    lastGood = await keep();
    envoy = await startEnvoy({ bootstrap: boot, baseDir: folder.path });
    await until('a first answer', async () => (await ask()) === 'v1');
  });

  afterAll(async () => {
    await envoy?.stop();
    for (const server of servers) server.close();
    await lastGood?.close();
    await house?.close();
    await folder?.remove();
  });

  /** ADS and load reports are one request each; with the agent there is no second one. */
  const isServedByAgent = async (): Promise<boolean> =>
    (await envoy.stat(/^cluster\.agent_lkg\.upstream_rq_active$/)) > 0 &&
    (await envoy.stat(/^cluster\.pilots\.upstream_rq_active$/)) === 0;
  const isInSync = async (): Promise<boolean> => {
    const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
    return items.length === 1 && Object.values(items[0]?.types ?? {}).every(({ state }) => state === 'SYNCED');
  };
  const clusters = (): Promise<string> => envoy.adminGet('/config_dump?resource=dynamic_active_clusters');

  /** Milliseconds until the sidecar, started anew, answers. */
  async function restartSidecar(): Promise<number> {
    await envoy.kill();
    const startedMs = performance.now();
    envoy = await startEnvoy({ bootstrap: boot, baseDir: folder.path });
    await until('an answer', async () => /^v[12]$/.test(await ask()));
    return performance.now() - startedMs;
  }

  /** As `mesh --store` works when no pilot is left. */
  async function onStore(path: string, body: object): Promise<void> {
    const { store } = house;
    const api = createApi({ store, kinds: allKinds, clock: systemClock, log: silentLogger, version: 'test' });
    const response = await api.request(path, { method: 'POST', body: JSON.stringify({ by, ...body }) });
    expect(response.status).toBe(200);
  }

  test('is what the pilots serve, kept as soon as the sidecar has it', async () => {
    await until('it is kept', async () => (await kept()).includes('outbound|9080||reviews'));
    expect(await lastGood.kept()).toEqual(['web-v1-1']);
    expect(lastGood.problems()).toEqual([]);
    const before = await kept();
    await house.post<GrayResponse>(`${gray}/start`, { by, to: 'v2', weight: 10 });
    await until('the change is kept', async () => (await kept()) !== before);
  });

  test('is not what a sidecar gets while a pilot serves', async () => {
    await restartSidecar();
    expect(await isServedByAgent()).toBe(false);
    await until('the pilot serves it', isInSync);
  });

  test('serves a sidecar that starts while no pilot is left, and it takes over what changed when one is back', async () => {
    await house.pilot.close();
    expect(await restartSidecar()).toBeLessThan(5000);
    expect(await isServedByAgent()).toBe(true);
    await onStore(`${gray}/rollback`, { why: 'no pilot answers' });
    await onStore('/v1/delete', { objects: [{ kind: 'Version', namespace: 'default', name: 'reviews-v2' }] });
    const failures: string[] = [];
    let isLoaded = true;
    const load = (async () => {
      while (isLoaded) {
        const answer = await ask().catch(String);
        if (!/^v[12]$/.test(answer)) failures.push(answer);
      }
    })();
    await house.restartPilot();
    const backMs = performance.now();
    await until('the pilot serves it', isInSync);
    expect(performance.now() - backMs).toBeLessThan(5000);
    expect(await clusters()).not.toContain('|v2|');
    expect(await isServedByAgent()).toBe(false);
    isLoaded = false;
    await load;
    expect(failures).toEqual([]);
  });

  test.each([
    ['mesh agent', ['agent', '--store', NO_STORE, '--node', node, '--timeout', '1s']],
    ['mesh up', ['up', '--etcd', NO_STORE, '--listen', '127.0.0.1:0', '--xds', '127.0.0.1:0']],
  ])('is served by %s that starts while the store is away, as after a reboot', async (_name, args) => {
    await lastGood.close();
    await house.pilot.close();
    const daemon = startDaemon([...args, '--data-dir', folder.path]);
    try {
      await until('it says why it waits', () => daemon.log().includes('the store does not answer'), 30_000);
      expect(await restartSidecar()).toBeLessThan(5000);
      expect(await isServedByAgent()).toBe(true);
    } finally {
      await daemon.stop();
    }
  });

  test('does not keep a node waiting for a store that never ran anything', async () => {
    const args = ['agent', '--store', NO_STORE, '--node', 'new', '--data-dir', `${folder.path}/new`, '--timeout', '1s'];
    expect(await mesh(args)).toMatchObject({ code: 6 });
  });
});
