/** Where a run begins and its exit code is decided. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import type { ExitCode } from './exit-codes.js';
import type { FailureReport } from './failure.js';
import { type Io, processIo } from './io.js';
import { createProgram } from './parser.js';
import { commands } from './table.js';
import { packageVersion } from './version.js';

/** Runs one command line (without `node mesh`) and returns its exit code. Throws nothing. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  let exit: ExitCode = 0;
  const program = createProgram(commands, packageVersion(), io, async ({ spec, globals, args, options }) => {
    // What only a command needs is loaded with it: `mesh --help` has 150 ms for everything.
    const [{ resolveSettings }, { openSession }] = await Promise.all([import('./settings.js'), import('./session.js')]);
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
    const report = await describeFailure(error, argv, io);
    io.stderr.write(report.text);
    return report.exit;
  }
}

async function describeFailure(error: unknown, argv: readonly string[], io: Io): Promise<FailureReport> {
  const [{ reportFailure }, { styleFor }] = await Promise.all([import('./failure.js'), import('./output/color.js')]);
  return reportFailure(error instanceof CommanderError ? await asUsage(error) : error, {
    json: wantsJson(argv),
    verbose: argv.includes('--verbose'),
    style: styleFor(io, 'stderr', !argv.includes('--no-color')),
  });
}

/** commander's message has the suggestion in its second line. */
async function asUsage(error: CommanderError): Promise<Error> {
  const { MeshError } = await import('../runtime/mesh-error.js');
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
