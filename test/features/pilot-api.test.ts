import { afterAll, beforeAll, expect, test } from 'vitest';
import type {
  ApplyResponse,
  DefinitionItem,
  DeployResponse,
  ErrorBody,
  GrayHistoryItem,
  GrayResponse,
  GrayStatus,
  HistoryItem,
  InstanceItem,
  List,
  PlanResponse,
  StatusResponse,
} from '../../src/model/api.js';
import { openPilotHouse, type PilotHouse, runPlans } from '../support/pilot-house.js';
import { readWorld } from '../support/worlds.js';

let house: PilotHouse;
const world = readWorld('example');
const by = 'test';

beforeAll(async () => {
  house = await openPilotHouse();
});

afterAll(() => house.close());

async function problemsOf(path: string, body: object, status: number): Promise<ErrorBody['error']> {
  const answer = await house.send('POST', path, { by, ...body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(status);
  return (answer.body as ErrorBody).error;
}

const head = async (): Promise<number> => (await house.get<StatusResponse>('/v1/status')).revision;

test('the example world applies as one revision, and applying it again makes none', async () => {
  const first = await house.apply(world);
  expect(first.revision).toBe(1);
  expect(new Set(first.changes.map((change) => change.action))).toEqual(new Set(['created']));
  const again = await house.apply(world);
  expect(again.revision).toBe(1);
  expect(new Set(again.changes.map((change) => change.action))).toEqual(new Set(['unchanged']));
});

test('definitions come back as they were written, by name and by label', async () => {
  const services = await house.get<List<DefinitionItem>>('/v1/definitions/services');
  expect(services.kind).toBe('ServiceList');
  expect(services.items.map((item) => item.name)).toEqual(['audit', 'details', 'productpage', 'ratings', 'reviews']);
  const nodes = await house.get<List<DefinitionItem>>('/v1/definitions/nodes?selector=disk%3Dssd');
  expect(nodes.items.map((item) => item.document)).toEqual([
    {
      apiVersion: 'mesh/v1',
      kind: 'Node',
      metadata: { name: 'node-a', labels: { disk: 'ssd' } },
      spec: { address: '127.0.0.11', cluster: 'room-1', ports: '20000-20999' },
    },
  ]);
  const missing = await house.send('GET', '/v1/definitions/services?name=revievs');
  expect(missing).toMatchObject({
    status: 404,
    body: { error: { code: 'MESH2005', hint: 'did you mean "reviews"?' } },
  });
});

test('a file with three mistakes shows three with their places, and nothing of it is applied', async () => {
  const before = await head();
  const text = [
    'apiVersion: mesh/v1',
    'kind: Service',
    'metadata: { name: fine }',
    'spec: { port: 80, stabel: v1 }',
    '---',
    'apiVersion: mesh/v1',
    'kind: Route',
    'metadata: { name: ratings }',
    'spec: { service: ratings, rules: [{ split: [{ version: v1, weight: 140 }] }] }',
    '---',
    'apiVersion: mesh/v1',
    'kind: Service',
    'metadata: { name: caller }',
    'spec: { port: 80, upstreams: [{ service: fine }, { service: nobody }] }',
  ].join('\n');
  const error = await problemsOf('/v1/apply', { files: [{ name: 'bad.yaml', text }] }, 422);
  expect(error.code).toBe('MESH2015');
  expect(error.problems?.map(({ code, line }) => [code, line])).toEqual([
    ['MESH1003', 4],
    ['MESH1011', 9],
    ['MESH1010', 14],
  ]);
  expect(await head()).toBe(before);
});

test('a dry run tells the changes and writes nothing', async () => {
  const before = await head();
  const text = 'apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { leaseTtl: 5s }\n';
  const answer = await house.apply(text, { dryRun: true });
  expect(answer).toMatchObject({ revision: before, changes: [{ kind: 'Mesh', action: 'created' }] });
  expect(await head()).toBe(before);
});

test('two writers at once both land or one is told of the conflict, and revisions stay dense', async () => {
  const before = await head();
  const service = (name: string): string =>
    `apiVersion: mesh/v1\nkind: Service\nmetadata: { name: ${name}, labels: { set: burst } }\nspec: { port: 80 }\n`;
  const answers = await Promise.all(
    [0, 1, 2, 3].map((i) =>
      house.send('POST', '/v1/apply', { by, files: [{ name: 'a.yaml', text: service(`burst-${i}`) }] }),
    ),
  );
  const landed = answers.filter((answer) => answer.status === 200).map(({ body }) => (body as ApplyResponse).revision);
  expect(answers.every((answer) => answer.status === 200 || answer.status === 409)).toBe(true);
  expect(landed.toSorted((a, b) => a - b)).toEqual(landed.map((_, i) => before + 1 + i));
  const refused = await problemsOf(
    '/v1/apply',
    { files: [{ name: 'a.yaml', text: service('late') }], expectRevision: before },
    409,
  );
  expect(refused.code).toBe('MESH2004');
});

test('prune deletes what has the labels and is not in the files', async () => {
  const text =
    'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: burst-0, labels: { set: burst } }\nspec: { port: 80 }\n';
  const answer = await house.apply(text, { prune: { set: 'burst' } });
  expect(answer.changes.map((change) => `${change.name} ${change.action}`)).toEqual([
    'burst-0 unchanged',
    'burst-1 deleted',
    'burst-2 deleted',
    'burst-3 deleted',
  ]);
});

test('what others refer to cannot be deleted; with them it can, and a rollback brings it back', async () => {
  const route = { kind: 'Route', name: 'reviews' };
  const refused = await problemsOf('/v1/delete', { objects: [{ kind: 'service', name: 'ratings' }] }, 422);
  expect(refused.problems?.map((problem) => problem.path)).toEqual([
    'Cluster room-1 spec.deploy[4].service',
    'Service default/reviews spec.upstreams[0].service',
    'Version default/ratings-v1 spec.service',
  ]);
  const before = await head();
  const gone = await house.post<ApplyResponse>('/v1/delete', { by, objects: [route], why: 'not needed' });
  expect(gone).toMatchObject({ revision: before + 1, changes: [{ name: 'reviews', action: 'deleted' }] });
  const missing = await problemsOf('/v1/delete', { objects: [route] }, 404);
  expect(missing.message).toContain('Route default/reviews does not exist');
  const back = await house.post<ApplyResponse>('/v1/rollback', { by, toRevision: before });
  expect(back).toMatchObject({ revision: before + 2, changes: [{ name: 'reviews', action: 'created' }] });
  const history = await house.get<List<HistoryItem>>('/v1/history?kind=route&name=reviews');
  expect(history.items.map((item) => [item.command, item.why])).toEqual([
    [`rollback to ${before}`, ''],
    ['delete', 'not needed'],
    ['apply', ''],
  ]);
  expect(await house.get<HistoryItem>(`/v1/history/${before + 1}`)).toMatchObject({ revision: before + 1, by });
});

test('one object alone goes back to what it was', async () => {
  const before = await head();
  const text = 'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: details }\nspec: { port: 9081, stable: v1 }\n';
  await house.apply(text);
  const object = { kind: 'Service', name: 'details' };
  const back = await house.post<ApplyResponse>('/v1/rollback', { by, toRevision: before, object });
  expect(back.changes).toMatchObject([{ name: 'details', action: 'configured' }]);
  const services = await house.get<List<DefinitionItem>>('/v1/definitions/service?name=details');
  expect(services.items[0]?.document.spec).toMatchObject({ port: 9080 });
});

test('a plan holds for its revision; deploy commits it, and a second deploy has nothing to do', async () => {
  const planned = await house.post<PlanResponse>('/v1/plan', {});
  expect(planned.steps.map((step) => step.action)).toEqual(Array(8).fill('add'));
  await house.apply('apiVersion: mesh/v1\nkind: Service\nmetadata: { name: other }\nspec: { port: 81 }\n');
  const stale = await problemsOf('/v1/deploy', { basis: planned.basis }, 409);
  expect(stale.code).toBe('MESH2004');
  const deployed = await house.post<DeployResponse>('/v1/deploy', { by });
  expect(deployed.id).toBe(deployed.revision);
  const again = await house.post<DeployResponse>('/v1/deploy', { by });
  expect(again).toEqual({ revision: deployed.revision, steps: [] });
  const plans = await house.get<List<{ node: string; instances: unknown[] }>>('/v1/plans');
  expect(plans.items.map((plan) => plan.node)).toEqual(['node-a', 'node-b']);
  await runPlans(house.store);
  const instances = await house.get<List<InstanceItem>>('/v1/instances?service=reviews');
  expect(instances.items.map(({ version, state }) => `${version} ${state}`)).toEqual([
    'v1 healthy',
    'v1 healthy',
    'v2 healthy',
  ]);
});

test('a gray release starts, shifts, goes back, starts again and succeeds', async () => {
  const gray = '/v1/gray/default/reviews';
  const none = await house.send('GET', gray);
  expect(none.status).toBe(404);
  const started = await house.post<GrayResponse>(`${gray}/start`, { by, to: 'v2', weight: 10 });
  expect(started.status).toMatchObject({ phase: 'step', weight: 10, stable: 'v1', gray: 'v2', share: null });
  const twice = await problemsOf(`${gray}/start`, { to: 'v2' }, 409);
  expect(twice.message).toContain('already has a gray release');
  const shifted = await house.post<GrayResponse>(`${gray}/shift`, { by, delta: 12.5 });
  expect(shifted.status.weight).toBe(22.5);
  const back = await house.post<GrayResponse>(`${gray}/rollback`, { by, why: 'errors' });
  expect(back.status).toMatchObject({ phase: 'rolled-back', weight: 0, reason: 'errors' });
  const nothing = await problemsOf(`${gray}/promote`, {}, 409);
  expect(nothing.message).toContain('rolled-back');

  await house.post(`${gray}/start`, { by, to: 'v2', steps: [5, 50] });
  const promoted = await house.post<GrayResponse>(`${gray}/promote`, { by });
  expect(promoted.status).toMatchObject({ phase: 'step', weight: 50, step: 2 });
  const done = await house.post<GrayResponse>(`${gray}/promote`, { by });
  expect(done.status.phase).toBe('succeeded');
  expect(done.advice).toEqual([
    'Service default/reviews spec.stable: v1 -> v2',
    'Cluster room-1 spec.deploy[2]: remove, and add its instances 2 to spec.deploy[3]',
    'Route default/reviews spec.rules[1].split[0].version: v1 -> v2',
  ]);
  const history = await house.get<List<GrayHistoryItem>>(`${gray}/history`);
  expect(history.items.map((item) => `${item.phase} ${item.weight}`)).toEqual([
    'succeeded 100',
    'step 50',
    'step 5',
    'rolled-back 0',
    'step 22.5',
    'step 10',
  ]);
});

test('a succeeded release stays effective, says so on apply, and retires when the definition names the new version', async () => {
  const service = async (): Promise<DefinitionItem | undefined> =>
    (await house.get<List<DefinitionItem>>('/v1/definitions/service?name=reviews')).items[0];
  expect(await service()).toMatchObject({ effective: 'v2', document: { spec: { stable: 'v1' } } });
  const kept = await house.post<ApplyResponse>('/v1/apply', { by, files: [{ name: 'w.yaml', text: world }] });
  expect(kept.warnings.map((warning) => warning.message)).toEqual([
    expect.stringContaining('stable: v1 is kept as written, but v2 is effective'),
  ]);
  const settled = world.replace(
    /(name: reviews \}\nspec:\n {2}protocol: http\n {2}port: 9080\n {2}stable: )v1/,
    '$1v2',
  );
  const answer = await house.apply(settled);
  expect(answer.changes.filter((change) => change.action !== 'unchanged')).toMatchObject([
    { kind: 'Service', name: 'reviews', action: 'configured' },
    { kind: 'Release', name: 'reviews', action: 'deleted' },
  ]);
  expect(await service()).not.toHaveProperty('effective');
});

test('a start that cannot work is refused with what there is', async () => {
  const unknown = await problemsOf('/v1/gray/default/reviews/start', { to: 'v3' }, 404);
  expect(unknown.hint).toMatch(/v1|v2/);
  const same = await problemsOf('/v1/gray/default/reviews/start', { to: 'v2' }, 422);
  expect(same.code).toBe('MESH2012');
  const nobody = await problemsOf('/v1/gray/default/revews/start', { to: 'v2' }, 404);
  expect(nobody.hint).toBe('did you mean "reviews"?');
});

test('versions of a gray release cannot be deleted under it', async () => {
  await house.post('/v1/gray/default/reviews/start', { by, to: 'v1', matches: [{ header: 'x-user', exact: 'jason' }] });
  const status = await house.get<GrayStatus>('/v1/gray/default/reviews');
  expect(status).toMatchObject({ weight: 0, matches: [{ header: 'x-user', exact: 'jason' }] });
  const refused = await problemsOf('/v1/delete', { objects: [{ kind: 'version', name: 'reviews-v1' }] }, 422);
  expect(refused.problems?.some((problem) => problem.path === 'Release default/reviews')).toBe(true);
  await house.post('/v1/gray/default/reviews/rollback', { by });
});

test('bodies and queries are strict', async () => {
  const unknown = await problemsOf('/v1/apply', { files: [{ name: 'a', text: '' }], prunes: {} }, 400);
  expect(unknown.message).toContain('prunes');
  expect((await house.send('POST', '/v1/apply', '{')).status).toBe(400);
  expect((await house.send('GET', '/v1/instances?servce=reviews')).status).toBe(400);
  expect((await house.send('GET', '/v1/nothing')).status).toBe(404);
});

test('the API describes what it serves, says when it is ready, and counts', async () => {
  const api = await house.get<{ paths: Record<string, Record<string, object>> }>('/openapi.json');
  expect(Object.keys(api.paths)).toContain('/v1/proxies/{proxy}/config');
  expect(api.paths['/v1/apply']?.['post']).toHaveProperty(
    'requestBody.content.application/json.schema.properties.files',
  );
  expect(await house.send('GET', '/readyz')).toMatchObject({ status: 200 });
  expect((await house.send('GET', '/metrics')).body).toContain('mesh_store_revision ');
  const targets = await house.get<{ targets: string[]; labels: Record<string, string> }[]>('/v1/sd/prometheus');
  expect(targets.filter((target) => target.labels['job'] === 'mesh-sidecar')).toHaveLength(8);
});

test('a watcher is told of each revision, and after a break of those it missed', async () => {
  const seen = await head();
  const abort = new AbortController();
  const response = await fetch(`http://${house.pilot.httpAddress}/v1/watch`, {
    headers: { 'Last-Event-ID': String(seen - 1) },
    signal: abort.signal,
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  const readUntil = async (part: RegExp): Promise<void> => {
    while (!part.test(text)) text += new TextDecoder().decode((await reader.read()).value);
  };
  await readUntil(new RegExp(`id: ${seen}\n`));
  await house.apply('apiVersion: mesh/v1\nkind: Service\nmetadata: { name: news }\nspec: { port: 82 }\n');
  await readUntil(new RegExp(`id: ${seen + 1}\n`));
  await readUntil(/event: change\ndata: .*"definitions"/);
  abort.abort();
});
