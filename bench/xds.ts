/**
 * `npm run bench -- xds [CASE..] [--rounds N] [--mode delta|sotw]`: what our pilot costs and how soon a change is on every
 * proxy, with real translation and a real etcd, beside servers that send prepared bytes (`raw`) and go-control-plane's snapshot
 * cache, in turn, in one run on one machine. The Go programs are not ours: MESH_BENCH_TOOLS names the folder that has them.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from '../test/support/machine.js';
import { root } from '../test/support/mesh-process.js';
import { type Arrival, type LoadClient, startLoad } from './xds/load-client.js';
import { cpuSeconds, residentMiB } from './xds/measured-process.js';
import { type Server, type Shape, startFloor, startOurs } from './xds/servers.js';
import { buildTool } from './xds/tools.js';

const shapes: Readonly<Record<string, Shape>> = {
  '100x10x200': { services: 100, endpoints: 10, proxies: 200, upstreams: 100 },
  '1000x2x1000': { services: 1000, endpoints: 2, proxies: 1000, upstreams: 'everyone' },
  '1000x2x5000': { services: 1000, endpoints: 2, proxies: 5000, upstreams: 10 },
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    mode: { type: 'string', default: 'delta' },
    only: { type: 'string', multiple: true },
  },
});
const ROUNDS = Math.min(Number(flags.rounds), 15);
const MODE = flags.mode === 'sotw' ? 'sotw' : 'delta';
/** Without a common divisor with what is left of 100, since translation shortens a split: 10 and 90 would be 1 and 9. */
const WEIGHTS = [11, 13, 17, 19, 21, 23, 27, 29, 31, 33, 37, 39, 41, 43, 47, 49];
/** Apart further than the pause between two pushes of one type to one proxy. */
const BETWEEN_MS = 300;

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const round = (value: number, digits = 1): number => Math.round(value * 10 ** digits) / 10 ** digits;

function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

