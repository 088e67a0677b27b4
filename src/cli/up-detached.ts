import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../runtime/mesh-error.js';
import type { UpOptions } from './commands/up.js';
import { readSources } from './input.js';
import type { Session } from './session.js';
import { nextSteps, sayStep } from './up-foreground.js';
import { readUpState, type UpState } from './up-state.js';

const DEFAULT_START_MS = 60_000;
const POLL_INTERVAL_MS = 100;
const LOG_TAIL_LINES = 15;

/** Starts this program again without a terminal, with a log of its own, and returns when it is ready. */
export async function upDetached(session: Session, options: UpOptions, dataDir: string): Promise<void> {
  await checkFiles(session, options);
  const logFile = join(dataDir, 'mesh.log');
  const log = await open(logFile, 'a', 0o600);
  const child = spawn(process.execPath, childArguments(options, dataDir), {
    cwd: session.io.cwd,
    env: { ...session.io.env },
    detached: true,
    // Not the caller's: a pipe that we were started with would never end for whoever reads it.
    stdio: ['ignore', log.fd, log.fd],
  });
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = signal ?? `exit code ${code}`));
  child.unref();
  await log.close();
  const state = await untilReady(
    session,
    dataDir,
    () => child.pid,
    () => ended,
    logFile,
  );
  for (const step of [...state.steps, { text: `log      ${logFile}`, ok: true }]) sayStep(session, step);
  session.say(nextSteps(`http://${state.http}`, options.file !== undefined, options));
}

/** What cannot be read is said here, not in the log of a child. */
async function checkFiles({ io }: Session, options: UpOptions): Promise<void> {
  if (options.file === undefined) return;
  if (options.file.includes('-')) {
    throw new MeshError('MESH2007', 'a process in the background has no stdin to read from', {
      hint: 'write the definitions to a file, or start without --detach',
    });
  }
  await readSources(options.file, { recursive: options.recursive ?? false }, io);
}

function childArguments(options: UpOptions, dataDir: string): string[] {
  return [
    ...process.execArgv,
    process.argv[1] ?? '',
    'up',
    '--data-dir',
    dataDir,
    '--listen',
    options.listen,
    '--xds',
    options.xds,
    '--xds-transport',
    options.xdsTransport,
    ...(options.etcd === undefined ? [] : ['--etcd', options.etcd]),
    ...(options.quota === undefined ? [] : ['--quota', options.quota]),
    ...(options.file === undefined ? [] : ['--file', ...options.file]),
    ...(options.recursive === true ? ['--recursive'] : []),
    '--log-level',
    options.logLevel === 'warn' ? 'info' : options.logLevel,
    '--no-color',
  ];
}

async function untilReady(
  session: Session,
  dataDir: string,
  pid: () => number | undefined,
  ended: () => string | undefined,
  logFile: string,
): Promise<UpState> {
  const { clock, signal, fetch } = session.io;
  const limitMs = session.settings.givenTimeoutMs ?? DEFAULT_START_MS;
  const deadlineMs = clock.monotonic() + limitMs;
  for (;;) {
    const state = await readUpState(dataDir);
    if (state?.pid === pid() && state?.ready === true && (await answersReady(fetch, state.http))) return state;
    const end = ended();
    if (end !== undefined) throw await notStarted(`the process ended (${end})`, logFile);
    if (clock.monotonic() >= deadlineMs) throw await notStarted(`it is not ready after ${limitMs / 1000} s`, logFile);
    await clock.sleep(POLL_INTERVAL_MS, signal);
  }
}

async function answersReady(fetchFunction: typeof fetch, address: string): Promise<boolean> {
  try {
    return (await fetchFunction(`http://${address}/readyz`)).ok;
  } catch {
    return false;
  }
}

async function notStarted(why: string, logFile: string): Promise<MeshError> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const tail = text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  return new MeshError('MESH2031', `the mesh did not start: ${why}\n${tail}`, { hint: `the whole log: ${logFile}` });
}
