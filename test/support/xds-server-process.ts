/**
 * An xDS server in a process of its own, so that what it costs can be told from what its clients cost: `node --import tsx
 * xds-server-process.ts CLUSTERS` prints `{"address"}`. A line `change` shows the next view, `facts` prints them and begins anew.
 */
import { createInterface } from 'node:readline';
import { cluster, endpoints, listener, routes, viewOf } from './xds-resources.js';
import { startXds } from './xds-test-host.js';

export interface ServerFacts {
  readonly revision: number;
  readonly proxies: number;
  /** Those that have acknowledged the newest view. */
  readonly upToDate: number;
  readonly residentMb: number;
  /** How late a timer of 5 ms was, and how much of that this process was at work and not waiting for the machine. */
  readonly lagMs: { readonly p99: number; readonly max: number };
  readonly busyMs: { readonly p99: number; readonly max: number };
}

const TICK_MS = 5;
const names = Array.from({ length: Number(process.argv[2]) }, (_, i) => `cluster-${i}`);
const fixed = names.flatMap((name) => [cluster(name), endpoints(name)]);
const xds = await startXds();
let revision = 0;
let lags: number[] = [];
let busy: number[] = [];

function change(): void {
  revision++;
  xds.show(viewOf(revision, [...fixed, listener('l', 'r'), routes('r', names, revision)]));
}

function watchLoop(): void {
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  setTimeout(() => {
    const { user, system } = process.cpuUsage(cpu);
    const lag = Math.max(0, performance.now() - startedMs - TICK_MS);
    lags.push(lag);
    busy.push(Math.min(lag, (user + system) / 1000));
    watchLoop();
  }, TICK_MS);
}

function spread(values: number[]): ServerFacts['lagMs'] {
  const sorted = values.toSorted((a, b) => a - b);
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, max: sorted.at(-1) ?? 0 };
}

function facts(): ServerFacts {
  // The host of tests remembers everybody who came: ten thousand of them would be all the memory that is measured.
  for (const list of [xds.connected, xds.closed, xds.rejections]) list.length = 0;
  globalThis.gc?.();
  const proxies = xds.server.proxies();
  const now: ServerFacts = {
    revision,
    proxies: proxies.length,
    upToDate: proxies.filter(({ ackedRevision }) => ackedRevision === BigInt(revision)).length,
    residentMb: process.memoryUsage().rss / 2 ** 20,
    lagMs: spread(lags),
    busyMs: spread(busy),
  };
  [lags, busy] = [[], []];
  return now;
}

change();
watchLoop();
process.stdout.write(`${JSON.stringify({ address: xds.address })}\n`);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'change') change();
  process.stdout.write(`${JSON.stringify(facts())}\n`);
});
process.stdin.on('end', () => process.exit());
