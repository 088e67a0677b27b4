/** The commands and examples of the documentation hold: a reader who types them is understood. */
import { CommanderError } from 'commander';
import { expect, it } from 'vitest';
import { createProgram } from '../../../src/cli/parser.js';
import { commands } from '../../../src/cli/table.js';
import { allKinds } from '../../../src/dsl/kinds.js';
import { parseDefinitions } from '../../../src/model/parse.js';
import { fencedBlocks, meshCalls, pages, readPage } from '../../support/doc-commands.js';
import { planWorld, readWorld, worldOf } from '../../support/worlds.js';

/** What the parser says to these words; a sentence may name a command without its operands. */
async function complaint(words: readonly string[]): Promise<string | undefined> {
  const silent = { write: () => undefined };
  const program = createProgram(commands, '0', { stdout: silent, stderr: silent }, () => Promise.resolve());
  try {
    await program.parseAsync([...words], { from: 'user' });
    return undefined;
  } catch (error) {
    const isJustNamed =
      error instanceof CommanderError && ['commander.help', 'commander.missingArgument'].includes(error.code);
    return isJustNamed ? undefined : (error as Error).message;
  }
}

const calls = pages.flatMap((page) =>
  meshCalls(readPage(page)).map((words) => [page, words.join(' '), words] as const),
);

it.each(calls)('%s: mesh %s', async (_page, _line, words) => {
  expect(await complaint(words)).toBeUndefined();
});

it('finds the commands of a page, wherever they stand', () => {
  const page = [
    'Say `mesh get services -o json`, not `meshed`.',
    '```sh',
    'A=$(./bin/mesh ps a | awk 1)  # mesh no',
    'mesh plan && mesh deploy -m "all of it" \\',
    '  --wait',
    '```',
    '```yaml',
    'mesh: none',
    '```',
  ].join('\n');
  expect(meshCalls(page)).toEqual([
    ['get', 'services', '-o', 'json'],
    ['ps', 'a'],
    ['plan'],
    ['deploy', '-m', 'all of it', '--wait'],
  ]);
});

it.each([
  ['gray strat reviews', "unknown command 'strat'"],
  ['plan --jason', "unknown option '--jason'"],
  ['get services -o xml', 'no -o "xml"'],
])('is told that mesh %s is wrong', async (line, message) => {
  expect(await complaint(line.split(' '))).toContain(message);
});

const examples = pages.flatMap((page) =>
  fencedBlocks(readPage(page), 'yaml').map(({ line, text }) => [`${page}:${line}`, text] as const),
);

/** An example may leave out what it is about besides: that is what a page is for. */
it.each(examples.filter(([, text]) => /^kind: /m.test(text)))('%s is made of right definitions', (name, text) => {
  expect(parseDefinitions([{ name, text }], allKinds).problems).toEqual([]);
});

it('a service of your own: its definitions hold together and can be planned', () => {
  const blocks = fencedBlocks(readPage('docs/how-to/own-service.md'), 'yaml');
  const world = worldOf(blocks.map(({ text }) => text).join('\n---\n'));
  expect(world.problems).toEqual([]);
  const planned = planWorld(world);
  expect(planned.problems).toEqual([]);
  expect(planned.steps.map(({ action, service }) => `${action} ${service}`)).toEqual(['add orders', 'add orders']);
});

it('the programs in the page about clients are those that the tests run', () => {
  const page = readPage('docs/how-to/clients.md');
  const shown = [...page.matchAll(/\(`(fixtures\/examples\/[^`]+)`\)[^`]*```(?:js|go)\n([^]*?)```/g)];
  expect(shown.map(([, file]) => file)).toHaveLength(5);
  for (const [, file, code] of shown) expect(code).toBe(readPage(file?.endsWith('.mjs') ? file : `${file}/main.go`));
});

it('the page about the edge shows what is in its world', () => {
  const inWorld = readWorld('edge').split('\n---\n');
  const shown = fencedBlocks(readPage('docs/how-to/edge.md'), 'yaml').flatMap(({ text }) => text.split('\n---\n'));
  expect(shown).toHaveLength(4);
  expect(shown.filter((document) => !inWorld.some((known) => known.trim() === document.trim()))).toEqual([]);
});
