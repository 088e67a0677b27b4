/** Clients that take from the xDS server what they can: the others are served as before, and what they cost has a bound. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect } from 'vitest';
import { root } from '../support/mesh-process.js';
import { type Outcome, type Scene, scenario } from '../support/scenario.js';
import { until } from '../support/until.js';
import { createXdsClient, type XdsStream } from '../support/xds-client.js';
import type { ServerFacts } from '../support/xds-server-process.js';

interface Form extends Record<string, number> {
  readonly seconds: number;
  readonly clusters: number;
  readonly honest: number;
}

/** On a machine that does other things too; by itself the server needs a few milliseconds. */
const SERVED_WITHIN_MS = 5_000;
const LOOP_P99_MS = 100;

describe('hostile clients of xDS', () => {
  scenario(
    'xds-hostile',
    'clients connect 1000 times a second, never read, never answer, and name 4 MiB of names',
    { suite: { seconds: 5, clusters: 100, honest: 10 }, lab: { seconds: 60, clusters: 500, honest: 50 } },
    (scene) => besieged(scene, ['never-reading=50', 'never-acking=50', 'names=5', 'connects=1000'], 150),
  );
  scenario(
    'xds-stalled',
    'a fifth of the proxies do not read any more',
    { suite: { seconds: 3, clusters: 500, honest: 80 }, lab: { seconds: 60, clusters: 500, honest: 200 } },
    (scene) => besieged(scene, [`never-reading=${scene.parameters.honest / 4}`], 50),
  );
});

async function besieged(scene: Scene<Form>, hostile: readonly string[], mayGrowMb: number): Promise<Outcome> {
  const { seconds, clusters, honest } = scene.parameters;
  const server = await startServer(clusters);
  scene.defer(() => server.stop());
  const ids = Array.from({ length: honest }, (_, i) => `honest-${i}`);
  const proxies = ids.map((id) => follow(scene, server.address, id));
  await until('all are up to date', async () => (await server.facts()).upToDate === honest, 30_000);
  const calm = await changes(server, proxies, 1);
  const before = await server.facts();

  const enemies = run('xds-hostile-process.ts', [server.address, ...hostile]);
  scene.defer(() => enemies.stop());
  const startedMs = performance.now();
  await until('they have begun', () => Number(enemies.lines.at(-1) ?? 0) > 0, 20_000);
  await server.facts(); // the next ones are of the siege alone
  const late = performance.now();
  const newcomer = follow(scene, server.address, 'newcomer');
  await until('a newcomer is served', () => newcomer.revision() > 0, SERVED_WITHIN_MS * 2);
  const servedMs = performance.now() - late;
  const besiegedMs = await changes(server, proxies, seconds);
  const after = await server.facts();
  const begun = Number(enemies.lines.at(-1));
  const lastedMs = performance.now() - startedMs;
  await enemies.stop();
  const endedMs = performance.now();
  await until('only the honest are left', async () => (await server.facts()).proxies === honest + 1, 60_000);

  const grownMb = after.residentMb - before.residentMb;
  const outcome: Outcome = {
    lastedMs,
    sent: besiegedMs.length,
    failed: besiegedMs.filter((ms) => ms > SERVED_WITHIN_MS).length,
    recoveredMs: performance.now() - endedMs,
    facts: {
      'hostile streams': begun,
      'a second': Math.round(begun / (lastedMs / 1000)),
      'change at all, calm': `${Math.round(median(calm))} ms`,
      'change at all, besieged': `${Math.round(median(besiegedMs))} ms, at most ${Math.round(Math.max(...besiegedMs))}`,
      'newcomer served after': `${Math.round(servedMs)} ms`,
      'loop lag p99': `${Math.round(after.lagMs.p99)} ms`,
      'of that our own work': `${Math.round(after.busyMs.p99)} ms`,
      'memory grew by': `${Math.round(grownMb)} MB`,
    },
  };
  expect(outcome).toMatchObject({ failed: 0 });
  expect(servedMs, JSON.stringify(outcome)).toBeLessThan(SERVED_WITHIN_MS);
  expect(after.busyMs.p99, JSON.stringify(outcome)).toBeLessThan(LOOP_P99_MS);
  expect(grownMb, JSON.stringify(outcome)).toBeLessThan(mayGrowMb);
  return outcome;
}

/** How long each of these changes took to reach all, in milliseconds: one after the other for so long. */
async function changes(server: TestServer, proxies: readonly Follower[], seconds: number): Promise<number[]> {
  const times: number[] = [];
  for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; ) {
    const startedMs = performance.now();
    const { revision } = await server.change();
    await Promise.all(proxies.map((proxy) => proxy.has(revision)));
    times.push(performance.now() - startedMs);
  }
  return times;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

interface Follower {
  /** Of the routes that it has, as their weights say. */
  revision(): number;
  has(revision: number): Promise<void>;
}

/** Like a proxy: asks for all, acknowledges all. */
function follow(scene: Scene<Form>, address: string, id: string): Follower {
  const client = createXdsClient(address);
  scene.defer(() => client.close());
  const stream: XdsStream = client.delta({ id });
  const waiting = new Set<() => void>();
  let has = 0;
  stream.onResponse((response) => {
    const names = [...response.resources.keys()];
    if (response.type === 'CDS') stream.send('EDS', { resourceNamesSubscribe: names });
    if (response.type === 'CDS') stream.send('LDS');
    if (response.type === 'LDS') stream.send('RDS', { resourceNamesSubscribe: ['r'] });
    const text = JSON.stringify(response.resources.get('r')?.json ?? {});
    has = Number(/"weight":(\d+)/.exec(text)?.[1] ?? has + 1) - 1;
    stream.ack(response);
    for (const wake of waiting) wake();
  });
  stream.send('CDS');
  const reached = (revision: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (has < revision) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { revision: () => has, has: reached };
}

interface TestServer {
  readonly address: string;
  change(): Promise<ServerFacts>;
  facts(): Promise<ServerFacts>;
  stop(): Promise<void>;
}

async function startServer(clusters: number): Promise<TestServer> {
  const child = run('xds-server-process.ts', [String(clusters)]);
  const first = await until('the server listens', () => child.lines[0], 30_000);
  let asked = 1;
  const ask = async (line: string): Promise<ServerFacts> => {
    const mine = asked++;
    child.process.stdin?.write(`${line}\n`);
    return JSON.parse(await until('the server answers', () => child.lines[mine], 20_000)) as ServerFacts; // it prints these
  };
  const { address } = JSON.parse(first) as { address: string }; // the first line
  return { address, change: () => ask('change'), facts: () => ask('facts'), stop: () => child.stop() };
}

interface Child {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

function run(script: string, args: readonly string[]): Child {
  const file = path.join(root, 'test/support', script);
  const child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', file, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    process: child,
    lines,
    stop() {
      child.kill('SIGKILL');
      return ended;
    },
  };
}
