/**
 * Hundreds of broken files through the command line: exit 3, and each problem with its place, what was found, what is allowed and
 * a hint. What is said is kept beside the cases: read the difference when words change (`npx vitest -u`).
 */
import { describe, expect, test } from 'vitest';
import type { Problem } from '../../src/model/problem.js';
import { type BadCase, badKinds, badWorld } from '../support/bad-cases.js';
import { cli } from '../support/cli-io.js';

const kinds = badKinds();

const validate = (text: string, ...more: readonly string[]) =>
  cli(['validate', '-f', badWorld, '-f', '-', ...more], { stdin: text });

async function told({ title, text }: BadCase): Promise<string> {
  const { exit, stderr } = await validate(text, '-o', 'json');
  expect({ title, exit, stderr }).toMatchObject({ exit: 3 });
  const { problems } = JSON.parse(stderr) as { problems: readonly Problem[] };
  for (const problem of problems) {
    expect({ title, ...problem }).toMatchObject({
      code: expect.stringMatching(/^MESH1\d{3}$/),
      line: expect.any(Number),
      column: expect.any(Number),
      message: expect.stringMatching(/\S/),
      hint: expect.stringMatching(/\S/),
    });
  }
  const lines = problems.map(
    ({ file, line, column, code, message, hint, path }) =>
      `    ${file === '<stdin>' ? '' : `${file?.split('/').at(-1)}:`}${line}:${column} ${code} ${message} (${hint}) [${path}]\n`,
  );
  return `${title}\n${lines.join('')}`;
}

test('there are at least 300 of them, and none twice', () => {
  const texts = kinds.flatMap(({ cases }) => cases.map(({ text }) => text));
  expect(texts.length).toBeGreaterThanOrEqual(300);
  expect(texts.length).toBe(new Set(texts).size);
});

describe.each(kinds)('$name', ({ name, good, cases }) => {
  test('is right before it is broken', async () => {
    expect(await validate(good)).toMatchObject({ exit: 0 });
  });

  test('says what is wrong, where, and what to do', async () => {
    const all: string[] = [];
    for (const one of cases) all.push(await told(one));
    await expect(all.join('\n')).toMatchFileSnapshot(`../../fixtures/bad-cases/told/${name}.txt`);
  });
});
