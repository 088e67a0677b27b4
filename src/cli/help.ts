/** The whole tree of commands, loaded: for help, completion and the generated reference. */
import type { Command } from 'commander';
import type { CommandSpec, GroupSpec, Row } from './command.js';
import { createProgram, fill } from './parser.js';
import { commands } from './table.js';
import { packageVersion } from './version.js';

export interface TreeNode {
  readonly path: readonly string[];
  readonly row: Row;
  readonly spec: CommandSpec | GroupSpec;
}

/** Every command and group, depth first, in the order of the tables. */
export async function commandTree(rows: readonly Row[] = commands, above: readonly string[] = []): Promise<TreeNode[]> {
  const nodes: TreeNode[] = [];
  for (const row of rows) {
    const spec = (await row.load()).command;
    const path = [...above, row.name];
    nodes.push({ path, row, spec });
    nodes.push(...(await commandTree(spec.commands ?? [], path)));
  }
  return nodes;
}

/** The help page of a command given by its words, undefined when there is none. */
export async function helpOf(path: readonly string[]): Promise<string | undefined> {
  let text = '';
  const voice = { write: (part: string) => (text += part) };
  let command: Command = createProgram(commands, packageVersion(), { stdout: voice, stderr: voice }, () =>
    Promise.resolve(),
  );
  let rows: readonly Row[] = commands;
  for (const word of path) {
    const row = rows.find(({ name }) => name === word);
    const child = command.commands.find((candidate) => candidate.name() === word);
    if (row === undefined || child === undefined) return undefined;
    const spec = (await row.load()).command;
    fill(child, spec, () => Promise.resolve());
    rows = spec.commands ?? [];
    command = child;
  }
  command.outputHelp();
  return text;
}
