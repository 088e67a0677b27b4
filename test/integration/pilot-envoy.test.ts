/** Goal: a gray release by hand through the pilot's API and a real Envoy: what callers meet, and what the pilot says of it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrayResponse, GrayStatus, List, ProxyItem } from '../../src/model/api.js';
import { bootstrap, PILOTS_FILE, proxyMetadata } from '../../src/planner/bootstrap.js';
import { pilotsFile } from '../../src/planner/pilots-file.js';
import { plannedCaller } from '../support/caller.js';
import { type Envoy, isEnvoyMissing, startEnvoy } from '../support/envoy.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { askReviews, startNamedApp } from '../support/named-app.js';
import { nodePlan } from '../support/node-plans.js';
import { openPilotHouse, type PilotHouse, setInstance } from '../support/pilot-house.js';
import { until } from '../support/until.js';

const world = [
  service('web', '8080'),
  service('reviews', '9080, stable: v1'),
  version('web', 'v1'),
  version('reviews', 'v1'),
  version('reviews', 'v2'),
].join('---\n');
const gray = '/v1/gray/default/reviews';
const by = 'test';
const SAMPLE = 2000;

function service(name: string, port: string): string {
  return `apiVersion: mesh/v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { protocol: http, port: ${port} }\n`;
}

function version(of: string, name: string): string {
  const spec = `{ service: ${of}, version: ${name}, container: { image: none } }`;
  return `apiVersion: mesh/v1\nkind: Version\nmetadata: { name: ${of}-${name} }\nspec: ${spec}\n`;
}

function times(answers: readonly string[], answer: string): number {
  return answers.filter((one) => one === answer).length;
}

describe.skipIf(isEnvoyMissing())('a gray release through Envoy', () => {
  const servers: Server[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let house: PilotHouse;
  let envoy: Envoy;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let proxyPort = 0;

  const ask = (headers: Record<string, string> = {}): Promise<string> => askReviews(proxyPort, agent, headers);

  beforeAll(async () => {
    house = await openPilotHouse();
    folder = await temporaryFolder('pilot-envoy');
    await house.apply(world);
    const instances = [await startNamedApp('v1', servers), await startNamedApp('v2', servers)];
    const web = await plannedCaller('web-v1-1', { service: 'reviews', port: 9080 });
    proxyPort = web.ports.proxy;
    const plan = nodePlan(1, [web, ...instances], { node: 'a', address: '127.0.0.1' });
    for (const instance of instances) await setInstance(house.store, plan, instance, 'healthy');
    const places = { shared: `${folder.path}/shared`, run: `${folder.path}/run` };
    for (const place of Object.values(places)) await mkdir(place);
    await writeFile(`${places.shared}/${PILOTS_FILE}`, pilotsFile([house.pilot.xdsAddress]));
    const { admin: _, ...rest } = bootstrap({ proxy: proxyMetadata(plan, web), region: '', zone: '', places });
    envoy = await startEnvoy({ bootstrap: rest, baseDir: folder.path });
    await until('a first answer', async () => (await ask()) === 'v1');
  });

  afterAll(async () => {
    agent.destroy();
    await envoy.stop();
    for (const server of servers) server.close();
    await house.close();
    await folder.remove();
  });

  async function sample(count: number): Promise<Record<string, number>> {
    const seen: Record<string, number> = {};
    const worker = async (): Promise<void> => {
      for (let i = 0; i < count / 8; i++) {
        const answer = await ask();
        seen[answer] = (seen[answer] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    return seen;
  }

  async function measured(requests: number): Promise<GrayStatus> {
    return until(`${requests} requests in the status`, async () => {
      const status = await house.get<GrayStatus>(gray);
      return status.stableCounts.requests + status.grayCounts.requests >= requests && status;
    });
  }

  test('the weight is what callers meet, and the share in the status is what they met', async () => {
    const started = await house.post<GrayResponse>(`${gray}/start`, { by, to: 'v2', weight: 10 });
    expect(started.status.proxies).toEqual({ acked: 1, total: 1 });
    const seen = await sample(SAMPLE);
    const grayRequests = seen['v2'] ?? 0;
    expect(Object.keys(seen).toSorted()).toEqual(['v1', 'v2']);
    const sigma = Math.sqrt(SAMPLE * 0.1 * 0.9);
    expect(Math.abs(grayRequests - SAMPLE * 0.1)).toBeLessThan(4 * sigma);
    const status = await measured(SAMPLE);
    expect(status.grayCounts).toEqual({ requests: grayRequests, errors: 0 });
    expect(status.stableCounts).toEqual({ requests: SAMPLE - grayRequests, errors: 0 });
    await house.post(`${gray}/rollback`, { by });
  });

  test('under load, the requests after a start are counted from the first one on, and none of before', async () => {
    let isLoaded = true;
    let sinceStart: string[] = [];
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isLoaded) sinceStart.push(await ask());
      }),
    );
    // More than one report tells of the load, and a window of it is open when the release starts.
    await until('a steady load', () => sinceStart.length >= SAMPLE);
    sinceStart = [];
    await house.post<GrayResponse>(`${gray}/start`, { by, to: 'v2', weight: 20 });
    isLoaded = false;
    const seen = await sample(SAMPLE);
    await load;
    const met = { v1: seen['v1'] ?? 0, v2: seen['v2'] ?? 0 };
    const others = { v1: times(sinceStart, 'v1'), v2: times(sinceStart, 'v2') };
    const status = await until('all of them in the status', async () => {
      const { stableCounts, grayCounts } = await house.get<GrayStatus>(gray);
      return stableCounts.requests >= met.v1 && grayCounts.requests >= met.v2 && { stableCounts, grayCounts };
    });
    // The load went on until the command returned; what it sent after the acknowledgement counts too.
    expect(status.stableCounts.requests).toBeLessThanOrEqual(met.v1 + others.v1);
    expect(status.grayCounts.requests).toBeLessThanOrEqual(met.v2 + others.v2);
  });

  test('under steady load a shift and a rollback lose nothing, and after the rollback nobody meets the gray version', async () => {
    let isLoaded = true;
    const failures: string[] = [];
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isLoaded) {
          const answer = await ask();
          if (answer !== 'v1' && answer !== 'v2') failures.push(answer);
        }
      }),
    );
    const shifted = await house.post<GrayResponse>(`${gray}/shift`, { by, weight: 50 });
    expect(shifted.status.weight).toBe(50);
    const status = await measured(SAMPLE);
    expect(Math.abs((status.share ?? 0) - 50)).toBeLessThan(8);
    await house.post<GrayResponse>(`${gray}/rollback`, { by });
    expect(await sample(SAMPLE)).toEqual({ v1: SAMPLE });
    isLoaded = false;
    await load;
    expect(failures).toEqual([]);
  });

  test('a header match sends its requests only', async () => {
    await house.post(`${gray}/start`, { by, to: 'v2', matches: [{ header: 'x-user', exact: 'jason' }] });
    expect([await ask({ 'x-user': 'jason' }), await ask({ 'x-user': 'anna' }), await ask()]).toEqual([
      'v2',
      'v1',
      'v1',
    ]);
    await house.post(`${gray}/rollback`, { by });
  });

  test('after a promotion plain traffic gets the new version, and undo brings the old one back', async () => {
    await house.post(`${gray}/start`, { by, to: 'v2', weight: 5 });
    const done = await house.post<GrayResponse>(`${gray}/promote`, { by, full: true });
    expect(done.status).toMatchObject({ phase: 'succeeded', proxies: { acked: 1, total: 1 } });
    expect(await sample(80)).toEqual({ v2: 80 });
    await house.post(`${gray}/undo`, { by });
    expect(await sample(80)).toEqual({ v1: 80 });
  });

  test('a restarted pilot finds the same Envoy in sync, and requests go on while it is away', async () => {
    await house.pilot.close();
    expect(await sample(80)).toEqual({ v1: 80 });
    await house.restartPilot();
    const [item] = await until(
      'Envoy is back',
      async () => {
        const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
        return items.every((one) => one.types['RDS']?.state === 'SYNCED') && items.length === 1 && items;
      },
      30_000,
    );
    expect(item?.envoy).toMatch(/^\d+\.\d+/);
  });
});
