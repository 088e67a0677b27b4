/**
 * `npm run bench -- churn [CASE..]`: what a proxy is bothered with while the mesh is busy (`storm`), while it is quiet (`idle`),
 * and while it grows tenfold around a proxy that needs the same as before (`growth`). Real translation, a real etcd.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from '../test/support/machine.js';
import { root } from '../test/support/mesh-process.js';
import { type LoadClient, startLoad } from './xds/load-client.js';
import { cpuSeconds, residentMiB } from './xds/measured-process.js';
import { type OurServer, type Shape, startOurs } from './xds/servers.js';
import { buildTool } from './xds/tools.js';

const CHANGES = 100;
const EVERY_MS = 20;
const QUIET_MS = 10_000;
const GROWTH_ROUNDS = 8;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const round = (value: number, digits = 1): number => Math.round(value * 10 ** digits) / 10 ** digits;

interface Running {
  readonly server: OurServer;
  readonly load: LoadClient;
  readonly streams: number;
  /** Of the pilot, before the proxies came and when they had all. */
  readonly before: { readonly cpuSeconds: number; readonly MiB: number };
  readonly cold: { readonly cpuSeconds: number; readonly MiB: number; readonly kBPerProxy: number };
}

async function running<Result>(shape: Shape, measure: (running: Running) => Promise<Result>): Promise<Result> {
  const server = await startOurs(shape);
  try {
    const now = async () => ({ cpuSeconds: await cpuSeconds(server.pid), MiB: (await residentMiB(server.pid)).now });
    await pause(1000);
    const before = await now();
    const { address, nodeId, metadata, watches } = server;
    const load = startLoad({
      binary: await buildTool('xdsload'),
      address,
      streams: shape.proxies,
      mode: 'delta',
      nodeId,
      metadata,
      watches: Object.values(watches),
    });
    try {
      const { bytes_per_stream: bytes } = await load.ready;
      await load.quiet(500);
      const cold = { ...(await now()), kBPerProxy: round(bytes / 1000) };
      return await measure({ server, load, streams: shape.proxies, before, cold });
    } finally {
      await load.stop();
    }
  } finally {
    await server.stop();
  }
}

/** One instance comes and goes, faster than that could be sent; the last change is of its neighbour. */
async function storm(): Promise<object> {
  return running({ services: 100, endpoints: 10, proxies: 200, upstreams: 100 }, async ({ server, load, streams }) => {
    await server.setEndpoint(1); // the first one pays for what no change before it had warmed
    await server.setEndpoint(2);
    const before = await load.quiet(1000);
    const startedMs = performance.now();
    const writes: Promise<void>[] = [];
    for (let i = 1; i < CHANGES; i++) {
      writes.push(server.touch(i));
      await pause(startedMs + i * EVERY_MS - performance.now());
    }
    await Promise.all(writes);
    const lastedMs = performance.now() - startedMs;
    const [lastMs, committedMs] = await Promise.all([bothDraining(load), server.setEndpoint(1)]);
    const after = await load.quiet(1000);
    const pushes = Object.entries(after.responses).map(([type, count]) => count - (before.responses[type] ?? 0));
    return {
      changes: CHANGES,
      seconds: round(lastedMs / 1000),
      pushesPerProxy: round(pushes.reduce((sum, count) => sum + count, 0) / streams),
      lastValueMs: { p50: round(lastMs.p50 - committedMs), p99: round(lastMs.p99 - committedMs) },
    };
  });
}

/** The health of all endpoints is one value, and the neighbour was left draining. */
async function bothDraining(load: LoadClient): Promise<{ readonly p50: number; readonly p99: number }> {
  for (;;) {
    const { value, p50, p99 } = await load.nextArrival();
    if (value.split('DRAINING').length === 3) return { p50: p50 / 1e6, p99: p99 / 1e6 };
  }
}

async function idle(): Promise<object> {
  return running({ services: 100, endpoints: 10, proxies: 200, upstreams: 100 }, async ({ server, load }) => {
    await load.quiet(2000);
    const from = await cpuSeconds(server.pid);
    await pause(QUIET_MS);
    return { cpuPercent: round((((await cpuSeconds(server.pid)) - from) / QUIET_MS) * 100_000, 2) };
  });
}

interface Cost {
  readonly kBPerProxy: number;
  readonly coldCpuMsPerProxy: number;
  readonly memoryKiBPerProxy: number;
  readonly changeCpuMsPerProxy: number;
}

/** 300 proxies with 10 upstreams each, in a mesh of 100 services and in one of 1000. */
async function growth(): Promise<object> {
  const [small, large] = [await costIn(100), await costIn(1000)];
  const ratio = (of: keyof Cost): number => round(large[of] / small[of], 2);
  return {
    small,
    large,
    ratio: {
      kBPerProxy: ratio('kBPerProxy'),
      coldCpu: ratio('coldCpuMsPerProxy'),
      memory: ratio('memoryKiBPerProxy'),
      changeCpu: ratio('changeCpuMsPerProxy'),
    },
  };
}

async function costIn(services: number): Promise<Cost> {
  return running({ services, endpoints: 2, proxies: 300, upstreams: 10 }, async ({ server, load, streams, ...at }) => {
    const { before, cold } = at;
    const from = await cpuSeconds(server.pid);
    for (let i = 1; i <= GROWTH_ROUNDS; i++) {
      await Promise.all([load.nextArrival(), server.setEndpoint(i)]);
      await load.quiet(200);
    }
    const changeCpu = (await cpuSeconds(server.pid)) - from;
    return {
      kBPerProxy: cold.kBPerProxy,
      coldCpuMsPerProxy: round(((cold.cpuSeconds - before.cpuSeconds) * 1000) / streams, 2),
      memoryKiBPerProxy: round(((cold.MiB - before.MiB) * 1024) / streams),
      changeCpuMsPerProxy: round((changeCpu * 1000) / GROWTH_ROUNDS / streams, 3),
    };
  });
}

const cases: Readonly<Record<string, () => Promise<object>>> = { storm, idle, growth };

async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const unknown = positionals.filter((name) => cases[name] === undefined);
  if (unknown.length > 0) throw new Error(`no case ${unknown.join(', ')}; there are: ${Object.keys(cases).join(', ')}`);
  const loadBefore = loadavg()[0];
  const measured: Record<string, object> = {};
  for (const [name, measure] of Object.entries(cases)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    process.stderr.write(`${name} …\n`);
    measured[name] = await measure();
    process.stderr.write(`${JSON.stringify(measured[name])}\n`);
  }
  const result = { bench: 'churn', ...measured, at: new Date().toISOString(), machine: machine(loadBefore) };
  const text = `${JSON.stringify(result, undefined, 2)}\n`;
  // A part of it is to look at; what the page is made from is whole.
  if (positionals.length === 0) {
    const folder = path.join(root, 'bench/results');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'churn.json'), text);
  }
  process.stdout.write(text);
}

await main();
