/** `mesh resolve` through the command line: from files, and of a pilot in this process. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliResult, cli } from '../support/cli-io.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';

const world = path.resolve(import.meta.dirname, '../../fixtures/worlds/bookinfo/world.yaml');
let house: PilotHouse;

beforeAll(async () => {
  house = await openPilotHouse();
});

afterAll(() => house.close());

const mesh = (...words: readonly string[]): Promise<CliResult> =>
  cli(words, { cwd: path.dirname(world), fetch, env: { MESH_SERVER: `http://${house.pilot.httpAddress}` } });

describe('mesh resolve', () => {
  test('from files names the rule, the versions and what would run', async () => {
    const { exit, stdout } = await mesh('resolve', 'reviews', '--from', 'productpage', '-f', 'world.yaml');
    expect(exit).toBe(0);
    expect(stdout).toContain('Rule     Route default/reviews everyone (every request)');
    expect(stdout).toMatch(/reviews {2}v1 {7}100 % {2}127\.0\.0\.11:\d+ {2}node-a {2}HEALTHY/);
  });

  test('of the mesh has the form of the contract', async () => {
    expect((await mesh('apply', '-f', 'world.yaml')).exit).toBe(0);
    const { exit, stdout } = await mesh('resolve', 'reviews', '--from', 'productpage', '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'Resolution',
      revision: 1,
      host: 'reviews',
      listener: 'outbound',
      route: { kind: 'Route', name: 'default/reviews', rule: 'everyone', matched: 'every request' },
      destinations: [{ service: 'reviews', version: 'v1', weight: 100, endpoints: [] }],
      notTaken: [{ rule: 'Service default/reviews default', why: 'an earlier rule takes it' }],
    });
  });

  test('tells who may not be called, with the next command', async () => {
    const { exit, stdout, stderr } = await mesh('resolve', 'productpage', '--from', 'reviews');
    expect(exit).toBe(0);
    expect(stdout).toContain('404, it may call no such host');
    expect(stderr).toContain('mesh get service reviews -o yaml');
  });

  test.each([
    [['resolve', 'reviews', '--from', 'review'], 4, 'did you mean "reviews"?'],
    [['resolve', 'reviews', '--header', 'x-user'], 2, 'write --header name=value'],
    [['resolve', 'reviews', '--path', 'a'], 2, 'write --path /…'],
    [['resolve', 'reviews', '--path', '/a#b'], 2, 'without a #'],
    [['resolve', 'reviews', '-f', 'nothing.yaml'], 3, 'there is no such file'],
  ])('%j is refused', async (words, exit, hint) => {
    const done = await mesh(...words);
    expect(done.exit).toBe(exit);
    expect(done.stderr).toContain(hint);
  });
});
