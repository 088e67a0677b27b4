/** A real Envoy that calls one service, as the sidecar of an app that is not there: its bootstrap is the one of every sidecar. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CLUSTERS_PAGE, healthyIn } from '../../scripts/envoy-admin.mjs';
import { proxyId } from '../../src/model/names.js';
import type { PlannedInstance } from '../../src/model/node-plan.js';
import { bootstrap, PILOTS_FILE, proxyMetadata } from '../../src/planner/bootstrap.js';
import { pilotsFile } from '../../src/planner/pilots-file.js';
import { startEnvoy } from './envoy.js';
import { freePort, temporaryFolder } from './mesh-process.js';
import { nodePlan, plannedInstance } from './node-plans.js';

export interface Caller {
  /** Envoy's node id. */
  readonly id: string;
  /** `host:port` of its outbound proxy. */
  readonly proxy: string;
  /** To the process: SIGSTOP freezes it with all its connections. */
  signal(signal: NodeJS.Signals): void;
  /** What its configuration has gone through, by Envoy's own counters: equal twice is untouched in between. */
  changes(): Promise<Readonly<Record<string, number>>>;
  /** Names of all that it has. */
  clusters(): Promise<readonly string[]>;
  /** Addresses of the service that it would send requests to. */
  healthy(): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

export interface CallerOptions {
  readonly instance: string;
  /** `host:port` of their xDS. */
  readonly pilots: readonly string[];
  /** Name and port that it calls. */
  readonly upstream: { readonly service: string; readonly port: number };
}

/** Of Envoy's statistics: every configuration that it took over, and every address that came or went. */
const CHANGES =
  /^(cluster_manager\.cluster_(added|modified|removed)|listener_manager\.listener_(added|modified|removed)|http\..*\.rds\..*\.config_reload|cluster\.[^.]*;[^.]*\.membership_change)$/;

/** So many, as `web-v1-1`, `web-v1-2`, …; who starts them closes them. */
export async function startCallers(
  count: number,
  options: Omit<CallerOptions, 'instance'>,
  closers: (() => Promise<void> | void)[],
): Promise<Caller[]> {
  const callers: Caller[] = [];
  for (let i = 1; i <= count; i++) {
    const caller = await startCaller({ instance: `web-v1-${i}`, ...options });
    closers.push(() => caller.close());
    callers.push(caller);
  }
  return callers;
}

export async function startCaller({ instance, pilots, upstream }: CallerOptions): Promise<Caller> {
  const folder = await temporaryFolder('caller');
  const places = { shared: path.join(folder.path, 'shared'), run: path.join(folder.path, 'run') };
  for (const place of Object.values(places)) await mkdir(place);
  await writeFile(path.join(places.shared, PILOTS_FILE), pilotsFile(pilots));
  const planned = await plannedCaller(instance, upstream);
  const plan = nodePlan(1, [planned], { node: 'callers' });
  const { admin: _, ...rest } = bootstrap({ proxy: proxyMetadata(plan, planned), region: 'r', zone: 'z', places });
  const envoy = await startEnvoy({ bootstrap: rest, baseDir: folder.path });
  return {
    id: proxyId(planned.namespace, planned.service, planned.instance, plan.node),
    proxy: `127.0.0.1:${planned.ports.proxy}`,
    signal: (signal) => void process.kill(envoy.pid, signal),
    async changes() {
      const lines = (await envoy.adminGet('/stats?usedonly')).split('\n').map((line) => line.split(': '));
      return Object.fromEntries(
        lines.filter(([name = '']) => CHANGES.test(name)).map(([name = '', value]) => [name, Number(value)]),
      );
    },
    clusters: async () => [...healthyIn(await envoy.adminGet(CLUSTERS_PAGE)).keys()],
    async healthy() {
      const clusters = [...healthyIn(await envoy.adminGet(CLUSTERS_PAGE))];
      const own = clusters.filter(([name]) => name.includes(`|${upstream.service}.`));
      return new Set(own.flatMap(([, addresses]) => [...addresses]));
    },
    async close() {
      await envoy.stop();
      await folder.remove();
    },
  };
}

/** The instance whose sidecar it is. */
export async function plannedCaller(
  instance: string,
  { service, port }: CallerOptions['upstream'],
): Promise<PlannedInstance> {
  const [app, inbound, proxy, metrics] = [await freePort(), await freePort(), await freePort(), await freePort()];
  return plannedInstance({
    instance,
    servicePorts: [{ name: 'http', port: 8080, protocol: 'http' }],
    ports: { app: { http: app }, inbound: { http: inbound }, proxy, metrics, upstreams: {} },
    upstreams: [
      { mode: 'proxy', name: service, namespace: 'default', service, port, protocol: 'http', listener: undefined },
    ],
  });
}
