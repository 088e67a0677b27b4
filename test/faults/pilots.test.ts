/**
 * Two pilots and the Envoys that they serve: whatever happens to the pilots, requests go on, nothing empty or older is sent,
 * and the proxies are back within 3 s of the return.
 */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { EvictionStatus, StatusResponse } from '../../src/model/api.js';
import type { Put, Registrar, Store } from '../../src/store/store.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { hasEtcd, startEtcd } from '../support/etcd.js';
import type { Load } from '../support/load.js';
import { mesh } from '../support/mesh-process.js';
import { openPilotStage, type PilotStage } from '../support/pilot-stage.js';
import type { PilotProcess } from '../support/pilots.js';
import { type Outcome, type Parameters, type Scene, scenario } from '../support/scenario.js';
import { smallWorld } from '../support/small-world.js';
import { until } from '../support/until.js';

/** Of all callers together, per second. */
const RATE = 300;
const BACK_MS = 3000;
/** A machine that runs other things at the same time is given more. */
const BACK_BUSY_MS = 10_000;
/** A hung pilot keeps its connections: Envoy finds out by HTTP/2 pings, every 4 s and 3 s for the answer. */
const HUNG_MS = 8000;
const HUNG_BUSY_MS = 20_000;
/** A command that cannot be carried out says so at once: most of it is the start of its process. */
const REFUSES_MS = 3000;
const REFUSES_BUSY_MS = 30_000;

type Counted = Parameters & { readonly requests: number };

interface Damage {
  readonly lastedMs: number;
  readonly recoveredMs: number;
  readonly facts?: Readonly<Record<string, number | string>>;
}

