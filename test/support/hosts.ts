/**
 * Several hosts on one machine: each is a network namespace with an address of its own and a Docker engine inside, all of
 * them on one switch with this machine. Nothing of this machine changes but one network interface, and what a test that was
 * killed has left is removed by the next one. Needs root.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startTimeOf } from '../../src/runtime/process-identity.js';
import { type Finished, run } from './mesh-process.js';
import { until } from './until.js';

/** Of the range that is set aside for tests of networks (RFC 2544): no real network has it. */
const NETWORK = '198.18.77';
const OWN_ADDRESS = `${NETWORK}.1`;
const PREFIX = 'lightmesh-';
const SWITCH = `${PREFIX}switch`;
/** On this machine; the other end is a port of the switch. */
const OWN_INTERFACE = 'lightmesh0';
const BASE = path.join(tmpdir(), 'lightmesh-hosts');
const OWNER_FILE = path.join(BASE, 'owner');
const CGROUP = 'lightmesh-hosts';
const CGROUP_ROOT = '/sys/fs/cgroup';
const IMAGES = ['lightmesh/demo-app:1', 'lightmesh/envoy:1.40.0'];
const ENGINE_LIMIT_MS = 30_000;

export interface Host {
  readonly name: string;
  readonly address: string;
  /** Before a command: runs it on this host. */
  readonly inside: readonly string[];
  /** For programs that look for the engine of their host. */
  readonly env: Readonly<Record<string, string>>;
  /** Its `docker` command; throws with what it said. */
  docker(...args: readonly string[]): Promise<string>;
  /** The cable is pulled: what it sends is lost without an answer, and so is what is sent to it. */
  cutOff(): void;
  /** Packets to this port of other hosts are lost; everything else goes on. */
  block(port: number): void;
  /** The cable is in again, and no port is blocked. */
  heal(): void;
  /** The power fails: every process on it is gone at once. Its disk stays. */
  powerOff(): Promise<void>;
  /** Starts the engine, which starts the containers that are to be restarted. */
  powerOn(): Promise<void>;
}

export interface Hosts {
  /** This machine's, as the hosts see it. */
  readonly ownAddress: string;
  /** In CIDR form. */
  readonly network: string;
  host(name: string): Host;
  /** Takes everything away, whatever runs. */
  close(): Promise<void>;
}

/** For `describe.skipIf(...)`: skips loudly, except where nothing may be skipped. */
export function areHostsImpossible(): boolean {
  if (process.getuid?.() === 0) return false;
  const message = 'hosts are network namespaces with engines of their own, which only root can make';
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(`SKIPPED, ${message}`);
  return true;
}

export async function openHosts(names: readonly string[]): Promise<Hosts> {
  await takeOver();
  await removeAll();
  mkdirSync(BASE, { recursive: true });
  writeFileSync(OWNER_FILE, `${process.pid} ${await startTimeOf(process.pid)}`);
  try {
    makeSwitch();
    const hosts = new Map(names.map((name, i) => [name, makeHost(name, `${NETWORK}.${11 + i}`)]));
    await Promise.all([...hosts.values()].map((host) => host.powerOn()));
    await loadImages([...hosts.values()]);
    return {
      ownAddress: OWN_ADDRESS,
      network: `${NETWORK}.0/24`,
      host(name) {
        const found = hosts.get(name);
        if (found === undefined) throw new Error(`no host ${name}: there are ${names.join(', ')}`);
        return found;
      },
      close: removeAll,
    };
  } catch (error) {
    await removeAll();
    throw error;
  }
}

function makeSwitch(): void {
  ip('netns', 'add', SWITCH);
  ip('-n', SWITCH, 'link', 'add', 'bridge', 'type', 'bridge');
  ip('-n', SWITCH, 'link', 'set', 'bridge', 'up');
  ip('link', 'add', OWN_INTERFACE, 'type', 'veth', 'peer', 'name', 'machine', 'netns', SWITCH);
  ip('addr', 'add', `${OWN_ADDRESS}/24`, 'dev', OWN_INTERFACE);
  ip('link', 'set', OWN_INTERFACE, 'up');
  plugIn('machine');
}

function plugIn(port: string): void {
  ip('-n', SWITCH, 'link', 'set', 'dev', port, 'master', 'bridge', 'up');
}