interface Change {
  /** Milliseconds from the commit to the moment a stream had the whole message. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuSeconds: number;
  readonly bytesPerProxy: number;
}

interface Measured {
  readonly cold: { readonly p99Ms: number; readonly cpuSeconds: number; readonly kBPerProxy: number };
  readonly route: Change;
  readonly endpoint: Change;
  readonly reconnect: { readonly bytesPerProxy: number; readonly cpuSeconds: number };
  readonly idleCpuPercent: number;
  readonly memoryMiB: { readonly rest: number; readonly peak: number };
}

async function measure(server: Server, shape: Shape, xdsload: string): Promise<Measured> {
  const { pid, address, nodeId, metadata, watches } = server;
  const before = await cpuSeconds(pid);
  const streams = shape.proxies;
  const load = startLoad({
    binary: xdsload,
    address,
    streams,
    mode: MODE,
    nodeId,
    metadata,
    watches: Object.values(watches),
    more: ['-irv'],
  });
  try {
    const ready = await load.ready;
    if (ready.complete !== streams) throw new Error(`only ${ready.complete} of ${streams} streams are complete`);
    await load.quiet(500);
    const cold = {
      p99Ms: round(ready.since_start_ms.p99),
      cpuSeconds: round((await cpuSeconds(pid)) - before, 2),
      kBPerProxy: round(ready.bytes_per_stream / 1000),
    };
    const route = await changes(server, load, streams, (i) => server.setWeight(WEIGHTS[i] as number));
    const endpoint = await changes(server, load, streams, (i) => server.setEndpoint(1 + i));
    const idleFrom = await cpuSeconds(pid);
    await pause(5000);
    const idleCpuPercent = round((((await cpuSeconds(pid)) - idleFrom) / 5) * 100);
    const { now: rest } = await residentMiB(pid);
    const reconnect = await reconnectAll(server, load, streams);
    const { nacks } = await load.counters();
    if (nacks > 0) throw new Error(`${nacks} responses were refused`);
    return {
      cold,
      route,
      endpoint,
      reconnect,
      idleCpuPercent,
      memoryMiB: { rest, peak: (await residentMiB(pid)).peak },
    };
  } finally {
    await load.stop();
  }
}

async function changes(
  { pid }: Server,
  load: LoadClient,
  streams: number,
  change: (i: number) => Promise<number>,
): Promise<Change> {
  const each: Change[] = [];
  // The first one pays for what no change before it had warmed.
  for (let i = 0; i <= ROUNDS; i++) {
    await pause(BETWEEN_MS);
    const [cpu, { bytes_total: bytes }] = [await cpuSeconds(pid), await load.counters()];
    const [arrival, committedMs] = await Promise.all([load.nextArrival(), change(i)]);
    const after = await load.quiet(100);
    if (i === 0) continue;
    const tookMs = (at: keyof Arrival & ('p50' | 'p99')): number => arrival[at] / 1e6 - committedMs;
    each.push({
      p50Ms: tookMs('p50'),
      p99Ms: tookMs('p99'),
      cpuSeconds: (await cpuSeconds(pid)) - cpu,
      bytesPerProxy: (after.bytes_total - bytes) / streams,
    });
  }
  const of = (field: keyof Change, digits: number): number => round(median(each.map((one) => one[field])), digits);
  return {
    p50Ms: of('p50Ms', 1),
    p99Ms: of('p99Ms', 1),
    cpuSeconds: of('cpuSeconds', 3),
    bytesPerProxy: of('bytesPerProxy', 0),
  };
}

/** Nothing has changed: what does it cost to find that out? */
async function reconnectAll({ pid }: Server, load: LoadClient, streams: number): Promise<Measured['reconnect']> {
  const [cpu, { bytes_total: bytes }] = [await cpuSeconds(pid), await load.counters()];
  load.reconnectAll();
  await pause(1000);
  const after = await load.quiet(1500);
  return {
    bytesPerProxy: Math.round((after.bytes_total - bytes) / streams),
    cpuSeconds: round((await cpuSeconds(pid)) - cpu, 2),
  };
}

async function main(): Promise<void> {
  const loadBefore = loadavg()[0];
  const [xdsload, floor] = [await buildTool('xdsload'), await buildTool('xds-floor')];
  const servers: Readonly<Record<string, (shape: Shape) => Promise<Server>>> = {
    ours: startOurs,
    raw: (shape) => startFloor(floor, 'raw', shape),
    'go-control-plane': (shape) => startFloor(floor, 'snapshot', shape),
  };
  for (const name of positionals.length > 0 ? positionals : Object.keys(shapes)) {
    const shape = shapes[name];
    if (shape === undefined) throw new Error(`no case ${name}; there are: ${Object.keys(shapes).join(', ')}`);
    const measured: Record<string, Measured> = {};
    for (const [server, start] of Object.entries(servers)) {
      if (flags.only !== undefined && !flags.only.includes(server)) continue;
      // The floors know no scopes: with few upstreams a proxy is shown a mesh of just these.
      const services = shape.upstreams === 'everyone' ? shape.services : shape.upstreams;
      const shown = server === 'ours' ? shape : { ...shape, services };
      say(`${name} ${MODE}: ${server} …`);
      const running = await start(shown);
      try {
        measured[server] = await measure(running, shape, xdsload);
        say(JSON.stringify(measured[server]));
      } finally {
        await running.stop();
      }
    }
    await keep(name, { rounds: ROUNDS, at: new Date().toISOString(), machine: machine(loadBefore), servers: measured });
  }
}

/** Cases take minutes, and a quiet machine each: one at a time takes its place among the results. */
async function keep(name: string, result: object): Promise<void> {
  const file = path.join(root, `bench/results/xds-${MODE}.json`);
  const before = await readFile(file, 'utf8').catch(() => '{}'); // the first of all
  const cases = { ...(JSON.parse(before) as Record<string, object>), [name]: result };
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(cases, undefined, 2)}\n`);
  process.stdout.write(`${JSON.stringify({ [name]: result }, undefined, 2)}\n`);
}

await main();
