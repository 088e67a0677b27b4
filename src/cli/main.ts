/** Where a run begins and its exit code is decided. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { MeshError } from '../runtime/mesh-error.js';
import type { ExitCode } from './exit-codes.js';
import { reportFailure } from './failure.js';
import { type Io, processIo } from './io.js';
import { styleFor } from './output/color.js';
import { createProgram } from './parser.js';
import { openSession } from './session.js';
import { resolveSettings } from './settings.js';
import { commands } from './table.js';
import { packageVersion } from './version.js';

/** Runs one command line (without `node mesh`) and returns its exit code. Throws nothing. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  let exit: ExitCode = 0;
  const program = createProgram(commands, packageVersion(), io, async ({ spec, globals, args, options }) => {
    const settings = await resolveSettings(globals, io);
    const session = openSession(settings, globals.color !== false, io);
    try {
      exit = (await spec.run(session, args, options)) ?? 0;
    } finally {
      await session.close();
    }
  });
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.code.startsWith('commander.help')) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const report = reportFailure(error instanceof CommanderError ? asUsage(error) : error, {
      json: wantsJson(argv),
      verbose: argv.includes('--verbose'),
      style: styleFor(io, 'stderr', !argv.includes('--no-color')),
    });
    io.stderr.write(report.text);
    return report.exit;
  }
}

/** commander's message has the suggestion in its second line. */
function asUsage(error: CommanderError): MeshError {
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const hint = suggestion?.replace(/^\((.*)\)$/, '$1') ?? 'see `mesh help`, or --help of the command';
  return new MeshError('MESH2007', message, { hint });
}

/** Wrong usage shows before the flags are known, and must be answered in the form that was asked for. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, i) =>
      word === '-ojson' || word === '--output=json' || (word === 'json' && /^(-o|--output)$/.test(argv[i - 1] ?? '')),
  );
}

/** For bin/mesh. */
export async function main(): Promise<void> {
  const code = await run(process.argv.slice(2), processIo());
  // Pipes are written asynchronously: leave only when the last byte is out. Idle sockets need not be waited for.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
