/** The command line against a real pilot in this process: its words, its exit codes, its JSON. No process is spawned. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Interrupted } from '../../src/cli/io.js';
import type { InstanceItem, List } from '../../src/model/api.js';
import type { NodeStatus } from '../../src/model/leased-values.js';
import { systemClock } from '../../src/runtime/clock.js';
import { type CliOptions, type CliResult, cli } from '../support/cli-io.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { openPilotHouse, type PilotHouse, runPlans } from '../support/pilot-house.js';
import { readWorld } from '../support/worlds.js';

let house: PilotHouse;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder('cli');
  await writeFile(path.join(folder.path, 'world.yaml'), readWorld('example'));
  house = await openPilotHouse();
});

afterAll(async () => {
  await house.close();
  await folder.remove();
});

const mesh = (line: string, options: CliOptions = {}): Promise<CliResult> =>
  cli(line.split(' '), {
    cwd: folder.path,
    fetch,
    ...options,
    env: { MESH_SERVER: `http://${house.pilot.httpAddress}`, ...options.env },
  });

async function ok(line: string, options: CliOptions = {}): Promise<CliResult> {
  const done = await mesh(line, options);
  expect(done.exit, `mesh ${line}\n${done.stderr}`).toBe(0);
  return done;
}

const json = async <Value>(line: string): Promise<Value> => JSON.parse((await ok(`${line} -o json`)).stdout) as Value;

/** What the agents of both nodes would report once they have done their work. */
async function nodesReach(revision: number): Promise<void> {
  await runPlans(house.store);
  const status = (node: string): NodeStatus => ({
    node,
    agentVersion: 'test',
    docker: '1',
    compose: '1',
    startedAt: 1,
    reachedRevision: revision,
    problems: [],
  });
  await house.store.transact({
    compare: [],
    put: ['node-a', 'node-b'].map((node) => ({
      key: house.store.keys.node(node),
      value: JSON.stringify(status(node)),
    })),
    delete: [],
  });
}

