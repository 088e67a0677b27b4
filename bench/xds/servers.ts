/** What is measured: our pilot on a real etcd, and the reference servers of `xds-floor` with a mesh of the same shape. */
import { spawn } from 'node:child_process';
import { Etcd3 } from 'etcd3';
import type { InstanceRecord } from '../../src/model/instance.js';
import { proxyId } from '../../src/model/names.js';
import { proxyMetadata } from '../../src/planner/bootstrap.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { startEtcd } from '../../test/support/etcd.js';
import { freePort, meshOk } from '../../test/support/mesh-process.js';
import { nodePlan, plannedInstance } from '../../test/support/node-plans.js';
import { pilotProcess } from '../../test/support/pilots.js';
import { documentsOf, smallWorld } from '../../test/support/small-world.js';
import { until } from '../../test/support/until.js';

export interface Shape {
  readonly services: number;
  readonly endpoints: number;
  readonly proxies: number;
  /** Services that a proxy declares as upstreams, the changed one among them. 'everyone': none, all are shown to all (ServiceEntry). */
  readonly upstreams: number | 'everyone';
}

export interface Server {
  readonly pid: number;
  /** `host:port` of its xDS. */
  readonly address: string;
  /** Node id and metadata with `{i}` for the number of the stream. */
  readonly nodeId: string;
  readonly metadata: object | undefined;
  readonly watches: { readonly route: string; readonly endpoint: string };
  /** Both answer when the change was committed, in milliseconds since 1970: what a bare watcher of the store sees. */
  setWeight(weight: number): Promise<number>;
  setEndpoint(n: number): Promise<number>;
  stop(): Promise<void>;
}

/** Ours alone can also be kept busy. */
export interface OurServer extends Server {
  /** A change of another endpoint of the same service; answers when it is committed. */
  touch(n: number): Promise<void>;
}

const PORT = 80;

