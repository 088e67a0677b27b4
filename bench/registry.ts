/**
 * `npm run bench -- registry`: 10,000 instances registered by 100 agents. What that costs etcd and a pilot while nothing
 * happens, and how long one instance's change takes to a subscribed proxy, beside what the bare parts take in the same run.
 * Goals, on a quiet machine: 5 % of a core for both together, 50 ms for 99 of 100 changes.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { Etcd3 } from 'etcd3';
import type { InstanceRecord } from '../src/model/instance.js';
import type { NodePlan, PlannedInstance } from '../src/model/node-plan.js';
import { systemClock } from '../src/runtime/clock.js';
import { silentLogger } from '../src/runtime/logger.js';
import { encodeNamingValue, namingKey } from '../src/store/naming.js';
import { openStore } from '../src/store/open-store.js';
import type { Store } from '../src/store/store.js';
import { startEtcd } from '../test/support/etcd.js';
import { machine } from '../test/support/machine.js';
import { freePort, meshOk, root } from '../test/support/mesh-process.js';
import { nodePlan, plannedInstance } from '../test/support/node-plans.js';
import { type PilotProcess, pilotProcess } from '../test/support/pilots.js';
import { connectSidecar, type Sidecar } from '../test/support/sidecar-client.js';
import { smallWorld } from '../test/support/small-world.js';
import { until } from '../test/support/until.js';

const AGENTS = 100;
const SERVICES = 100;
const INSTANCES = 10_000;
const TTL_S = 10;
const QUIET_MS = 60_000;
/** The garbage of 10,000 registrations within seconds is collected half a minute later. */
const SETTLE_MS = 45_000;
const CHANGES = 300;
/** Further apart than the pilot's pause between two pushes of one type to one proxy: each is one push of its own. */
const BETWEEN_MS = 200;
const EDS_NAME = 'outbound|9080||s0.default.svc.cluster.local';
const PORT = 9080;

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** CPU seconds of a process so far, as Linux counts them: 100 ticks a second. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function residentMiB(pid: number): Promise<number> {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

/** Percent of one core, of each, over the same quiet time. */
async function cpuPercent(pids: readonly number[]): Promise<number[]> {
  const before = await Promise.all(pids.map(cpuSeconds));
  const startedMs = performance.now();
  await pause(QUIET_MS);
  const seconds = (performance.now() - startedMs) / 1000;
  const after = await Promise.all(pids.map(cpuSeconds));
  return after.map((value, i) => round(((value - (before[i] ?? 0)) / seconds) * 100));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function quantiles(list: readonly number[]): { readonly p50: number; readonly p99: number; readonly max: number } {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function recordOf(node: string, agent: number, n: number): InstanceRecord {
  const service = `s${n % SERVICES}`;
  const port = 20_000 + n;
  return {
    instance: `${service}-v1-${n}`,
    namespace: 'default',
    service,
    version: 'v1',
    node,
    cluster: 'main',
    region: 'r',
    zone: 'z',
    address: `10.1.0.${agent + 1}`,
    ports: { app: { http: port }, inbound: { http: port }, proxy: 1, metrics: 2, upstreams: {} },
    labels: { app: service, version: 'v1' },
    state: 'healthy',
    reason: '',
    container: `${service}-${n}`,
    sidecar: `${service}-${n}-sidecar`,
    startedAt: 1,
    planRevision: 1,
  };
}

/** One connection, one lease, and its share of the instances, as the agent of a node has them. */
async function startAgent(url: string, agent: number): Promise<Store> {
  const store = await openStore(url, { clock: systemClock, log: silentLogger, timeoutMs: 15_000 });
  const node = `n${agent}`;
  const share = INSTANCES / AGENTS;
  const records = Array.from({ length: share }, (_, i) => recordOf(node, agent, agent * share + i));
  const put = records.map((record) => ({
    key: store.keys.instance(node, record.instance),
    value: JSON.stringify(record),
  }));
  await store.transact({ compare: [], put, delete: [] });
  const registrar = store.registrar({ ttlSeconds: TTL_S });
  registrar.set(store.keys.node(node), JSON.stringify({ node }));
  for (const { instance, namespace, service, version, address: ip, ports } of records) {
    const address = `${ip}:${ports.inbound['http']}`;
    const value = encodeNamingValue({ address, mesh: { instance, version, node } });
    registrar.set(namingKey({ namespace, service }, address), value);
    registrar.set(namingKey({ namespace, service, version }, address), value);
  }
  await registrar.flush();
  return store;
}

async function webSidecar(xds: string): Promise<Sidecar> {
  const web: PlannedInstance = plannedInstance({
    instance: 'web-v1-1',
    ports: { app: { http: await freePort() }, inbound: { http: 1 }, proxy: 2, metrics: 3, upstreams: {} },
    upstreams: [
      {
        mode: 'proxy',
        name: 's0',
        namespace: 'default',
        service: 's0',
        port: PORT,
        protocol: 'http',
        listener: undefined,
      },
    ],
  });
  const plan: NodePlan = nodePlan(1, [web], { node: 'callers' });
  return connectSidecar(xds, plan, web);
}

/** Each: one record changes its state. How long until a bare watcher, and until the proxy, has it. */
async function changes(store: Store, sidecar: Sidecar, address: string): Promise<{ bare: number[]; proxy: number[] }> {
  const key = store.keys.instance('n0', recordOf('n0', 0, 0).instance);
  const record = recordOf('n0', 0, 0);
  const client = new Etcd3({ hosts: [`http://${address}`] });
  const watcher = await client.watch().key(key).create();
  const bare: number[] = [];
  const proxy: number[] = [];
  let sentMs = 0;
  watcher.on('put', () => bare.push(performance.now() - sentMs));
  sidecar.onNews(() => {
    const version = sidecar.has('EDS').get(EDS_NAME)?.version;
    if (version !== seen) proxy.push(performance.now() - sentMs);
    seen = version;
  });
  let seen = sidecar.has('EDS').get(EDS_NAME)?.version;
  for (let i = 0; i < CHANGES; i++) {
    const state = i % 2 === 0 ? 'draining' : 'healthy';
    sentMs = performance.now();
    await store.transact({ compare: [], put: [{ key, value: JSON.stringify({ ...record, state }) }], delete: [] });
    await until(`change ${i} is with the proxy`, () => proxy.length > i, 20_000);
    await until(`change ${i} is with the bare watcher`, () => bare.length > i, 20_000);
    await pause(BETWEEN_MS);
  }
  await watcher.cancel();
  client.close();
  return { bare, proxy };
}

/**
 * As an etcd with automatic compaction does by itself, hourly. A burst of writes leaves a read buffer of as many entries, which
 * etcd 3.4 copies for every answer until a commit without writes of ours: three quarters of what it needs while nothing happens.
 */
async function compact(address: string): Promise<void> {
  const client = new Etcd3({ hosts: [`http://${address}`] });
  const { header } = await client.kv.range({ key: Buffer.from('/') });
  await client.kv.compact({ revision: header.revision, physical: true });
  client.close();
}

/** What is written last, and is nothing to the proxy, has been acknowledged: so has all that was written before. */
async function everythingServed(pilot: PilotProcess): Promise<void> {
  const input = smallWorld({ nodes: [], deploy: [], services: [{ name: 'last' }] });
  const answer = await meshOk(['--server', pilot.server, 'apply', '-f', '-', '-o', 'json'], { input });
  const { storeRevision } = JSON.parse(answer) as { storeRevision: string }; // of the API's answer to an apply
  await until(
    'the pilot has all of it',
    () => pilot.get(`/v1/acks?storeRevision=${storeRevision}&timeoutMs=4000`).then(() => true),
    120_000,
  );
}

async function main(): Promise<void> {
  const loadBefore = loadavg()[0];
  const closers: (() => Promise<void> | void)[] = [];
  try {
    const etcd = await startEtcd();
    closers.push(() => etcd.stop());
    const pilot = await pilotProcess('p1', { storeUrl: etcd.url });
    closers.push(() => pilot.stop());
    const { pid } = await pilot.start();
    const services = [{ name: 'web' }, ...Array.from({ length: SERVICES }, (_, i) => ({ name: `s${i}` }))].map(
      ({ name }) => ({
        name,
        spec: { port: PORT, protocol: 'http', stable: 'v1' },
        versions: { v1: {} },
      }),
    );
    await meshOk(['--server', pilot.server, 'apply', '-f', '-'], {
      input: smallWorld({ nodes: [], deploy: [], services }),
    });

    say(`${INSTANCES} instances by ${AGENTS} agents …`);
    const startedMs = performance.now();
    const agents = await Promise.all(Array.from({ length: AGENTS }, (_, agent) => startAgent(etcd.url, agent)));
    for (const agent of agents) closers.push(() => agent.close());
    const registeredMs = Math.round(performance.now() - startedMs);
    const sidecar = await webSidecar(pilot.xds);
    closers.push(() => sidecar.close());
    await until('the proxy knows all instances of s0', () => endpointsOf(sidecar) === INSTANCES / SERVICES, 60_000);

    await everythingServed(pilot);
    say(`${CHANGES} changes …`);
    const before = { cpu: await cpuSeconds(pid), ms: performance.now() };
    const took = await changes(agents[0] as Store, sidecar, etcd.address);
    const seconds = (performance.now() - before.ms) / 1000;
    const cpuAfter = await cpuSeconds(pid);
    await pause(SETTLE_MS);
    await compact(etcd.address);
    say(`quiet for ${QUIET_MS / 1000} s …`);
    const [pilotCpu = 0, etcdCpu = 0] = await cpuPercent([pid, etcd.pid]);
    const cpuOfChanges = cpuAfter - before.cpu - (pilotCpu / 100) * seconds;
    const [pilotMiB, etcdMiB] = [await residentMiB(pid), await residentMiB(etcd.pid)];
    say('the same without a pilot …');
    sidecar.close();
    await pilot.stop();
    const [etcdAlone = 0] = await cpuPercent([etcd.pid]);
    const [bare, proxy] = [quantiles(took.bare), quantiles(took.proxy)];
    await report({
      bench: 'registry',
      instances: INSTANCES,
      agents: AGENTS,
      registeredMs,
      steadyCpuPercent: {
        pilot: pilotCpu,
        etcd: etcdCpu,
        together: round(pilotCpu + etcdCpu),
        etcdWithoutPilot: etcdAlone,
      },
      changeMs: {
        toProxy: proxy,
        toBareWatcher: bare,
        ratioP50: round(proxy.p50 / bare.p50),
        ratioP99: round(proxy.p99 / bare.p99),
        pilotCpuEach: round((cpuOfChanges / CHANGES) * 1000),
      },
      residentMiB: { pilot: pilotMiB, etcd: etcdMiB },
      at: new Date().toISOString(),
      machine: machine(loadBefore),
    });
  } finally {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  }
}

function endpointsOf(sidecar: Sidecar): number {
  const resource = sidecar.has('EDS').get(EDS_NAME)?.json as { endpoints?: { lbEndpoints?: object[] }[] } | undefined;
  return (resource?.endpoints ?? []).reduce((sum, { lbEndpoints = [] }) => sum + lbEndpoints.length, 0);
}

async function report(result: object): Promise<void> {
  const folder = path.join(root, 'bench/results');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'registry.json'), `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
}

await main();
