/**
 * Every mistake of fixtures/bad through the command line, against a pilot in this process: exit 3, the place, what was found,
 * a hint, and nothing applied.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Problem } from '../../src/model/problem.js';
import { type CliResult, cli } from '../support/cli-io.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';

const fixtures = path.resolve(import.meta.dirname, '../../fixtures');
const bad = path.join(fixtures, 'bad');

/** File or directory of fixtures/bad to `place code message` of each of its problems and a part of its hint. */
const mistakes: Readonly<Record<string, readonly (readonly [what: string, hint: string])[]>> = {
  'dangling-reference.yaml': [
    ['dangling-reference.yaml:14:16 MESH1010 Service "payment" does not exist', 'did you mean "payments"?'],
  ],
  'directory.yaml': [['directory.yaml:1:1 MESH1002 the directory holds no .yaml, .yml or .json file', 'add -R']],
  'duplicate-name.yaml': [
    [
      'duplicate-name.yaml:9:19 MESH1009 Service default/orders is defined twice',
      'the first is at duplicate-name.yaml:4:19',
    ],
  ],
  'empty.yaml': [['empty.yaml:1:1 MESH1002 there is no document in it', 'a document has apiVersion, kind,']],
  'port-clash.yaml': [
    [
      'port-clash.yaml:15:51 MESH1012 ports 20500-21499 at 10.0.0.11 overlap with node "node-a" (20000-20999)',
      'ranges of their own',
    ],
  ],
  'proxy-port-clash.yaml': [
    [
      'proxy-port-clash.yaml:20:36 MESH1012 proxyPort 9000 is taken by upstream "payments"',
      'choose another, or write auto',
    ],
  ],
  'syntax-error.yaml': [
    ['syntax-error.yaml:9:3 MESH1001 Flow sequence in block collection must be', 'check the indentation'],
  ],
  'three-mistakes.yaml': [
    ['three-mistakes.yaml:9:16 MESH1010 Service "payments" does not exist', 'there is: orders'],
    ['three-mistakes.yaml:17:47 MESH1003 unknown key "privileged"', 'there is: cap_drop, command'],
    ['three-mistakes.yaml:26:34 MESH1004 weight must be a number, found "all"', 'write a number'],
  ],
  'unknown-key.yaml': [['unknown-key.yaml:6:3 MESH1003 unknown key "protcol"', 'did you mean "protocol"?']],
  'weight-140.yaml': [['weight-140.yaml:19:34 MESH1011 weight must be ≤ 100, found 140', 'at most 100']],
  'wrong-type.yaml': [['wrong-type.yaml:7:9 MESH1004 port must be a number, found "eighty"', 'write a number']],
};

let house: PilotHouse;

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply('apiVersion: mesh/v1\nkind: Cluster\nmetadata: { name: before }\nspec: {}\n');
});

afterAll(() => house.close());

const mesh = (line: string, stdin?: string): Promise<CliResult> =>
  cli(line.split(' '), {
    cwd: bad,
    fetch,
    env: { MESH_SERVER: `http://${house.pilot.httpAddress}` },
    ...(stdin === undefined ? {} : { stdin }),
  });

/** The answer to `-o json`: one object, one line, on stderr. */
async function problemsOf(line: string): Promise<readonly Problem[]> {
  const done = await mesh(`${line} -o json`);
  expect(done).toMatchObject({ exit: 3, stdout: '' });
  expect(done.stderr.trimEnd()).not.toContain('\n');
  const answer = JSON.parse(done.stderr) as { problems: readonly Problem[] };
  expect(Object.keys(answer)).toEqual(['problems']);
  return answer.problems;
}

async function nothingApplied(): Promise<void> {
  const { stdout } = await mesh('get clusters -o json');
  expect(JSON.parse(stdout)).toMatchObject({ revision: 1, items: [{ metadata: { name: 'before' } }] });
  expect((await mesh('get services -q')).stdout).toBe('');
}

const placeOf = ({ file, line, column, code, message }: Problem): string =>
  `${file}:${line}:${column} ${code} ${message}`;

