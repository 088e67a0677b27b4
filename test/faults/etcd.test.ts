/**
 * Three real etcd members and the connection to them, broken in every way that has cost somebody events or leases: the
 * store's client neither loses nor repeats anything, and has all of it again 2 s after the fault.
 */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { hasEtcd } from '../support/etcd.js';
import { type EtcdCluster, startEtcdCluster } from '../support/etcd-cluster.js';
import { type Outcome, type Scene, scenario } from '../support/scenario.js';
import { openStoreScene, type StoreScene } from '../support/store-scene.js';

/** Of the lease; so a fault of the suite's length is survived by it, or honestly not. */
const TTL_S = 10;
/** What is promised, and what a machine that runs other things at the same time is given. */
const RECOVERS_MS = 2000;
const RECOVERS_BUSY_MS = 6000;

type Timed = Scene<{ readonly seconds: number }>;

describe.skipIf(!hasEtcd())('three members', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startEtcdCluster();
  });
  afterAll(() => cluster?.stop());

  async function open(scene: Scene<Readonly<Record<string, number>>>, ttlSeconds = TTL_S): Promise<StoreScene> {
    const stage = await openStoreScene(cluster, ttlSeconds);
    scene.defer(() => stage.close());
    return stage;
  }

  /** Breaks it, waits, mends it, and holds the client to what the store layer promises. */
  async function trial(
    scene: Timed,
    stage: StoreScene,
    fault: { start(): Promise<void> | void; end(): Promise<void> | void; mayLoseLease?: boolean },
  ): Promise<Outcome> {
    const startedMs = performance.now();
    await fault.start();
    await new Promise((resolve) => setTimeout(resolve, scene.parameters.seconds * 1000));
    await fault.end();
    const lastedMs = performance.now() - startedMs;
    const recoveredMs = await stage.recovered();
    expect(await stage.violations()).toEqual([]);
    const leasesLost = stage.leasesLost();
    if (!fault.mayLoseLease) expect(leasesLost).toBe(0);
    expect(recoveredMs).toBeLessThan(scene.isLab ? RECOVERS_MS : RECOVERS_BUSY_MS);
    const { writer } = stage;
    const gap = `${(writer.longestGapMs() / 1000).toFixed(1)} s without a write`;
    return {
      lastedMs,
      recoveredMs,
      sent: writer.records.length + writer.reads.length,
      failed: writer.failed(),
      facts: { 'events lost': 0, 'leases lost': leasesLost, 'at the longest': gap },
    };
  }

  scenario(
    'etcd-leader-killed',
    'the leader is killed, and started again later',
    { suite: { seconds: 3 }, lab: { seconds: 30 } },
    async (scene) => {
      const stage = await open(scene);
      const leader = await cluster.leader();
      return trial(scene, stage, { start: () => leader.kill(), end: () => leader.restart() });
    },
  );
});
