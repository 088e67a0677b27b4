/**
 * Three real etcd members and the connection to them, broken in every way that has cost somebody events or leases: the
 * store's client neither loses nor repeats anything, and has all of it again 2 s after the fault.
 */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { hasEtcd } from '../support/etcd.js';
import { type ClusterMember, type EtcdCluster, startEtcdCluster } from '../support/etcd-cluster.js';
import type { HistoryEvent } from '../support/history.js';
import { areHostsImpossible } from '../support/hosts.js';
import { startWitness } from '../support/read-history.js';
import { type Outcome, type Scene, scenario } from '../support/scenario.js';
import { openStoreScene, type StoreScene } from '../support/store-scene.js';
import { operatorAt } from '../support/stores.js';
import { until } from '../support/until.js';

/** Of the lease; so a fault of the suite's length is survived by it, or honestly not. */
const TTL_S = 10;
/** What is promised on a quiet machine, which only the lab has; and what is asked of any. */
const RECOVERS_MS = 2000;
const RECOVERS_BUSY_MS = 8000;

interface Fault {
  start(): Promise<void> | void;
  end(): Promise<void> | void;
  /** It lasts longer than the lease, or takes it away. */
  readonly mayLoseLease?: boolean;
  /** The store's history, where it cannot be read afterwards: asked for when all writing has ended. */
  readonly witness?: () => Promise<HistoryEvent[]>;
}

type Times = Pick<Outcome, 'lastedMs' | 'recoveredMs'>;
type AnyScene = Scene<Readonly<Record<string, number>>>;
type Timed = Scene<{ readonly seconds: number }>;