function makeHost(name: string, address: string): Host {
  const namespace = PREFIX + name;
  const folder = path.join(BASE, name);
  const socket = path.join(folder, 'docker.sock');
  // Not `ip netns exec`: that gives a new /sys without control groups, and no container starts.
  const inside = ['nsenter', `--net=/var/run/netns/${namespace}`];
  ip('netns', 'add', namespace);
  ip('-n', namespace, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', name, 'netns', SWITCH);
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  for (const device of ['lo', 'eth0']) ip('-n', namespace, 'link', 'set', 'dev', device, 'up');
  plugIn(name);
  mkdirSync(folder, { recursive: true });
  const docker = (...args: readonly string[]): Promise<string> => good('docker', ['-H', `unix://${socket}`, ...args]);
  return {
    name,
    address,
    inside,
    env: { DOCKER_HOST: `unix://${socket}` },
    docker,
    cutOff: () => ip('-n', SWITCH, 'link', 'set', 'dev', name, 'down'),
    block: (port) =>
      command([...inside, 'iptables', '-w', '-A', 'OUTPUT', '-p', 'tcp', '--dport', String(port), '-j', 'DROP']),
    heal() {
      ip('-n', SWITCH, 'link', 'set', 'dev', name, 'up');
      command([...inside, 'iptables', '-w', '-F', 'OUTPUT']);
    },
    async powerOff() {
      await killAll(namespace);
      unmount(folder);
      rmSync(path.join(folder, 'exec'), { recursive: true, force: true });
    },
    async powerOn() {
      startEngine(inside, folder, socket, name);
      await until(`the engine of host ${name} answers`, async () => (await docker('version')) !== '', ENGINE_LIMIT_MS);
    },
  };
}

function startEngine(inside: readonly string[], folder: string, socket: string, name: string): void {
  const flags = {
    'data-root': path.join(folder, 'data'),
    'exec-root': path.join(folder, 'exec'),
    pidfile: path.join(folder, 'docker.pid'),
    host: `unix://${socket}`,
    bridge: 'none',
    iptables: 'false',
    ip6tables: 'false',
    'ip-forward': 'false',
    'cgroup-parent': `/${CGROUP}/${name}`,
    'exec-opt': 'native.cgroupdriver=cgroupfs',
    'log-level': 'warn',
  };
  for (const leftOver of [socket, flags.pidfile]) rmSync(leftOver, { force: true });
  const log = openSync(path.join(folder, 'dockerd.log'), 'a');
  const [command = '', ...args] = [
    ...inside,
    'dockerd',
    ...Object.entries(flags).map(([key, value]) => `--${key}=${value}`),
  ];
  spawn(command, args, { stdio: ['ignore', log, log] }).on('error', () => undefined); // then it never answers
  closeSync(log);
}

async function loadImages(hosts: readonly Host[]): Promise<void> {
  const file = path.join(BASE, 'images.tar');
  await good('docker', ['save', '-o', file, ...IMAGES]);
  await Promise.all(hosts.map((host) => host.docker('load', '-q', '-i', file)));
  rmSync(file);
}

/** A test that was killed cannot be asked; one that runs must not be disturbed. */
async function takeOver(): Promise<void> {
  if (!existsSync(OWNER_FILE)) return;
  const [pid = '', start = ''] = readFileSync(OWNER_FILE, 'utf8').split(' ');
  if (Number(pid) === process.pid || (await startTimeOf(Number(pid))) !== start) return;
  throw new Error(`process ${pid} is using the hosts of this machine: wait for its end`);
}

async function removeAll(): Promise<void> {
  const namespaces = existsSync('/var/run/netns')
    ? readdirSync('/var/run/netns').filter((name) => name.startsWith(PREFIX))
    : [];
  for (const namespace of namespaces) await killAll(namespace);
  unmount(BASE);
  for (const namespace of namespaces) ip('netns', 'del', namespace);
  // Its other end was in the switch; but a start may have ended between the two.
  if (existsSync(`/sys/class/net/${OWN_INTERFACE}`)) ip('link', 'del', OWN_INTERFACE);
  rmSync(BASE, { recursive: true, force: true });
  removeControlGroups();
}

/** Everything that runs on a host is in its namespace: engine, containers, agents, and who waits there. */
async function killAll(namespace: string): Promise<void> {
  await until(`nothing runs in ${namespace}`, () => {
    const pids = answer(['ip', 'netns', 'pids', namespace]).split('\n').filter(Boolean).map(Number);
    for (const pid of pids) kill(pid);
    return pids.length === 0;
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

/** The innermost first. */
function unmount(folder: string): void {
  const points = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.toReversed()) command(['umount', '-l', point]);
}

/** Of the engines' containers: one tree, or one below each controller. */
function removeControlGroups(): void {
  const parents = [CGROUP_ROOT, ...readdirSync(CGROUP_ROOT).map((name) => path.join(CGROUP_ROOT, name))];
  const removeTree = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(path.join(folder, entry.name));
    }
    rmdirSync(folder);
  };
  for (const tree of parents.map((parent) => path.join(parent, CGROUP))) if (existsSync(tree)) removeTree(tree);
}

function ip(...args: readonly string[]): void {
  command(['ip', ...args]);
}

function command(words: readonly string[]): void {
  answer(words);
}

function answer([file = '', ...args]: readonly string[]): string {
  const done = spawnSync(file, args, { encoding: 'utf8' });
  if (done.status === 0) return done.stdout;
  throw new Error(`${[file, ...args].join(' ')}: ${done.error?.message ?? done.stderr}`);
}

async function good(file: string, args: readonly string[]): Promise<string> {
  const done: Finished = await run(file, args);
  if (done.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}