describe.skipIf(isEnvoyMissing() || !hasEtcd())('pilots', () => {
  let stage: PilotStage;
  beforeAll(async () => {
    stage = await openPilotStage();
  });
  afterAll(() => stage?.close());

  /** Breaks things under load. No request may fail; `enough` resolves when as many were sent as the form wants. */
  async function trial<P extends Counted>(
    scene: Scene<P>,
    damage: (enough: () => Promise<void>) => Promise<Damage>,
  ): Promise<Outcome> {
    const loads = await stage.load(RATE);
    for (const load of loads) scene.defer(async () => void (await load.stop()));
    const each = scene.parameters.requests / loads.length;
    const done = await damage(async () => void (await Promise.all(loads.map((load) => load.reach(each)))));
    const reports = await Promise.all(loads.map((load: Load) => load.stop()));
    expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
    expect(done.recoveredMs).toBeLessThan(scene.isLab ? BACK_MS : BACK_BUSY_MS);
    const sum = (count: (report: (typeof reports)[number]) => number): number =>
      reports.reduce((total, report) => total + count(report), 0);
    return { ...done, sent: sum(({ sent }) => sent), failed: sum(({ failed }) => failed) };
  }

  /** The same, where no proxy may be sent anything: what there is has not changed. */
  async function silentTrial<P extends Counted>(
    scene: Scene<P>,
    damage: (enough: () => Promise<void>) => Promise<Damage>,
  ): Promise<Outcome> {
    const before = await stage.changes();
    const outcome = await trial(scene, damage);
    expect(await stage.changes()).toEqual(before);
    return { ...outcome, facts: { pushes: 0, ...outcome.facts } };
  }

  async function msOf(act: () => Promise<unknown>): Promise<number> {
    const startedMs = performance.now();
    await act();
    return performance.now() - startedMs;
  }

  /** The one that serves the first caller, and the other one. */
  async function serving(): Promise<readonly [PilotProcess, PilotProcess]> {
    const [first, second] = stage.pilots as readonly [PilotProcess, PilotProcess];
    const { items } = await first.get<{ items: { proxy: string }[] }>('/v1/proxies');
    return items.some(({ proxy }) => proxy === stage.callers[0]?.id) ? [first, second] : [second, first];
  }

  const restartAll = async (): Promise<number> => {
    await Promise.race(stage.pilots.map((pilot) => pilot.start()));
    return msOf(() => stage.connected(stage.pilots, BACK_BUSY_MS));
  };

  scenario(
    'pilot-killed',
    'one of two pilots is killed (-9) and started again, time after time',
    { suite: { kills: 3, requests: 2000 }, lab: { kills: 20, requests: 20_000 } },
    async (scene) =>
      silentTrial(scene, async (enough) => {
        const startedMs = performance.now();
        let slowestMs = 0;
        for (let i = 0; i < scene.parameters.kills; i++) {
          const [victim, other] = await serving();
          await victim.kill();
          slowestMs = Math.max(slowestMs, await msOf(() => stage.connected([other], BACK_BUSY_MS)));
          await victim.start();
        }
        await enough();
        return {
          lastedMs: performance.now() - startedMs,
          recoveredMs: slowestMs,
          facts: { kills: scene.parameters.kills },
        };
      }),
  );

  scenario(
    'pilots-down',
    'all pilots are killed (-9)',
    { suite: { seconds: 20, requests: 6000 }, lab: { seconds: 120, requests: 36_000 } },
    async (scene) =>
      silentTrial(scene, async () => {
        await Promise.all(stage.pilots.map((pilot) => pilot.kill()));
        const lastedMs = await msOf(
          () => new Promise((resolve) => setTimeout(resolve, scene.parameters.seconds * 1000)),
        );
        return { lastedMs, recoveredMs: await restartAll() };
      }),
  );

  scenario(
    'pilot-paused',
    'the pilot that serves the proxies hangs (SIGSTOP), and an instance leaves meanwhile',
    { suite: { requests: 3000 }, lab: { requests: 20_000 } },
    async (scene) =>
      trial(scene, async (enough) => {
        const [victim] = await serving();
        victim.signal('SIGSTOP');
        scene.defer(() => victim.signal('SIGCONT'));
        const startedMs = performance.now();
        await stage.setLast('draining');
        await stage.callersSee(2, HUNG_BUSY_MS);
        const heardMs = Math.round(performance.now() - startedMs);
        if (scene.isLab) expect(heardMs).toBeLessThan(HUNG_MS);
        await enough();
        victim.signal('SIGCONT');
        const lastedMs = performance.now() - startedMs;
        const recoveredMs = await msOf(async () => {
          await stage.setLast('healthy');
          await stage.callersSee(3, HUNG_BUSY_MS);
        });
        return { lastedMs, recoveredMs, facts: { 'ms until all had heard of it from the other': heardMs } };
      }),
  );

  scenario(
    'pilots-empty-store',
    'all pilots are started again, on an empty store',
    { suite: { requests: 2000 }, lab: { requests: 20_000 } },
    async (scene) =>
      silentTrial(scene, async (enough) => {
        const empty = await startEtcd();
        scene.defer(() => empty.stop());
        await Promise.all(stage.pilots.map((pilot) => pilot.kill()));
        const startedMs = performance.now();
        await Promise.all(stage.pilots.map((pilot) => pilot.start({ storeUrl: empty.url, isReady: false })));
        await enough();
        await Promise.all(stage.pilots.map((pilot) => pilot.kill()));
        return { lastedMs: performance.now() - startedMs, recoveredMs: await restartAll() };
      }),
  );

  scenario(
    'pilots-damaged-store',
    'all pilots are started again on a store whose values are damaged',
    { suite: { requests: 2000 }, lab: { requests: 20_000 } },
    async (scene) =>
      silentTrial(scene, async (enough) => {
        const { store, pilots } = stage;
        await Promise.all(pilots.map((pilot) => pilot.kill()));
        const keys = ['web', 'reviews'].map((name) => store.keys.def('Service', 'default', name));
        const good = (await Promise.all(keys.map((key) => store.get(key)))).filter((entry) => entry !== undefined);
        const write = (put: readonly Put[]): Promise<unknown> => store.transact({ compare: [], put, delete: [] });
        await write(keys.map((key) => ({ key, value: '{"document":' })));
        const startedMs = performance.now();
        const recoveredMs = await restartAll();
        await enough();
        await write(good);
        return { lastedMs: performance.now() - startedMs, recoveredMs };
      }),
  );

  scenario(
    'mesh-etcd-down',
    'all members of etcd are killed; no instance is evicted in the two TTLs after their return',
    { suite: { seconds: 15, ttlSeconds: 5, requests: 6000 }, lab: { seconds: 300, ttlSeconds: 10, requests: 90_000 } },
    async (scene) => {
      const { cluster, store, pilots } = stage;
      const { seconds, ttlSeconds } = scene.parameters;
      const registrar = await takeOver(store, ttlSeconds);
      scene.defer(() => registrar.close({ keepLease: true }));
      const { leaseId } = registrar;
      return silentTrial(scene, async () => {
        const startedMs = performance.now();
        await cluster.kill();
        const [byPilot, byStore] = [
          await failFast(['--server', (pilots[0] as PilotProcess).server]),
          await failFast(['--store', cluster.url]),
        ];
        const restMs = seconds * 1000 - (performance.now() - startedMs);
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, restMs)));
        await cluster.restart();
        const lastedMs = performance.now() - startedMs;
        const isBack = async (): Promise<boolean> => {
          const states = await Promise.all(pilots.map((pilot) => pilot.get<StatusResponse>('/v1/status')));
          return states.every((status) => status.store.synced) && registrar.isAlive();
        };
        const recoveredMs = await msOf(() => until('the pilots follow the store', isBack, BACK_BUSY_MS));
        await new Promise((resolve) => setTimeout(resolve, 2 * ttlSeconds * 1000));
        for (const pilot of pilots) {
          expect(await pilot.get<EvictionStatus>('/v1/evictions')).toMatchObject({ frozen: [], missing: [] });
        }
        expect(registrar.leaseId).toBe(leaseId);
        const isSlow = scene.isMachineBusy();
        expect(Math.max(byPilot, byStore)).toBeLessThan(isSlow ? REFUSES_BUSY_MS : REFUSES_MS);
        const ms = `${Math.round(byPilot)} and ${Math.round(byStore)} ms`;
        return { lastedMs, recoveredMs, facts: { evictions: 0, 'leases lost': 0, 'until apply gave up': ms } };
      });
    },
  );

  /** The instances of the stage under a lease, as an agent has them. */
  async function takeOver(store: Store, ttlSeconds: number): Promise<Registrar> {
    const { entries } = await store.list([{ prefix: 'services/' }, { prefix: 'versions/' }]);
    expect(entries.length).toBeGreaterThanOrEqual(3);
    const registrar = store.registrar({ ttlSeconds });
    for (const { key, value } of entries) registrar.set(key, value);
    registrar.set(store.keys.node('n1'), JSON.stringify({ node: 'n1' }));
    await registrar.flush();
    return registrar;
  }

  /** Milliseconds that a write takes to be refused; it has to say that the store cannot be reached. */
  function failFast(to: readonly string[]): Promise<number> {
    return msOf(async () => {
      const input = smallWorld({ nodes: [], deploy: [], services: [{ name: 'another' }] });
      const { code, stderr } = await mesh([...to, 'apply', '-f', '-'], { input });
      expect(code, stderr).toBe(6);
    });
  }
});
