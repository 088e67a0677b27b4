/**
 * What the fault scenarios of the pilots play on: three etcd members, two pilots as processes, three instances of `reviews`
 * that answer, and three real Envoys that call them.
 */
import type { List, ProxyItem } from '../../src/model/api.js';
import type { InstanceState } from '../../src/model/instance.js';
import type { PlannedInstance } from '../../src/model/node-plan.js';
import type { Store } from '../../src/store/store.js';
import { type Caller, startCallers } from './caller.js';
import { startDemoInstance } from './demo-instance.js';
import { type EtcdCluster, startEtcdCluster } from './etcd-cluster.js';
import { type Load, openLoad } from './load.js';
import { meshOk } from './mesh-process.js';
import { nodePlan } from './node-plans.js';
import { setInstance } from './pilot-house.js';
import { type PilotProcess, pilotProcess } from './pilots.js';
import { smallWorld } from './small-world.js';
import { openAt } from './stores.js';
import { until } from './until.js';

const INSTANCES = 3;
const CALLERS = 3;
const UPSTREAM = { service: 'reviews', port: 9080 };
const world = smallWorld({
  nodes: [],
  deploy: [],
  services: [
    { name: 'web', spec: { port: 8080, protocol: 'http' } },
    { name: UPSTREAM.service, spec: { port: UPSTREAM.port, protocol: 'http', stable: 'v1' } },
  ],
});

export interface PilotStage {
  readonly cluster: EtcdCluster;
  readonly store: Store;
  readonly pilots: readonly PilotProcess[];
  readonly callers: readonly Caller[];
  /** Of the last instance, as its agent would write it. */
  setLast(state: InstanceState): Promise<void>;
  /** Steady requests through every caller; `perSecond` is the sum. */
  load(perSecond: number): Promise<readonly Load[]>;
  /** Every caller is connected to one of these pilots and has all that it is served. */
  connected(to: readonly PilotProcess[], timeoutMs: number): Promise<void>;
  /** Every caller would send requests to so many instances. */
  callersSee(healthy: number, timeoutMs: number): Promise<void>;
  /** What all configurations have gone through. */
  changes(): Promise<readonly object[]>;
  close(): Promise<void>;
}

export async function openPilotStage(): Promise<PilotStage> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const cluster = await startEtcdCluster();
    closers.push(() => cluster.stop());
    const [first, second] = [
      await pilotProcess('p1', { storeUrl: cluster.url }),
      await pilotProcess('p2', { storeUrl: cluster.url }),
    ];
    const pilots = [first, second];
    for (const pilot of pilots) closers.push(() => pilot.stop());
    await Promise.all(pilots.map((pilot) => pilot.start()));
    await meshOk(['--server', first.server, 'apply', '-f', '-'], { input: world });
    const store = await openAt(cluster.addresses.join(','), 'lightmesh/');
    closers.push(() => store.close());
    const instances: PlannedInstance[] = [];
    for (let i = 1; i <= INSTANCES; i++) instances.push(await startDemoInstance(`reviews-v1-${i}`, closers));
    const plan = nodePlan(1, instances);
    for (const instance of instances) await setInstance(store, plan, instance, 'healthy');
    const callers = await startCallers(CALLERS, { pilots: pilots.map(({ xds }) => xds), upstream: UPSTREAM }, closers);
    const callersSee = async (healthy: number, timeoutMs: number): Promise<void> => {
      await until(
        `every caller sees ${healthy} instances`,
        async () => (await Promise.all(callers.map((one) => one.healthy()))).every((seen) => seen.size === healthy),
        timeoutMs,
      );
    };
    await callersSee(INSTANCES, 20_000);
    return {
      cluster,
      store,
      pilots,
      callers,
      callersSee,
      setLast: (state) => setInstance(store, plan, instances.at(-1) as PlannedInstance, state),
      load: (perSecond) =>
        Promise.all(
          callers.map(({ proxy }) =>
            openLoad({
              proxy,
              authority: `${UPSTREAM.service}:${UPSTREAM.port}`,
              perSecond: perSecond / callers.length,
            }),
          ),
        ),
      async connected(to, timeoutMs) {
        await until(
          `every caller is served by ${to.map(({ id }) => id).join(' or ')}`,
          async () => {
            const lists = await Promise.all(to.map((pilot) => pilot.get<List<ProxyItem>>('/v1/proxies')));
            const synced = lists.flatMap(({ items }) => items).filter(isSynced);
            return callers.every(({ id }) => synced.some(({ proxy }) => proxy === id));
          },
          timeoutMs,
        );
      },
      changes: () => Promise.all(callers.map((caller) => caller.changes())),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function isSynced({ types }: ProxyItem): boolean {
  return ['CDS', 'EDS', 'LDS', 'RDS'].every((type) => types[type]?.state === 'SYNCED');
}