describe('definitions', () => {
  test('three mistakes show as three problems with their places, and nothing is applied', async () => {
    const text = [
      'apiVersion: mesh/v1',
      'kind: Service',
      'metadata: { name: a }',
      'spec: { prot: http, port: 80, stable: v1 }',
      '---',
      'apiVersion: mesh/v1',
      'kind: Route',
      'metadata: { name: a }',
      'spec:',
      '  service: nobody',
      '  rules: [{ split: [{ version: v1, weight: 140 }] }]',
    ].join('\n');
    await writeFile(path.join(folder.path, 'bad.yaml'), text);
    for (const line of ['validate -f bad.yaml', 'apply -f bad.yaml']) {
      const done = await mesh(line);
      expect(done).toMatchObject({ exit: 3, stdout: '' });
      expect(done.stderr).toContain('bad.yaml:4:9 MESH1003 unknown key "prot"');
      expect(done.stderr).toMatch(/bad\.yaml:11:\d+ MESH1011 .*140/);
      expect(done.stderr).toContain('    |         ^^^^\n');
    }
    expect((await mesh('get services -q')).stdout).toBe('');
    const parsed = JSON.parse((await mesh('apply -f bad.yaml -o json')).stderr) as { problems: object[] };
    expect(parsed.problems[0]).toMatchObject({ code: 'MESH1003', file: 'bad.yaml', line: 4, column: 9 });
  });

  test.each([
    ['apply -f missing.yaml', 'missing.yaml:1:1 MESH1013 there is no such file'],
    ['validate -f .git', 'MESH1013'],
    ['deploy .', 'MESH1013 it is a directory'],
    ['apply -f -', '<stdin>:1:1 MESH1002'],
  ])('%s names what cannot be read', async (line, words) => {
    const done = await mesh(line);
    expect(done.exit).toBe(3);
    expect(done.stderr).toContain(words);
  });

  test('a world is applied in one revision, and again changes nothing', async () => {
    const first = await ok('apply -f world.yaml -m first');
    expect(first.stdout).toContain('Service default/reviews created\n');
    expect(first.stderr).toContain('Revision 1: 15 created. Next: mesh plan');
    expect((await ok('apply -f world.yaml')).stderr).toContain('Nothing to change, the mesh stays at revision 1.');
    expect((await ok('diff -f world.yaml --exit-code')).stderr).toContain('No differences.');
    expect((await ok('apply -f world.yaml --wait')).exit).toBe(0);
  });

  test('get shows a table, names, and documents as they were written', async () => {
    expect((await ok('get services')).stdout).toMatch(/^NAME +PORTS +STABLE +UPSTREAMS +AGE\naudit +9090\/grpc +v1/);
    expect((await ok('get svc -o name')).stdout.split('\n')).toContain('service/reviews');
    const list = await json<List<object>>('get services');
    expect(list).toMatchObject({ apiVersion: 'mesh/v1', kind: 'ServiceList', revision: 1 });
    expect(await json('get service details')).toEqual({
      apiVersion: 'mesh/v1',
      kind: 'Service',
      metadata: { name: 'details' },
      spec: { protocol: 'http', port: 9080, stable: 'v1', health: { http: '/healthz' } },
    });
    const yaml = (await ok('get versions -o yaml')).stdout;
    expect((await ok('apply -f - --dry-run', { stdin: yaml })).stderr).toContain('Would change nothing.');
  });

  test('what is not there is not found, with a hint', async () => {
    const done = await mesh('get service revievs');
    expect(done.exit).toBe(4);
    expect(done.stderr).toMatch(/MESH2005 .*revievs/);
    for (const line of ['ps revievs', 'ps --node nod-a', 'plan --node nod-a', 'plan --service revievs']) {
      const { exit, stderr } = await mesh(line);
      expect(exit, line).toBe(4);
      expect(stderr, line).toMatch(/did you mean "(reviews|node-a)"/);
    }
    expect((await ok('ps reviews')).stderr).toContain('No instance.');
  });

  test('describe shows what belongs to a service', async () => {
    const { stdout } = await ok('describe service reviews');
    expect(stdout).toMatch(/Version +reviews-v1, reviews-v2\n/);
    expect(stdout).toMatch(/Route +reviews\n/);
    expect(stdout).toMatch(/1 +\S+ \S+ +ana@\S+ +apply +first/);
  });

  test('a deleted object comes back with rollback, and the history tells all of it', async () => {
    expect((await mesh('delete route reviews')).exit).toBe(2);
    expect((await ok('delete route reviews -y -m cleanup')).stdout).toBe('Route default/reviews deleted\n');
    expect((await mesh('apply -f world.yaml --expect-revision 1')).exit).toBe(5);
    expect((await ok('rollback 1 --dry-run')).stdout).toContain('+++ new Route default/reviews\n');
    expect((await ok('rollback route reviews --to-revision 1 -y')).stdout).toBe('Route default/reviews created\n');
    const history = (await ok('history route reviews')).stdout.trimEnd().split('\n');
    expect(history.map((line) => line.split(/ +/)[0])).toEqual(['REVISION', '3', '2', '1']);
    expect((await ok('history 2')).stdout).toMatch(/Why +cleanup\n/);
  });
});

