/** Goal: more than one pilot, and none: what replicas know of each other, and the API in-process over the store alone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allKinds } from '../../src/dsl/kinds.js';
import type { ApplyResponse, GrayResponse, List, ProxyItem, StatusResponse } from '../../src/model/api.js';
import { createApi } from '../../src/pilot/api/api.js';
import { type Pilot, startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openPilotHouse, type PilotHouse, runPlans, serviceOf } from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

let house: PilotHouse;
let second: Pilot;
let sidecar: Sidecar;
const by = 'test';

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply(readWorld('example'));
  await house.post('/v1/deploy', { by });
  const running = await runPlans(house.store);
  const common = { clock: systemClock, log: silentLogger, store: house.store, version: 'test' };
  second = await startPilot({ ...common, http: '127.0.0.1:0', xds: '127.0.0.1:0', id: 'p2' });
  await second.whenReady;
  const caller = running.find((one) => serviceOf(one) === 'default/productpage');
  if (caller === undefined) throw new Error('no productpage');
  sidecar = connectSidecar(second.xdsAddress, caller.plan, caller.instance);
  await sidecar.until('routes', () => sidecar.has('RDS').has('outbound'));
});

afterAll(async () => {
  sidecar.close();
  await second.close();
  await house.close();
});

test('any pilot tells the proxies of all of them', async () => {
  const own = await house.get<List<ProxyItem>>('/v1/proxies');
  expect(own.items).toEqual([]);
  const all = await until('both pilots known', async () => {
    const list = await house.get<List<ProxyItem>>('/v1/proxies?all=true');
    return list.items.length > 0 && list.items;
  });
  expect(all).toMatchObject([{ proxy: sidecar.id, connectedTo: 'p2' }]);
  const config = await house.get<{ proxy: string }>(
    `/v1/proxies/${encodeURIComponent(sidecar.id)}/config?type=clusters`,
  );
  expect(config.proxy).toBe(sidecar.id);
});

test('a gray command at one pilot waits for the proxies of the other', async () => {
  const started = await house.post<GrayResponse>('/v1/gray/default/reviews/start', { by, to: 'v2', weight: 20 });
  expect(started.status.proxies).toEqual({ acked: 1, total: 1 });
  expect(JSON.stringify(sidecar.has('RDS').get('outbound')?.json)).toContain('weightedClusters');
});

test('without a pilot the commands work on the store, also back from a gray release, and reach the proxies', async () => {
  const { store } = house;
  const api = createApi({ store, kinds: allKinds, clock: systemClock, log: silentLogger, version: 'test' });
  const post = async <Answer>(path: string, body: object): Promise<Answer> => {
    const response = await api.request(path, { method: 'POST', body: JSON.stringify({ by, ...body }) });
    expect(response.status).toBe(200);
    return (await response.json()) as Answer; // the shape that the path answers with
  };
  const back = await post<GrayResponse>('/v1/gray/default/reviews/rollback', { why: 'no pilot answers' });
  expect(back.status).toMatchObject({ phase: 'rolled-back', proxies: { acked: 1, total: 1 } });
  expect(JSON.stringify(sidecar.has('RDS').get('outbound')?.json)).not.toContain('weightedClusters');
  const text = 'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: late }\nspec: { port: 80 }\n';
  const applied = await post<ApplyResponse>('/v1/apply', { files: [{ name: 'a.yaml', text }] });
  const status = (await (await api.request('/v1/status')).json()) as StatusResponse; // as above
  expect(status).toMatchObject({ revision: applied.revision, proxies: { connected: 1 } });
  for (const path of ['/v1/watch', '/metrics', '/readyz']) expect((await api.request(path)).status).toBe(503);
});

test('a pilot that leaves is no longer waited for', async () => {
  await second.close();
  const { pilots } = await until('one pilot', async () => {
    const status = await house.get<StatusResponse>('/v1/status');
    return status.pilots.length === 1 && status;
  });
  expect(pilots.map((pilot) => pilot.id)).toEqual(['p1']);
  const started = await house.post<GrayResponse>('/v1/gray/default/reviews/start', { by, to: 'v2', weight: 20 });
  expect(started.status.proxies).toEqual({ acked: 0, total: 0 });
});
