/** Every command says what it does and shows how; a flag means the same wherever it stands. */
import { describe, expect, it } from 'vitest';
import { commandTree, helpOf } from '../../../src/cli/help.js';
import { cli } from '../../support/cli-io.js';

const tree = await commandTree();

describe('the tree of commands', () => {
  it.each(tree.map(({ path, row, spec }) => [path.join(' '), row, spec] as const))('%s', async (name, row, spec) => {
    expect(row.summary).toMatch(/^[A-Z].*[^.]$/);
    expect(spec.examples.length).toBeGreaterThanOrEqual(2);
    expect(spec.examples.length).toBeLessThanOrEqual(4);
    for (const { line, what } of spec.examples) {
      expect(line).toContain(`mesh ${name}`);
      expect(what).not.toBe('');
    }
    const help = await helpOf(name.split(' '));
    expect(help).toMatch(/^Examples:\n/);
    expect(help).toContain(`Usage: mesh ${name}`);
  });

  it('every example is a command line that the parser takes', async () => {
    const known = new Set(tree.map(({ path }) => path.join(' ')));
    for (const { spec } of tree) {
      for (const { line } of spec.examples) {
        const words = /mesh ([a-z_]+)(?: ([a-z]+))?/.exec(line);
        expect(known.has(words?.[1] ?? '')).toBe(true);
      }
    }
  });

  it('a flag has one meaning', () => {
    const meanings = new Map<string, Set<string>>();
    for (const { spec } of tree) {
      if (spec.kind === 'group') continue;
      for (const { flags } of spec.options ?? []) {
        const [short, long] = flags.split(/[ ,]+/).filter((word) => word.startsWith('-'));
        if (short === undefined || long === undefined) continue;
        meanings.set(short, new Set([...(meanings.get(short) ?? []), long]));
      }
    }
    // -f names files everywhere, and follows in logs, as people know it from docker and kubectl.
    meanings.delete('-f');
    expect([...meanings].filter(([, longs]) => longs.size > 1)).toEqual([]);
  });

  it('help finds commands by their words and says when there is none', async () => {
    expect((await cli(['help', 'gray', 'start'])).stdout).toContain('Usage: mesh gray start');
    expect((await cli(['gray', 'start', '--help'])).stdout).toBe((await cli(['help', 'gray', 'start'])).stdout);
    expect(await cli(['help', 'nonsense'])).toMatchObject({ exit: 2, stdout: '' });
    expect((await cli(['help', 'exit-codes'])).stdout).toContain('130');
  });
});
