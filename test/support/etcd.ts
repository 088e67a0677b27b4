/** A real etcd of its own for a test: one member, free ports, a temporary directory. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { freePort, temporaryFolder } from './mesh-process.js';
import { until } from './until.js';

export interface Etcd {
  /** `etcd://host:port` */
  readonly url: string;
  /** `host:port` */
  readonly address: string;
  readonly pid: number;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it, if it runs, and starts it again on the same address, with the same data unless `wiped`. */
  restart(options?: { readonly wiped?: boolean }): Promise<void>;
}

const ANSWERS_WITHIN_MS = 20_000;

/** False where there is no etcd; with CI=true that is a failure, not a reason to skip. */
export function hasEtcd(): boolean {
  if (spawnSync('etcd', ['--version']).status === 0) return true;
  if (process.env['CI'] === 'true') throw new Error('etcd is not in PATH, and with CI=true nothing may be skipped');
  process.stderr.write(
    '\n!!! etcd is not in PATH: everything that needs a real etcd is SKIPPED (apt install etcd-server)\n\n',
  );
  return false;
}

/** `flags` as on etcd's command line, without the dashes, instead of or besides our own. */
export async function startEtcd(flagsOf: (port: number) => Flags = () => ({})): Promise<Etcd> {
  const folder = await temporaryFolder('etcd');
  const [client, peer] = [await freePort(), await freePort()];
  const flags = flagsOf(client);
  const member = { name: 'default', dataDir: path.join(folder.path, 'data'), client, peer, flags };
  let running = await startMember(member, [member]);
  return {
    url: `etcd://127.0.0.1:${client}`,
    address: `127.0.0.1:${client}`,
    get pid() {
      return running.pid ?? 0;
    },
    async stop() {
      await endMember(running, 'SIGKILL');
      await folder.remove();
    },
    kill: () => endMember(running, 'SIGKILL'),
    signal: (signal) => void running.kill(signal),
    async restart({ wiped = false } = {}) {
      await endMember(running, 'SIGTERM');
      if (wiped) await rm(member.dataDir, { recursive: true, force: true });
      running = await startMember(member, [member]);
    },
  };
}

type Flags = Readonly<Record<string, string>>;

export interface MemberOptions {
  readonly name: string;
  readonly dataDir: string;
  /** Ports. */
  readonly client: number;
  readonly peer: number;
  readonly flags?: Flags;
}

/** Resolves when it takes connections, which it does not do before its cluster has a quorum. */
export async function startMember(member: MemberOptions, cluster: readonly MemberOptions[]): Promise<ChildProcess> {
  const client = `http://127.0.0.1:${member.client}`;
  const peer = `http://127.0.0.1:${member.peer}`;
  const flags = {
    name: member.name,
    'data-dir': member.dataDir,
    'log-level': 'error',
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': cluster.map((one) => `${one.name}=http://127.0.0.1:${one.peer}`).join(','),
    ...member.flags,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = spawn('etcd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (part) => (words = (words + String(part)).slice(-2000)));
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  await until(
    'etcd answers',
    async () => {
      if (child.exitCode !== null) throw new Error(`etcd ended with ${child.exitCode}: ${words}`);
      return accepts(member.client);
    },
    ANSWERS_WITHIN_MS,
  );
  return child;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Also one that is paused. */
export function endMember(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGCONT');
  child.kill(signal);
  return ended;
}