describe('what runs', () => {
  test('plan says what deploy will do, and a saved plan holds for its revision only', async () => {
    const plan = await mesh('plan --out monday.plan --exit-code');
    expect(plan.exit).toBe(10);
    expect(plan.stdout).toMatch(/Node node-a\n {2}\+ audit-v1-\d+ +image lightmesh\/demo-app:1\n/);
    expect(plan.stdout).toContain('Plan: 8 to add, 0 to change, 0 to remove.\n');
    await ok('apply -f -', { stdin: 'apiVersion: mesh/v1\nkind: Cluster\nmetadata: { name: other }\nspec: {}\n' });
    const stale = await mesh('deploy monday.plan');
    expect(stale.exit).toBe(5);
    expect(stale.stderr).toContain('MESH2004');
  });

  test('deploy follows the nodes until they have reached it', async () => {
    const committed = await ok('deploy --no-wait -o json');
    const { revision } = JSON.parse(committed.stdout) as { revision: number };
    const late = await mesh('deploy --service nobody');
    expect(late.exit).toBe(4);
    await nodesReach(revision);
    const ps = await json<List<InstanceItem>>('ps');
    expect(ps.items.map(({ state }) => state)).toEqual(Array.from({ length: 8 }, () => 'healthy'));
    expect((await ok('ps reviews --node node-b')).stdout).toMatch(/^SERVICE +VERSION +INSTANCE/);
    expect((await ok('deploy')).stderr).toContain('Nothing to do');
    expect((await ok('deploy history')).stdout).toContain('+8 -0');
    expect((await ok('node list')).stdout).toMatch(/node-a +127\.0\.0\.11 +room-1 +ready +4\/4/);
  });

  test('a deploy that is not reached in time says who is missing', async () => {
    const moved = readWorld('example').replace('mem_limit: 128m', 'mem_limit: 256m');
    await ok('apply -f -', { stdin: moved });
    let minutes = 0;
    const clock = { ...systemClock, monotonic: () => 60_000 * minutes++, sleep: () => Promise.resolve() };
    const done = await mesh('deploy', { clock });
    expect(done.exit).toBe(1);
    expect(done.stdout).toMatch(/~ reviews-v2-\d+ +replaces reviews-v2-\d+/);
    expect(done.stderr).toMatch(/MESH2013 not reached in time by node-[ab]: reviews-v2-\d+ not started/);
  });

  test('sidecar prints what a gRPC client needs to call as one instance of a service', async () => {
    const printed = await ok('sidecar productpage --proxyless-bootstrap');
    const bootstrap = JSON.parse(printed.stdout) as { xds_servers: object[]; node: { id: string; metadata: object } };
    expect(bootstrap.xds_servers).toMatchObject([{ server_uri: house.pilot.xdsAddress }]);
    expect(bootstrap.node.id).toMatch(/^default\/productpage\/productpage-v1-\d+@node-[ab]\+grpc$/);
    expect(bootstrap.node.metadata).toMatchObject({ mesh: { proxyless: true, service: 'productpage' } });
    const given = await ok('sidecar productpage --proxyless-bootstrap --pilot pilot-1:15010 --pilot pilot-2:15010');
    expect(given.stdout).toMatch(/"server_uri": "pilot-1:15010"[^]*"server_uri": "pilot-2:15010"/);
    const unsaid = await mesh('sidecar reviews --proxyless-bootstrap');
    expect(unsaid.exit).toBe(2);
    const [, instance = ''] = /--instance (reviews-v\d-\d+), or reviews/.exec(unsaid.stderr) ?? [];
    expect((await ok(`sidecar reviews --proxyless-bootstrap --instance ${instance}`)).stdout).toContain(instance);
    expect((await mesh('sidecar reviews --proxyless-bootstrap --instance nobody')).exit).toBe(4);
    expect((await mesh('sidecar revews --proxyless-bootstrap')).stderr).toContain('reviews');
    expect(await mesh('sidecar reviews')).toMatchObject({ exit: 2, stderr: /--proxyless-bootstrap/ });
  });

  test('render writes the same files from the server and from files alone', async () => {
    const written = (await ok('render -f world.yaml --out offline')).stdout.trimEnd().split('\n');
    expect(written).toContain('offline/node-a/docker-compose.yml');
    expect(await readFile(path.join(folder.path, 'offline/node-a/docker-compose.yml'), 'utf8')).toContain('services:');
    expect((await ok('render --node node-b --out online')).stdout).not.toContain('node-a');
  });
});

