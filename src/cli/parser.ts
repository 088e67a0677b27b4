/** From rows of a table to commander: a command's own flags are loaded when it is its turn, and only then. */
import { Command, Option } from 'commander';
import { MeshError } from '../runtime/mesh-error.js';
import type { CommandSpec, Example, GroupSpec, OptionSpec, OutputFormat, Row } from './command.js';
import { everyFlag, flagsOf } from './flags.js';
import type { Io } from './io.js';
import type { GlobalFlags } from './settings.js';

const HELP_WIDTH = 110;

/** The command that was asked for, with its words. */
export interface Invocation {
  readonly spec: CommandSpec;
  readonly globals: GlobalFlags;
  readonly args: readonly string[];
  readonly options: object;
}

export type Invoke = (invocation: Invocation) => Promise<void>;

export function createProgram(
  rows: readonly Row[],
  version: string,
  io: Pick<Io, 'stdout' | 'stderr'>,
  invoke: Invoke,
): Command {
  const program = new Command('mesh')
    .description('A service mesh for plain Docker hosts: routing, sidecars, gray release.')
    .version(version, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      // Wrong usage is thrown as well, and printed where every failure is.
      outputError: () => undefined,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const option of everyFlag()) program.addOption(option.hideHelp());
  addExamples(program, [
    { line: 'mesh up --detach', what: 'run the whole mesh on this machine' },
    { line: 'mesh apply -f world.yaml && mesh deploy', what: 'say what there is, then run it' },
    { line: 'mesh gray start reviews --to v2 --weight 10', what: 'send 10 % to a new version' },
    { line: 'mesh explain MESH1010', what: 'what a message means' },
  ]);
  addRows(program, rows, invoke);
  return program;
}

function addRows(parent: Command, rows: readonly Row[], invoke: Invoke): void {
  parent.enablePositionalOptions();
  parent.helpCommand(false);
  for (const row of rows) {
    const child = parent.command(row.name, { hidden: row.hidden ?? false }).description(row.summary);
    if (row.section !== undefined) child.helpGroup(`${row.section}:`);
  }
  parent.hook('preSubcommand', async (_parent, child) => {
    const row = rows.find(({ name }) => name === child.name());
    if (row !== undefined) fill(child, (await row.load()).command, invoke);
  });
}

/** Gives a command that is known by name all that its module says. */
export function fill(command: Command, spec: CommandSpec | GroupSpec, invoke: Invoke): void {
  if (spec.details !== undefined) command.description(`${command.description()}\n\n${spec.details}`);
  addExamples(command, spec.examples);
  if (spec.kind === 'group') {
    for (const option of everyFlag()) command.addOption(option.hideHelp());
    addRows(command, spec.commands, invoke);
    return;
  }
  for (const { syntax, description } of spec.arguments ?? []) command.argument(syntax, description);
  for (const option of spec.options ?? []) command.addOption(commanderOption(option));
  for (const option of flagsOf(spec)) command.addOption(option);
  if (spec.commands !== undefined) addRows(command, spec.commands, invoke);
  command.action(async () => {
    const { globals, options } = collectFlags(command, spec);
    await invoke({ spec, globals, args: command.args, options });
  });
}

function commanderOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.choices !== undefined) option.choices([...spec.choices]);
  if (spec.defaultValue !== undefined) option.default(spec.defaultValue);
  if (spec.repeats === true) {
    option.argParser((value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]);
  }
  return option;
}

/** Before the usage line: most readers need no more than an example. */
function addExamples(command: Command, examples: readonly Example[]): void {
  const width = Math.max(...examples.map(({ line }) => line.length));
  const lines = examples.map(({ line, what }) => `  ${line.padEnd(width)}   ${what}`);
  command.addHelpText('before', `Examples:\n${lines.join('\n')}\n`);
}

/** Flags may stand before the command or after it; one that the command does not take is refused, never ignored. */
function collectFlags(command: Command, spec: CommandSpec): { globals: GlobalFlags; options: object } {
  const own = new Set((spec.options ?? []).map(({ flags }) => new Option(flags).attributeName()));
  const taken = new Set(flagsOf(spec).map((option) => option.attributeName()));
  const globals: Record<string, unknown> = {};
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(command.opts())) {
    if (own.has(name)) options[name] = value;
    else if (command.getOptionValueSource(name) === 'cli') globals[name] = value;
  }
  for (let above = command.parent; above !== null; above = above.parent) {
    for (const [name, value] of Object.entries(above.opts())) {
      if (above.getOptionValueSource(name) !== 'cli') continue;
      if (!taken.has(name)) throw refused(command, above, name);
      globals[name] ??= value;
    }
  }
  checkFormat((globals as GlobalFlags).output, spec.output ?? [], command);
  return { globals, options };
}

function refused(command: Command, above: Command, name: string): MeshError {
  const flags = above.options.find((option) => option.attributeName() === name)?.flags ?? name;
  return new MeshError('MESH2007', `\`${pathOf(command)}\` has no flag ${flags}`, {
    hint: `see \`${pathOf(command)} --help\``,
  });
}

function checkFormat(format: string | undefined, formats: readonly OutputFormat[], command: Command): void {
  if (format === undefined || formats.some((known) => known === format)) return;
  throw new MeshError('MESH2007', `\`${pathOf(command)}\` has no -o "${format}"`, {
    hint: `one of ${formats.join(', ')}`,
  });
}

/** `mesh gray start` */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