export async function startFloor(binary: string, impl: string, shape: Shape): Promise<Server> {
  const [ads, control] = [await freePort(), await freePort()];
  const args = ['-impl', impl, '-s', shape.services, '-e', shape.endpoints, '-n', shape.proxies].map(String);
  const child = spawn(binary, [...args, '-addr', `127.0.0.1:${ads}`, '-ctl', `127.0.0.1:${control}`], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const ask = async (words: string): Promise<true> => {
    const answer = await fetch(`http://127.0.0.1:${control}/${words}`);
    if (!answer.ok) throw new Error(`${words}: ${answer.status}`);
    await answer.text();
    return true;
  };
  await until(`${impl} serves`, () => ask('gc'), 60_000);
  return {
    pid: child.pid as number,
    address: `127.0.0.1:${ads}`,
    nodeId: 'node-{i}',
    metadata: undefined,
    watches: {
      route: String.raw`rds~^80$~"name":"outbound\|80\|v1\|svc-0\.mesh\.local","weight":(\d+)`,
      endpoint: String.raw`eds~^outbound\|80\|\|svc-0\.mesh\.local$~10\.20\.0\.1","portValue":(\d+)`,
    },
    setWeight: (weight) => timed(() => ask(`route?w=${weight}`)),
    setEndpoint: (n) => timed(() => ask(`endpoint?v=${n}`)),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A server without a store has taken the change when it is asked to. */
async function timed(change: () => Promise<unknown>): Promise<number> {
  const atMs = now();
  await change();
  return atMs;
}

const now = (): number => performance.timeOrigin + performance.now();

/** The same mesh as definitions and registered instances: two versions a service, a split, half of the instances each. */
export async function startOurs(shape: Shape): Promise<OurServer> {
  const etcd = await startEtcd();
  const pilot = await pilotProcess('p1', { storeUrl: etcd.url });
  const { pid } = await pilot.start();
  const names = Array.from({ length: shape.services }, (_, i) => `svc-${i}`);
  const spec = { port: PORT, protocol: 'http' };
  const services = [...names, 'web'].map((name) => ({ name, spec, versions: { v1: {}, v2: {} } }));
  const isForEveryone = shape.upstreams === 'everyone';
  const hostOf = (name: string): string => (isForEveryone ? `${name}.mesh.local` : `${name}.default.svc.cluster.local`);
  const input = [
    ...documentsOf({ nodes: [], deploy: [], services }).map((document) => JSON.stringify(document)),
    ...names.flatMap((name) => (isForEveryone ? shown(name, hostOf(name)) : [])),
    ...names.map((name) => splitOf(name, hostOf(name), 50)),
  ];
  await post(`${pilot.server}/v1/apply`, { by: 'bench', files: input.map((text, i) => ({ name: `${i}.yaml`, text })) });
  const store = await openStore(etcd.url, { clock: systemClock, log: silentLogger, timeoutMs: 15_000 });
  await registerAll(store, names, shape.endpoints);
  await everythingServed(pilot.server);
  const [first, second] = [recordOf('svc-0', 0, 0), recordOf('svc-0', 0, 1)];
  const writeState = async (record: InstanceRecord, n: number): Promise<void> => {
    const value = JSON.stringify({ ...record, state: n % 2 === 1 ? 'draining' : 'healthy' });
    const key = store.keys.instance(record.node, record.instance);
    await store.transact({ compare: [], put: [{ key, value }], delete: [] });
  };
  const client = new Etcd3({ hosts: [`http://${etcd.address}`] });
  const committed = async (key: string, change: () => Promise<unknown>): Promise<number> => {
    const watcher = await client.watch().key(key).create();
    try {
      const seen = new Promise<number>((resolve) => watcher.once('put', () => resolve(now())));
      const [atMs] = await Promise.all([seen, change()]);
      return atMs;
    } finally {
      await watcher.cancel();
    }
  };
  return {
    pid,
    address: pilot.xds,
    ...nodeTemplate(shape.upstreams === 'everyone' ? [] : names.slice(0, shape.upstreams)),
    watches: {
      route: `rds~^outbound$~"name":"outbound\\|80\\|v1\\|${regexOf(hostOf('svc-0'))}","weight":(\\d+)`,
      endpoint: `eds~^outbound\\|80\\|\\|${regexOf(hostOf('svc-0'))}$~"healthStatus":"(\\w+)"`,
    },
    setWeight(weight) {
      const body = { by: 'bench', files: [{ name: 'split.yaml', text: splitOf('svc-0', hostOf('svc-0'), weight) }] };
      const key = store.keys.def('VirtualService', 'default', 'svc-0');
      return committed(key, () => post(`${pilot.server}/v1/apply`, body));
    },
    setEndpoint: (n) => committed(store.keys.instance(first.node, first.instance), () => writeState(first, n)),
    touch: (n) => writeState(second, n),
    async stop() {
      client.close();
      await store.close();
      await pilot.stop();
      await etcd.stop();
    },
  };
}

function regexOf(host: string): string {
  return host.replaceAll('.', String.raw`\.`);
}

/** A name that every proxy sees for the instances of a service, with the versions that the service has by itself as subsets. */
function shown(service: string, host: string): string[] {
  const versions = ['v1', 'v2'].map((name) => ({ name, labels: { version: name } }));
  const ports = [{ number: PORT, name: 'http', protocol: 'HTTP' }];
  const workloadSelector = { labels: { app: service } };
  return [
    istio('ServiceEntry', service, { hosts: [host], ports, resolution: 'STATIC', workloadSelector }),
    istio('DestinationRule', service, { host, subsets: versions }),
  ];
}

function istio(kind: string, name: string, spec: object): string {
  return JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind, metadata: { name }, spec });
}

function splitOf(service: string, host: string, weight: number): string {
  const part = (subset: string, share: number): object => ({ destination: { host, subset }, weight: share });
  const route = [part('v1', weight), part('v2', 100 - weight)];
  return istio('VirtualService', service, { hosts: [host], http: [{ route }] });
}

async function registerAll(store: Store, names: readonly string[], endpoints: number): Promise<void> {
  const registrar = store.registrar({ ttlSeconds: 60 });
  const records = names.flatMap((name, s) => Array.from({ length: endpoints }, (_, e) => recordOf(name, s, e)));
  for (let i = 0; i < records.length; i += 50) {
    const put = records.slice(i, i + 50).map((record) => ({
      key: store.keys.instance(record.node, record.instance),
      value: JSON.stringify(record),
    }));
    await store.transact({ compare: [], put, delete: [] });
  }
  for (const { instance, namespace, service, version, node, address: ip, ports } of records) {
    const address = `${ip}:${ports.inbound['http']}`;
    registrar.set(
      namingKey({ namespace, service }, address),
      encodeNamingValue({ address, mesh: { instance, version, node } }),
    );
  }
  await registrar.flush();
}

function recordOf(service: string, s: number, e: number): InstanceRecord {
  const version = e % 2 === 0 ? 'v1' : 'v2';
  return {
    instance: `${service}-${version}-${e}`,
    namespace: 'default',
    service,
    version,
    node: `n${s % 100}`,
    cluster: 'main',
    region: 'region-1',
    zone: 'zone-a',
    address: `10.${20 + Math.floor(s / 250)}.${s % 250}.${e + 1}`,
    ports: { app: { http: 8080 }, inbound: { http: 8080 }, proxy: 1, metrics: 2, upstreams: {} },
    labels: { app: service, version },
    state: 'healthy',
    reason: '',
    container: `${service}-${e}`,
    sidecar: `${service}-${e}-sidecar`,
    startedAt: 1,
    planRevision: 1,
  };
}

/** Every stream is an instance of `web`, as the planner's bootstrap says it, with `{i}` in its name. */
function nodeTemplate(upstreams: readonly string[]): { nodeId: string; metadata: object } {
  const web = plannedInstance({
    instance: 'web-v1-{i}',
    ports: { app: { http: 9000 }, inbound: { http: 9001 }, proxy: 9002, metrics: 9003, upstreams: {} },
    upstreams: upstreams.map((service) => ({
      mode: 'proxy',
      name: service,
      namespace: 'default',
      service,
      port: PORT,
      protocol: 'http',
      listener: undefined,
    })),
  });
  const plan = nodePlan(1, [web], { node: 'callers' });
  return {
    nodeId: proxyId(web.namespace, web.service, web.instance, plan.node),
    metadata: { mesh: proxyMetadata(plan, web) },
  };
}

/** What is written last has been served: so has all that was written before. */
async function everythingServed(server: string): Promise<void> {
  const input = smallWorld({ nodes: [], deploy: [], services: [{ name: 'last' }] });
  const answer = await meshOk(['--server', server, 'apply', '-f', '-', '-o', 'json'], { input });
  const { storeRevision } = JSON.parse(answer) as { storeRevision: string }; // of the API's answer to an apply
  const url = `${server}/v1/acks?storeRevision=${storeRevision}&timeoutMs=4000`;
  await until('the pilot has all of it', () => fetch(url).then(({ ok }) => ok), 120_000);
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  await answer.text();
}
