/**
 * What the flips play on: etcd, two pilots as processes, three versions of `reviews` that answer, and a real Envoy that calls
 * them. A flip writes a subset (or a version) together with the route to it, takes both away, or puts another in their place.
 */
import type { ApplyResponse, List, ProxyItem } from '../../src/model/api.js';
import type { Store } from '../../src/store/store.js';
import { type Caller, startCallers } from './caller.js';
import { startDemoInstance } from './demo-instance.js';
import { startEtcd } from './etcd.js';
import { type Load, openLoad } from './load.js';
import { nodePlan } from './node-plans.js';
import { setInstance } from './pilot-house.js';
import { type PilotProcess, pilotProcess } from './pilots.js';
import { smallWorld } from './small-world.js';
import { openAt } from './stores.js';
import { until } from './until.js';

const VERSIONS = ['v1', 'v2', 'v3'] as const;
const PORT = 9080;

/** Istio's kinds on a host of a ServiceEntry, and our own on a service. */
export const dialects = ['istio', 'own'] as const;
export type Dialect = (typeof dialects)[number];

/** What is there besides v1: nothing, or one version with its route. */
export type Extra = undefined | 'v2' | 'v3';

export interface FlipStage {
  readonly pilots: readonly [PilotProcess, PilotProcess];
  readonly caller: Caller;
  /** Requests to the host that this dialect is about. */
  load(dialect: Dialect, perSecond: number): Promise<Load>;
  /** In one revision; tries the next pilot while one does not answer. */
  write(dialect: Dialect, extra: Extra): Promise<ApplyResponse>;
  /** The pilot that serves the caller; undefined while none does. */
  serving(): Promise<PilotProcess | undefined>;
  /** Figures that a pilot tells Prometheus about itself. */
  figures(pilot: PilotProcess): Promise<PilotFigures>;
  /** The caller has acknowledged all that one of the pilots serves to it. */
  settled(): Promise<void>;
  /** How many versions of the dialect's host the caller has clusters for. */
  extras(dialect: Dialect): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface PilotFigures {
  readonly heapMiB: number;
  readonly residentMiB: number;
  readonly files: number;
  /** Responses that were acknowledged, or refused, so far. */
  readonly acked: number;
  readonly refused: number;
}

const authorities: Readonly<Record<Dialect, string>> = { istio: 'books.example.com:9080', own: 'reviews:9080' };

/** `env`: of the pilots. */
export async function openFlipStage(env: Readonly<Record<string, string>> = {}): Promise<FlipStage> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const etcd = await startEtcd();
    closers.push(() => etcd.stop());
    const pilots = [
      await pilotProcess('p1', { storeUrl: etcd.url, env }),
      await pilotProcess('p2', { storeUrl: etcd.url, env }),
    ] as const;
    for (const pilot of pilots) closers.push(() => pilot.stop());
    await Promise.all(pilots.map((pilot) => pilot.start()));
    const store = await openAt(etcd.address, 'lightmesh/');
    closers.push(() => store.close());
    const ports = await startVersions(store, closers);
    const base = baseOf(ports);
    await writeTo(pilots, base, {});
    const upstream = { service: 'reviews', port: PORT };
    const [caller] = await startCallers(1, { pilots: pilots.map(({ xds }) => xds), upstream }, closers);
    if (caller === undefined) throw new Error('no caller');
    const proxies = async (): Promise<readonly (readonly [PilotProcess, ProxyItem])[]> => {
      const lists = await Promise.all(
        pilots.map(async (pilot) => {
          const { items } = await pilot.get<List<ProxyItem>>('/v1/proxies').catch(() => ({ items: [] }));
          return items.map((item) => [pilot, item] as const);
        }),
      );
      return lists.flat().filter(([{ id }, { proxy, connectedTo }]) => proxy === caller.id && connectedTo === id);
    };
    const stage: FlipStage = {
      pilots,
      caller,
      load: (dialect, perSecond) =>
        openLoad({ proxy: caller.proxy, authority: authorities[dialect], perSecond, concurrency: 32 }),
      write: (dialect, extra) => {
        const text = extra === undefined ? base : `${base}\n---\n${yamlOf(documentsOf[dialect](extra))}`;
        return writeTo(pilots, text, { prune: { part: dialect } });
      },
      figures: figuresOf,
      serving: async () => (await proxies())[0]?.[0],
      async settled() {
        await until('the caller has it all', async () => (await proxies()).some(([, item]) => isSynced(item)), 30_000);
      },
      extras: async (dialect) => (await caller.clusters()).filter((name) => isExtraOf(dialect, name)),
      close,
    };
    await stage.settled();
    return stage;
  } catch (error) {
    await close();
    throw error;
  }
}

