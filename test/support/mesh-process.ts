/** The command as a user runs it: real processes of `bin/mesh`, each ended by its pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');
const command = path.join(root, 'bin/mesh');

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Runs to its end, whatever the exit code. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, env: { ...process.env, ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (part) => (stdout += part));
    child.stderr.on('data', (part) => (stderr += part));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    // Who ends without reading what it was given has said why by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Runs `mesh …` and throws with its words when it fails. */
export async function meshOk(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const done = await run(command, args, options);
  if (done.code !== 0) throw new Error(`mesh ${args.join(' ')} exited ${done.code}\n${done.stderr}${done.stdout}`);
  return done.stdout;
}

export function mesh(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return run(command, args, options);
}

export interface Daemon {
  readonly pid: number;
  /** All that it has written so far. */
  log(): string;
  signal(signal: NodeJS.Signals): void;
  /** Ends it (SIGTERM, then SIGKILL after 10 s) and waits. */
  stop(): Promise<void>;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

export interface DaemonOptions extends RunOptions {
  /** Before the command: `nsenter …` runs it elsewhere. */
  readonly inside?: readonly string[];
}

/** `mesh pilot`, `mesh agent`: runs until stopped. */
export function startDaemon(args: readonly string[], options: DaemonOptions = {}): Daemon {
  const [file = '', ...words] = [...(options.inside ?? []), process.execPath, command, ...args];
  const child: ChildProcess = spawn(file, words, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stdout?.on('data', (part) => (log += part));
  child.stderr?.on('data', (part) => (log += part));
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return {
    pid: child.pid as number,
    log: () => log,
    signal: (signal) => void child.kill(signal),
    ended,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** A port of 127.0.0.1 that was free a moment ago: for what cannot be asked to choose its own. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export async function temporaryFolder(prefix: string): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), `${prefix}-`));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
