/** `mesh diff --proxies`: what definitions would change in the Envoys that run. */
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliResult, cli } from '../support/cli-io.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';

const cwd = path.resolve(import.meta.dirname, '../../fixtures/worlds/bookinfo');
const route = (weight: number): string => `apiVersion: mesh/v1
kind: Route
metadata: { name: ratings }
spec: { service: ratings, rules: [{ name: all, split: [{ version: v1, weight: 100 }], timeout: ${weight}s }] }
`;

let house: PilotHouse;

beforeAll(async () => {
  house = await openPilotHouse();
  expect((await mesh(['apply', '-f', 'world.yaml'])).exit).toBe(0);
});

afterAll(() => house.close());

function mesh(words: readonly string[], stdin = ''): Promise<CliResult> {
  return cli(words, { cwd, fetch, stdin, env: { MESH_SERVER: `http://${house.pilot.httpAddress}` } });
}

test('says so when nothing runs yet', async () => {
  const { exit, stdout, stderr } = await mesh(['diff', '--proxies', '-f', '-'], route(3));
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' });
  expect(stderr).toContain('No instance is planned: see `mesh plan`.');
});

test('shows equal changes of many proxies once, and none of the others', async () => {
  expect((await mesh(['deploy', '-y', '--no-wait'])).exit).toBe(0);
  const { exit, stdout } = await mesh(['diff', '--proxies', '--exit-code', '-f', '-'], route(3));
  expect(exit).toBe(10);
  // Only reviews calls ratings: five instances on two nodes.
  expect(stdout.match(/^\d+ instances?: .*$/gm)).toEqual([expect.stringMatching(/^5 instances: default\/reviews\//)]);
  expect(stdout).toContain('--- stored routes outbound');
  expect(stdout).toMatch(/^\+ +timeout: 3s$/m);
});

test('as JSON has both sides of each resource', async () => {
  const { stdout } = await mesh(['diff', '--proxies', '-o', 'json', '-f', '-'], route(3));
  const { groups, proxies } = JSON.parse(stdout) as {
    groups: { proxies: string[]; changes: object[] }[];
    proxies: number;
  };
  expect(proxies).toBe(10);
  expect(groups.map(({ changes }) => changes)).toEqual([
    [{ type: 'routes', name: 'outbound', action: 'changed', before: expect.any(Object), after: expect.any(Object) }],
  ]);
});

test('has nothing to tell of definitions that change no traffic, and refuses wrong ones', async () => {
  const owner = 'apiVersion: mesh/v1\nkind: Cluster\nmetadata: { name: other }\nspec: {}\n';
  const same = await mesh(['diff', '--proxies', '--exit-code', '-f', '-'], owner);
  expect({ exit: same.exit, stdout: same.stdout }).toEqual({ exit: 0, stdout: '' });
  const wrong = await mesh(['diff', '--proxies', '-f', '-'], route(3).replace('v1,', 'v9,'));
  expect(wrong.exit).toBe(3);
  expect(wrong.stderr).toContain('nothing compared');
});