async function figuresOf({ server }: PilotProcess): Promise<PilotFigures> {
  const text = await (await fetch(`${server}/metrics`)).text();
  const sum = (pattern: RegExp): number =>
    [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
  return {
    heapMiB: sum(/^(?:nodejs_heap_size_used|nodejs_external_memory)_bytes (\S+)/gm) / 2 ** 20,
    residentMiB: sum(/^process_resident_memory_bytes (\S+)/gm) / 2 ** 20,
    files: sum(/^process_open_fds (\S+)/gm),
    acked: sum(/^mesh_xds_pushes_total\{.*result="ack".*\} (\S+)/gm),
    refused: sum(/^mesh_xds_pushes_total\{.*result="nack".*\} (\S+)/gm),
  };
}

function isSynced({ types }: ProxyItem): boolean {
  return ['CDS', 'EDS', 'LDS', 'RDS'].every((type) => types[type]?.state === 'SYNCED');
}

function isExtraOf(dialect: Dialect, cluster: string): boolean {
  const host = dialect === 'istio' ? 'books.example.com' : 'reviews.default.svc.cluster.local';
  return VERSIONS.slice(1).some((version) => cluster.endsWith(`|${version}|${host}`));
}

async function startVersions(store: Store, closers: (() => void)[]): Promise<readonly number[]> {
  const instances = await Promise.all(VERSIONS.map((version) => startDemoInstance(`reviews-${version}-1`, closers)));
  const plan = nodePlan(1, instances);
  for (const instance of instances) await setInstance(store, plan, instance, 'healthy');
  return instances.map(({ ports }) => ports.inbound['http'] ?? 0);
}

/** The first pilot that answers: a killed one may have carried it out all the same, and then there is nothing left to write. */
async function writeTo(pilots: readonly PilotProcess[], text: string, rest: object): Promise<ApplyResponse> {
  const body = JSON.stringify({ by: 'test', files: [{ name: 'flip.yaml', text }], ...rest });
  let last: unknown;
  for (const { server } of [...pilots, ...pilots]) {
    try {
      const answer = await fetch(`${server}/v1/apply`, { method: 'POST', body, signal: AbortSignal.timeout(5000) });
      if (answer.ok) return (await answer.json()) as ApplyResponse; // of an apply
      last = new Error(`${answer.status} ${await answer.text()}`);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

const istio = (kind: string, name: string, spec: object, labels = {}): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, labels },
  spec,
});
const own = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'mesh/v1',
  kind,
  metadata: { name, labels: { part: 'own' } },
  spec,
});
const yamlOf = (documents: readonly object[]): string => documents.map((one) => JSON.stringify(one)).join('\n---\n');

/** `books` has everybody behind it, of all versions; `reviews` has a version when it is written. */
function baseOf(ports: readonly number[]): string {
  const services = [
    { name: 'web', spec: { port: 8080, protocol: 'http' } },
    { name: 'reviews', spec: { port: PORT, protocol: 'http', stable: 'v1' } },
  ];
  const books = istio('ServiceEntry', 'books', {
    hosts: ['books.example.com'],
    ports: [{ number: PORT, name: 'http', protocol: 'HTTP' }],
    resolution: 'STATIC',
    endpoints: VERSIONS.map((version, i) => ({ address: '127.0.0.1', ports: { http: ports[i] }, labels: { version } })),
  });
  return [smallWorld({ nodes: [], deploy: [], services }), yamlOf([books])].join('\n---\n');
}

const documentsOf: Readonly<Record<Dialect, (extra: string) => readonly object[]>> = {
  own: (extra) => {
    const split = ['v1', extra].map((version) => ({ version, weight: 50 }));
    return [
      own('Version', `reviews-${extra}`, { service: 'reviews', version: extra, container: { image: 'demo' } }),
      own('Route', 'reviews', { service: 'reviews', rules: [{ name: 'all', split }] }),
    ];
  },
  istio: (extra) => {
    const labels = { part: 'istio' };
    const host = 'books.example.com';
    const route = [{ host, subset: extra }, { host }].map((destination) => ({ destination, weight: 50 }));
    return [
      istio('DestinationRule', 'books', { host, subsets: [{ name: extra, labels: { version: extra } }] }, labels),
      istio('VirtualService', 'books', { hosts: [host], http: [{ route }] }, labels),
    ];
  },
};