describe.skipIf(!hasEtcd())('three members', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startEtcdCluster();
  });
  afterAll(() => cluster?.stop());

  async function open(scene: AnyScene, ttlSeconds = TTL_S, endpoints?: number): Promise<StoreScene> {
    const stage = await openStoreScene(cluster, ttlSeconds, endpoints);
    scene.defer(() => stage.close());
    return stage;
  }

  /** Breaks it, waits, mends it, and holds the client to what the store layer promises. */
  async function trial(scene: Timed, stage: StoreScene, fault: Fault): Promise<Outcome> {
    const startedMs = performance.now();
    await fault.start();
    await new Promise((resolve) => setTimeout(resolve, scene.parameters.seconds * 1000));
    await fault.end();
    const lastedMs = performance.now() - startedMs;
    const recoveredMs = await stage.recovered();
    return resultOf(scene, stage, { lastedMs, recoveredMs }, fault);
  }

  /** Holds the client to what the store layer promises. */
  async function resultOf(
    scene: AnyScene,
    stage: StoreScene,
    times: Times,
    fault: Pick<Fault, 'mayLoseLease' | 'witness'> = {},
  ): Promise<Outcome> {
    expect(await stage.violations(fault.witness)).toEqual([]);
    if (!fault.mayLoseLease) expect(stage.leasesLost()).toBe(0);
    const isQuiet = scene.isLab && !scene.isMachineBusy();
    expect(times.recoveredMs).toBeLessThan(isQuiet ? RECOVERS_MS : RECOVERS_BUSY_MS);
    return figures(stage, times);
  }

  function figures(stage: StoreScene, times: Times): Outcome {
    const { writer } = stage;
    const gap = `${(writer.longestGapMs() / 1000).toFixed(1)} s without a write`;
    return {
      ...times,
      sent: writer.sent(),
      failed: writer.failed(),
      facts: { 'events lost': 0, 'leases lost': stage.leasesLost(), 'at the longest': gap },
    };
  }

  const timed = (
    name: string,
    broken: string,
    seconds: { readonly suite: number; readonly lab: number },
    faultOn: (stage: StoreScene) => Promise<Fault> | Fault,
    ttlSeconds?: number,
    endpoints?: number,
  ): void => {
    const forms = { suite: { seconds: seconds.suite }, lab: { seconds: seconds.lab } };
    scenario(name, broken, forms, async (scene) => {
      const stage = await open(scene, ttlSeconds, endpoints);
      return trial(scene, stage, await faultOn(stage));
    });
  };

  timed('etcd-leader-killed', 'the leader is killed and started again', { suite: 3, lab: 30 }, async () => {
    const leader = await cluster.leader();
    return { start: () => leader.kill(), end: () => leader.restart() };
  });

  timed('etcd-leader-paused', 'the leader hangs (SIGSTOP)', { suite: 4, lab: 20 }, async () => {
    const leader = await cluster.leader();
    return { start: () => leader.pause(), end: () => leader.resume() };
  });

  timed('etcd-member-paused', 'the member that the client talks to hangs', { suite: 4, lab: 12 }, () => {
    const [member] = cluster.members as [ClusterMember];
    return { start: () => member.pause(), end: () => member.resume() };
  });

  timed('etcd-all-down', 'all members are killed and started again', { suite: 5, lab: 300 }, () => ({
    start: () => cluster.kill(),
    end: () => cluster.restart(),
  }));

  timed('etcd-all-restarted', 'all members are killed and started at once', { suite: 0, lab: 0 }, () => ({
    start: () => cluster.restart(),
    end: () => {},
  }));

  timed('etcd-all-paused', 'all members hang; in the lab for longer than the lease', { suite: 3, lab: 20 }, () => ({
    start: () => cluster.pause(),
    end: () => cluster.resume(),
    mayLoseLease: true,
  }));

  timed(
    'etcd-tcp-drop',
    'every connection is cut and refused, etcd is fine',
    { suite: 3, lab: 3 },
    ({ proxies }) => ({
      start: () => proxies.forEach((proxy) => proxy.drop()),
      end: () => proxies.forEach((proxy) => proxy.heal()),
    }),
    5,
  );

  timed(
    'etcd-black-hole',
    'every connection swallows what it gets; longer than the lease',
    { suite: 7, lab: 20 },
    ({ proxies }) => ({
      start: () => proxies.forEach((proxy) => proxy.blackHole()),
      end: () => proxies.forEach((proxy) => proxy.heal()),
      mayLoseLease: true,
    }),
    5,
  );

  const droppedTo = (ports: readonly string[], change: '-I' | '-D'): void => {
    for (const port of ports) execFileSync('iptables', [change, 'OUTPUT', '-p', 'tcp', '--dport', port, '-j', 'DROP']);
  };

  if (!areHostsImpossible())
    timed(
      'etcd-packets-dropped',
      'packets to the only endpoint vanish, also those that would connect; longer than the lease',
      { suite: 24, lab: 75 },
      ({ proxies }) => {
        const ports = proxies.map(({ address }) => address.split(':')[1] ?? '');
        return { start: () => droppedTo(ports, '-I'), end: () => droppedTo(ports, '-D'), mayLoseLease: true };
      },
      5,
      1, // with another to turn to it would not show
    );

  timed(
    'etcd-compacted-away',
    'history is compacted while the watcher is cut off',
    { suite: 2, lab: 7 },
    async ({ proxies, outside, prefix, fromRevision }) => {
      const [address] = cluster.addresses as [string];
      const witness = await startWitness(address, fromRevision);
      const operator = operatorAt(address);
      return {
        start: () => proxies.forEach((proxy) => proxy.drop()),
        end: async () => {
          await operator.compact(await outside.head());
          operator.close();
          proxies.forEach((proxy) => proxy.heal());
        },
        witness: async () => {
          const events = await witness.below(prefix);
          witness.close();
          return events;
        },
      };
    },
  );

  /** Cut again and again, each time after another count of bytes from the server. */
  const cuts = (
    name: string,
    broken: string,
    writes: number,
    bytes: { readonly suite: readonly number[]; readonly lab: readonly number[] },
  ): void => {
    const forms = { suite: { cuts: bytes.suite.length }, lab: { cuts: bytes.lab.length } };
    scenario(name, broken, forms, async (scene) => {
      const stage = await open(scene);
      const { proxies } = stage;
      const startedMs = performance.now();
      let recoveredMs = 0;
      let cutOffMs = 0;
      for (const count of scene.isLab ? bytes.lab : bytes.suite) {
        const droppedMs = performance.now();
        proxies.forEach((proxy) => proxy.drop());
        await stage.flood(writes);
        cutOffMs = Math.max(cutOffMs, performance.now() - droppedMs);
        proxies.forEach((proxy) => {
          proxy.cutAfter(count);
          proxy.heal();
        });
        recoveredMs = Math.max(recoveredMs, await stage.recovered());
      }
      const times = { lastedMs: performance.now() - startedMs, recoveredMs };
      // Renewed every third of it: on a slow machine so many writes outlast what was left of the lease.
      return resultOf(scene, stage, times, { mayLoseLease: cutOffMs > (TTL_S * 1000 * 2) / 3 });
    });
  };
  const steps = (count: number, first: number, last: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.round(first + ((last - first) * i) / (count - 1)));

  cuts('etcd-cut-in-catch-up', 'cut while the watch catches up with 2500 revisions', 2500, {
    suite: [60_000, 250_000],
    lab: steps(10, 20_000, 400_000),
  });
  cuts('etcd-cut-after-created', 'cut as soon as the watch is there', 50, {
    suite: steps(12, 60, 900),
    lab: steps(200, 20, 4000),
  });

  scenario('etcd-wiped', 'all members start again without data', { suite: {}, lab: {} }, async (scene) => {
    const stage = await open(scene);
    const startedMs = performance.now();
    await cluster.restart({ wiped: true });
    const lastedMs = performance.now() - startedMs;
    const healedMs = performance.now();
    await until('another history is seen', () => stage.batches.some(({ regressed }) => regressed), 20_000);
    await stage.recovered();
    const recoveredMs = performance.now() - healedMs;
    await stage.quiet();
    const listing = await stage.outside.list({ prefix: stage.prefix });
    await until('the copy is at the head', () => stage.mirror.storeRevision >= listing.storeRevision);
    expect([...stage.mirror.entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual(listing.entries);
    expect(stage.batches.filter(({ regressed }) => regressed)).toHaveLength(1);
    return figures(stage, { lastedMs, recoveredMs });
  });
});