describe('gray release', () => {
  test('goes from start to rollback, each step with what comes next', async () => {
    const start = await ok('gray start reviews --to v2 --weight 10 --match header:x-user=jason');
    expect(start.stdout).toBe('reviews: v1 → v2 in progress at 10 %, always with x-user=jason\n');
    expect(start.stderr).toContain('mesh gray rollback reviews');
    expect((await ok('gray shift reviews +15')).stdout).toContain('at 25 %');
    expect((await ok('gray shift reviews -5')).stdout).toContain('at 20 %');
    expect(await json('gray status reviews')).toMatchObject({ weight: 20, share: null, phase: 'step', gray: 'v2' });
    expect((await ok('gray status reviews')).stdout).toContain('asked     ▕████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▏ 20 %');
    expect((await ok('gray pause reviews')).stdout).toContain('paused');
    expect((await ok('gray resume reviews')).stdout).toContain('in progress');
    expect((await ok('gray rollback reviews -m errors')).stdout).toContain('rolled back');
    expect((await ok('gray history reviews')).stdout).toMatch(/rolled-back +0 % +errors/);
    expect((await mesh('gray shift reviews 5')).exit).not.toBe(0);
  });

  test('a promoted version stands in for the definitions, which get shows', async () => {
    await ok('gray start reviews --to v2 --steps 5,50');
    expect((await ok('gray list --active')).stdout).toMatch(/reviews +v1 +v2 +step +5 %/);
    const promoted = await ok('gray promote reviews --full');
    expect(promoted.stderr).toContain('spec.stable');
    expect((await ok('get services')).stdout).toMatch(/EFFECTIVE[\s\S]*reviews .* v2 +/);
    expect((await ok('gray undo reviews')).stdout).toContain('undone');
  });

  test('a release to a version that is not there is refused with the reason', async () => {
    const done = await mesh('gray start reviews --to v9 --weight 10');
    expect(done.exit).toBe(4);
    expect(done.stderr).toContain('v9');
  });

  test('a weight and steps at once are wrong usage', async () => {
    expect((await mesh('gray start reviews --to v2 --weight 10 --steps 1,5')).exit).toBe(2);
  });
});

describe('the ways to the mesh', () => {
  test('--store does the work without a pilot', async () => {
    const store = `etcd://${house.store.addresses.join(',')}`;
    const env = { MESH_SERVER: 'http://127.0.0.1:1' };
    expect((await ok(`get services -o name --store ${store}`, { env })).stdout).toContain('service/reviews\n');
    expect((await ok(`apply -f world.yaml --dry-run --store ${store}`, { env })).exit).toBe(0);
  });

  test('a context names the server and the namespace', async () => {
    const config = `contexts: { here: { server: "http://${house.pilot.httpAddress}", namespace: shop } }\n`;
    const home = await temporaryFolder('config');
    try {
      await mkdir(path.join(home.path, 'lightmesh'));
      await writeFile(path.join(home.path, 'lightmesh/config.yaml'), config);
      const done = await cli(['get', 'services', '-c', 'here'], { fetch, env: { XDG_CONFIG_HOME: home.path } });
      expect(done.stderr).toBe('No services in namespace shop.\n');
    } finally {
      await home.remove();
    }
  });

  test('watching prints one JSON document per line until interrupted', async () => {
    const interrupt = new AbortController();
    const done = mesh('ps -w -o json', {
      signal: interrupt.signal,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        setImmediate(() => interrupt.abort(new Interrupted()));
        return response;
      },
    });
    const { exit, stdout } = await done;
    expect(exit).toBe(130);
    for (const line of stdout
      .trimEnd()
      .split('\n')
      .filter((text) => text !== ''))
      JSON.parse(line);
  });

  test('completion knows what exists, and is silent when nothing answers', async () => {
    const done = await cli(['__complete', '--', 'gray', 'status', 'rev'], {
      fetch,
      env: { MESH_SERVER: `http://${house.pilot.httpAddress}` },
    });
    expect(done.stdout).toBe('reviews\n');
    expect(await cli(['__complete', '--', 'gray', 'status', ''])).toMatchObject({ exit: 0, stdout: '', stderr: '' });
    expect((await cli(['__complete', '--', 'get', 'services'])).stdout).toBe('services\n');
    expect((await cli(['__complete', '--', 'get', 'services', '-o', 'j'])).stdout).toBe('json\n');
  });

  test('status and version answer', async () => {
    expect((await ok('status')).stdout).toMatch(/^revision +\d+\nstore +embedded/);
    expect((await ok('version')).stdout).toMatch(/pilot +test\n/);
  });
});
