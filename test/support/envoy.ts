/** A real Envoy for tests, with its admin on a free loopback port and its log in a temporary file. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { DRAINING } from '../../src/planner/compose.js';
import { freePort } from './mesh-process.js';
import { until } from './until.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const STOP_WAIT_MS = 5_000;

/** The binary that `scripts/setup` put in place, or the one that LIGHTMESH_ENVOY or the PATH names. */
export function findEnvoy(): string | undefined {
  const candidates = [process.env['LIGHTMESH_ENVOY'], path.join(ROOT, '.cache/envoy/envoy'), onPath()];
  return candidates.find((candidate) => candidate && existsSync(candidate));
}

function onPath(): string | undefined {
  try {
    return execFileSync('which', ['envoy'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined; // not installed
  }
}

/** For `describe.skipIf(isEnvoyMissing())`: skips loudly, except where nothing may be skipped. */
export function isEnvoyMissing(): boolean {
  if (findEnvoy()) return false;
  const message = 'no Envoy binary: run scripts/setup, or name one in LIGHTMESH_ENVOY';
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(`SKIPPED, ${message}`);
  return true;
}

export interface Envoy {
  readonly pid: number;
  /** 0 where the bootstrap has an admin of its own, on a socket. */
  readonly adminPort: number;
  readonly logFile: string;
  /** Body of an admin page; throws on any status but 200. */
  adminGet(path: string): Promise<string>;
  /** The sum of all counters or gauges whose whole name matches. */
  stat(name: RegExp): Promise<number>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, then SIGKILL; removes its files. */
  stop(): Promise<void>;
}

export interface EnvoyOptions {
  /** In JSON; an `admin` is added when there is none. One of its own is on a unix socket, as the planner's is. */
  readonly bootstrap: { readonly admin?: unknown };
  /** Where its files go; default a new temporary directory. */
  readonly baseDir?: string;
}

export async function startEnvoy({ bootstrap, baseDir }: EnvoyOptions): Promise<Envoy> {
  const binary = findEnvoy();
  if (!binary) throw new Error('no Envoy binary');
  const directory = mkdtempSync(path.join(baseDir ?? tmpdir(), 'envoy-'));
  const own = bootstrap.admin as { address: { pipe: { path: string } } } | undefined; // as the planner writes it
  const adminPort = own === undefined ? await freePort() : 0;
  const admin = { address: { socketAddress: { address: '127.0.0.1', portValue: adminPort } } };
  const configFile = path.join(directory, 'envoy.json');
  const logFile = path.join(directory, 'envoy.log');
  writeFileSync(configFile, JSON.stringify({ admin, ...bootstrap }));
  const args = ['-c', configFile, '--disable-hot-restart', '--concurrency', '1', '-l', 'info', ...DRAINING];
  const child = spawn(binary, args, {
    stdio: ['ignore', openSync(logFile, 'a'), openSync(logFile, 'a')],
  });
  const envoy = envoyOf(
    child,
    own === undefined ? { port: adminPort } : { socketPath: own.address.pipe.path },
    logFile,
  );
  await until("Envoy's admin", async () => {
    if (child.exitCode !== null) return true;
    return (await envoy.adminGet('/server_info')) !== '';
  });
  if (child.exitCode !== null) throw new Error(`Envoy did not start:\n${readFileSync(logFile, 'utf8').slice(-4000)}`);
  return envoy;
}

function envoyOf(child: ChildProcess, admin: { port?: number; socketPath?: string }, logFile: string): Envoy {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const adminGet = async (page: string): Promise<string> => {
    const [response] = (await once(get({ ...admin, path: page, agent: false }), 'response')) as [IncomingMessage];
    const body = await text(response);
    if (response.statusCode !== 200) throw new Error(`${page}: ${response.statusCode} ${body}`);
    return body;
  };
  return {
    pid: child.pid ?? 0,
    adminPort: admin.port ?? 0,
    logFile,
    adminGet,
    async stat(name) {
      const lines = (await adminGet('/stats')).split('\n').map((line) => line.split(': '));
      return lines.reduce((sum, [stat, value]) => (stat && name.test(stat) ? sum + Number(value) : sum), 0);
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS);
      await exited;
      clearTimeout(timer);
      rmSync(path.dirname(logFile), { recursive: true, force: true });
    },
  };
}
