/**
 * The Go programs of fixtures: stock clients of etcd's gRPC naming, current ones and those of etcd 3.3, as services in Go use
 * them that go without a proxy. `fixtures/go/follow` tells what they print.
 */
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { until } from './until.js';

export interface GoFollowOptions {
  /** `host:port[,host:port…]`. */
  readonly etcd: string;
  /** What stands after `etcd:///`. */
  readonly target: string;
  /** Calls of the demo application's Echo service; without, it only follows. */
  readonly perSecond?: number;
}

export interface GoCalls {
  /** Calls answered, by `x-backend` and by `x-instance`. */
  readonly backends: Readonly<Record<string, number>>;
  readonly instances: Readonly<Record<string, number>>;
  /** Calls that failed, by what gRPC said. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface GoFollower {
  /** Every list that gRPC was given, in order; each sorted. */
  readonly lists: readonly (readonly string[])[];
  /** The last of them; undefined before the first. */
  addresses(): readonly string[] | undefined;
  /** Addresses that have left, in order. */
  readonly lost: readonly string[];
  calls(): GoCalls;
  /** Why the resolver follows nothing any more, if it has said so. */
  readonly broken: readonly string[];
  /** Rejects with what it said at its end when that was not wished for: a panic, above all. */
  stop(): Promise<void>;
}

type Line =
  | { readonly event: 'list'; readonly addresses: readonly string[] }
  | { readonly event: 'lost'; readonly address: string }
  | ({ readonly event: 'calls' } & GoCalls)
  | { readonly event: 'broken'; readonly reason: string };

const root = path.resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** Paths of the programs, built when they have changed. */
export async function buildGoClients() {
  await run(path.join(root, 'scripts/go-clients'));
  const at = (program: string): string => path.join(root, '.cache/go-clients', program);
  return {
    current: at('go/current/current'),
    legacy: at('go/legacy/legacy'),
    xds: at('go/xds/xds'),
    call: at('examples/go/call'),
    register: at('examples/go/register'),
  };
}

export function followInGo(binary: string, { etcd, target, perSecond = 0 }: GoFollowOptions): GoFollower {
  const args = ['-etcd', etcd, '-target', target, '-per-second', String(perSecond)];
  const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const lists: (readonly string[])[] = [];
  const lost: string[] = [];
  const broken: string[] = [];
  let calls: GoCalls = { backends: {}, instances: {}, failures: {} };
  let words = '';
  child.stderr.on('data', (part) => (words = (words + String(part)).slice(0, 10_000)));
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line; // printed by fixtures/go/follow
    if (line.event === 'list') lists.push(line.addresses);
    else if (line.event === 'lost') lost.push(line.address);
    else if (line.event === 'broken') broken.push(line.reason);
    else calls = line;
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${path.basename(binary)} ended with ${code}: ${words}`)),
    );
  });
  ended.catch(() => {}); // told by stop()
  return {
    lists,
    addresses: () => lists.at(-1),
    lost,
    calls: () => calls,
    broken,
    stop: () => {
      child.stdin.end();
      return ended;
    },
  };
}

export interface GoSeen extends GoCalls {
  readonly addresses: readonly string[];
}

/** Resolves, makes so many calls in turn over the instances, and ends. */
export async function callInGo(binary: string, options: GoFollowOptions & { readonly calls: number }): Promise<GoSeen> {
  const follower = followInGo(binary, { ...options, perSecond: 200 });
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  try {
    await until(`${options.calls} calls of ${options.target}`, () => {
      const { backends, failures } = follower.calls();
      return sum(backends) + sum(failures) >= options.calls;
    });
    return { addresses: follower.addresses() ?? [], ...follower.calls() };
  } finally {
    await follower.stop();
  }
}