test('every fixture is told here', () => {
  expect(Object.keys(mistakes)).toEqual(readdirSync(bad).filter((name) => name !== 'nested'));
});

describe.each(Object.entries(mistakes))('%s', (name, expected) => {
  test.each(['validate', 'apply', 'apply --dry-run', 'diff'])(
    '%s tells all of it and changes nothing',
    async (verb) => {
      const done = await mesh(`${verb} -f ${name}`);
      expect(done).toMatchObject({ exit: 3, stdout: '' });
      for (const [what, hint] of expected) {
        expect(done.stderr).toContain(what);
        expect(done.stderr).toContain(hint);
      }
      expect(done.stderr).toMatch(new RegExp(`^${expected.length} problems?[.,]`, 'm'));
      await nothingApplied();
    },
  );

  test.each(['validate', 'apply'])('%s -o json has the shape of the contract', async (verb) => {
    const problems = await problemsOf(`${verb} -f ${name}`);
    expect(problems.map(placeOf)).toEqual(expected.map(([what]) => expect.stringContaining(what)));
    for (const [i, problem] of problems.entries()) {
      expect(problem).toEqual({
        code: expect.stringMatching(/^MESH1\d{3}$/),
        severity: 'error',
        file: name,
        line: expect.any(Number),
        column: expect.any(Number),
        path: expect.any(String),
        message: expect.any(String),
        hint: expect.stringContaining(expected[i]?.[1] as string),
      });
    }
  });
});

describe('several files and directories', () => {
  test('are one input: the problems of all of them, by file and line', async () => {
    const problems = await problemsOf('validate -f wrong-type.yaml three-mistakes.yaml -f empty.yaml');
    expect(problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
      'empty.yaml:1',
      'three-mistakes.yaml:9',
      'three-mistakes.yaml:17',
      'three-mistakes.yaml:26',
      'wrong-type.yaml:7',
    ]);
  });

  test('what cannot be read is told first: the rest may refer to it', async () => {
    const problems = await problemsOf('validate -f wrong-type.yaml missing.yaml -f directory.yaml');
    expect(problems.map(placeOf)).toEqual([
      'missing.yaml:1:1 MESH1013 there is no such file or directory',
      'directory.yaml:1:1 MESH1002 the directory holds no .yaml, .yml or .json file',
    ]);
  });

  test('what one refers to may stand in another', async () => {
    const version = `apiVersion: mesh/v1
kind: Version
metadata: { name: orders-v1 }
spec: { service: orders, version: v1, container: { image: "lightmesh/demo-app:1" } }
`;
    expect((await mesh('validate -f -', version)).stderr).toContain('<stdin>:4:18 MESH1010 Service "orders" does not');
    expect((await mesh('validate -f nested/above.yaml -f -', version)).stdout).toBe('2 objects in 2 files: valid\n');
  });

  test('a directory is read without those below it, as kubectl does', async () => {
    expect((await mesh('validate -f nested')).stdout).toBe('1 object in 1 file: valid\n');
  });

  test('with -R also those below it, and a mistake names the file it stands in', async () => {
    const [problem, ...more] = await problemsOf('apply -R -f nested');
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      code: 'MESH1009',
      file: 'nested/below/again.yaml',
      line: 4,
      column: 19,
      hint: 'the first is at nested/above.yaml:4:19',
    });
    await nothingApplied();
  });

  test('one bad file keeps the good ones out', async () => {
    expect((await mesh('apply -f nested/above.yaml -f empty.yaml')).exit).toBe(3);
    await nothingApplied();
  });
});

test('a directory where one file is wanted is named, with a hint', async () => {
  const done = await mesh('deploy directory.yaml');
  expect(done.exit).toBe(3);
  expect(done.stderr).toMatch(/^directory\.yaml:1:1 MESH1013 it is a directory \(.*name a file in it\)/);
});

test('the worlds of the fixtures are good input', async () => {
  for (const world of ['bookinfo', 'example', 'one-service']) {
    expect((await mesh(`validate -f ${path.join(fixtures, 'worlds', world)}`)).exit).toBe(0);
  }
});
