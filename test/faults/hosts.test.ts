/**
 * Three hosts with an engine and an agent each, whose parts die: what is dead leaves every Envoy in time, what lives comes
 * back as what it was, and requests go on.
 */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { EvictionStatus, InstanceItem } from '../../src/model/api.js';
import { isDockerMissing } from '../support/docker.js';
import { hasEtcd } from '../support/etcd.js';
import { type HostStage, NAMES, openHostStage } from '../support/host-stage.js';
import { areHostsImpossible, type Host } from '../support/hosts.js';
import { type Load, openLoad } from '../support/load.js';
import { isLab, type Outcome, type Parameters, type Scene, scenario } from '../support/scenario.js';
import { until } from '../support/until.js';

/** The lease of the agents. */
const TTL_S = isLab ? 10 : 4;
const RATE = 200;
const DEAD_INSTANCE_MS = 1000;
/** What a machine that runs other things at the same time is given besides. */
const BUSY_MS = isLab ? 0 : 2000;
const RETURN_MS = 30_000;
/** A sidecar that starts while nobody serves it but its agent. */
const LAST_GOOD_MS = 5000;

type Counted = Scene<Parameters & { readonly requests: number }>;

interface Damage {
  readonly lastedMs: number;
  readonly recoveredMs: number;
  readonly facts?: Readonly<Record<string, number | string>>;
}

describe.skipIf(areHostsImpossible() || isDockerMissing() || !hasEtcd())('hosts', () => {
  let stage: HostStage;
  beforeAll(async () => {
    stage = await openHostStage({ leaseTtl: `${TTL_S}s` });
  });
  afterAll(() => stage?.close());

  /** Breaks things while every caller sends requests to reviews. */
  async function trial(scene: Counted, maxFailedShare: number, damage: () => Promise<Damage>): Promise<Outcome> {
    const target = { authority: 'reviews:9080', perSecond: RATE / stage.callers.length };
    const loads: Load[] = [];
    for (const { proxy } of stage.callers) loads.push(await openLoad({ ...target, proxy }));
    for (const load of loads) scene.defer(async () => void (await load.stop()));
    const done = await damage();
    await Promise.all(loads.map((load) => load.reach(scene.parameters.requests / loads.length)));
    const reports = await Promise.all(loads.map((load) => load.stop()));
    const sent = reports.reduce((sum, report) => sum + report.sent, 0);
    const failed = reports.reduce((sum, report) => sum + report.failed, 0);
    const failures = reports.flatMap((report) => report.failures).join('\n');
    expect(failed, failures).toBeLessThanOrEqual(sent * maxFailedShare);
    return { ...done, sent, failed };
  }

  /** The agent or the host of `b` is away: its instance turns unhealthy when the lease is over, and is the same afterwards. */
  async function away(begin: () => void, end: () => void): Promise<Damage> {
    const before = await stage.instance('reviews', 'b');
    const startedMs = performance.now();
    begin();
    const unhealthyMs = await stage.callersUse(['a', 'c'], (TTL_S + 10) * 1000);
    expect(unhealthyMs).toBeLessThan((TTL_S + 1) * 1000 + BUSY_MS);
    end();
    const lastedMs = performance.now() - startedMs;
    const recoveredMs = await stage.callersUse(NAMES, RETURN_MS);
    expect(identity(await stage.instance('reviews', 'b'))).toEqual(identity(before));
    return { lastedMs, recoveredMs, facts: { 'ms to UNHEALTHY': Math.round(unhealthyMs), TTL: `${TTL_S} s` } };
  }

  const identity = ({ instance, address, startedAt, container }: InstanceItem): object => ({
    instance,
    address,
    startedAt,
    container,
  });

  scenario(
    'instance-killed',
    'the container of an instance is killed',
    { suite: { requests: 1000 }, lab: { requests: 5000 } },
    async (scene) =>
      trial(scene, 0, async () => {
        const victim = await stage.instance('reviews', 'b');
        const startedMs = performance.now();
        const killed = stage.host('b').docker('kill', victim.container);
        const goneMs = await stage.callersUse(['a', 'c'], 20_000);
        await killed;
        expect(goneMs).toBeLessThan(DEAD_INSTANCE_MS + BUSY_MS);
        const recoveredMs = await stage.callersUse(NAMES, RETURN_MS);
        return {
          lastedMs: performance.now() - startedMs,
          recoveredMs,
          facts: { 'ms until it was gone': Math.round(goneMs) },
        };
      }),
  );

  scenario(
    'agent-killed',
    'the agent of a host is killed (-9), and started again when its lease is over',
    { suite: { requests: 1000 }, lab: { requests: 5000 } },
    async (scene) =>
      trial(scene, 0, () =>
        away(
          () => stage.agent('b').signal('SIGKILL'),
          () => stage.startAgent('b'),
        ),
      ),
  );

  scenario(
    'host-cut-off',
    'a host loses its network (nobody hears of it)',
    { suite: { requests: 1000 }, lab: { requests: 5000 } },
    // Those that were on their way to it have no answer, and no way to know.
    async (scene) =>
      trial(scene, 0.05, () =>
        away(
          () => stage.host('b').cutOff(),
          () => stage.host('b').heal(),
        ),
      ),
  );

  scenario(
    'mass-loss',
    'every agent is cut off from etcd, for longer than it takes to be removed; the instances live',
    { suite: { seconds: 2 * TTL_S, requests: 1000 }, lab: { seconds: 90, requests: 5000 } },
    async (scene) =>
      trial(scene, 0, async () => {
        if (!scene.isLab) await stage.setMesh({ leaseTtl: `${TTL_S}s`, eviction: { linger: `${TTL_S}s` } });
        const before = await stage.changes();
        const port = Number(stage.etcd.address.split(':')[1]);
        const startedMs = performance.now();
        for (const name of NAMES) stage.host(name).block(port);
        scene.defer(() => {
          for (const name of NAMES) stage.host(name).heal();
        });
        await stage.callersUse([], (TTL_S + 10) * 1000);
        const scopes = await until('it is frozen', async () => (await frozen()).length > 0 && frozen(), 10_000);
        const frozenMs = Math.round(performance.now() - startedMs);
        await new Promise((resolve) => setTimeout(resolve, scene.parameters.seconds * 1000));
        // Nobody was removed: the lists have the addresses that they had.
        expect(await stage.changes()).toEqual(before);
        for (const name of NAMES) stage.host(name).heal();
        const lastedMs = performance.now() - startedMs;
        const recoveredMs = await stage.callersUse(NAMES, RETURN_MS);
        return {
          lastedMs,
          recoveredMs,
          facts: { removals: 0, frozen: scopes.join(' '), 'ms until it froze': frozenMs },
        };
      }),
  );

  scenario(
    'all-dark',
    'all pilots and etcd are down; then every container of a host is started again, and another host loses power',
    { suite: { requests: 1000 }, lab: { requests: 5000 } },
    async (scene) => {
      const productpage = await stage.instance('productpage', 'a');
      const target = { proxy: `127.0.0.1:${productpage.proxyPort}`, authority: 'reviews:9080', perSecond: 50 };
      const inside = await openLoad(target, stage.host('a').inside);
      scene.defer(async () => void (await inside.stop()));
      const inbound = {
        a: (await stage.instance('reviews', 'a')).address,
        b: (await stage.instance('reviews', 'b')).address,
      };
      // What is on its way to a container when that dies is lost.
      return trial(scene, 0.05, async () => {
        const startedMs = performance.now();
        await Promise.all([stage.etcd.kill(), ...stage.pilots.map((pilot) => pilot.kill())]);

        const a = stage.host('a');
        const containers = (await a.docker('ps', '-q')).split('\n');
        await Promise.all(containers.map((id) => a.docker('restart', '-t', '1', id)));
        const isCalling = async (): Promise<boolean> => (inside.report().lastAnswerAt ?? 0) > (await startOf(a));
        const restartedMs = await servesAgain(a, inbound.a, isCalling);

        const b = stage.host('b');
        await b.powerOff();
        await b.powerOn();
        stage.startAgent('b');
        const rebootedMs = await servesAgain(b, inbound.b, () => true);

        await stage.etcd.restart();
        const lastedMs = performance.now() - startedMs;
        await Promise.all(stage.pilots.map((pilot) => pilot.start()));
        const recoveredMs = await stage.callersUse(NAMES, RETURN_MS);
        return {
          lastedMs,
          recoveredMs,
          facts: { 'ms until the restarted served': restartedMs, 'ms until the rebooted served': rebootedMs },
        };
      });
    },
  );

  /** When the last container of a host was started, in milliseconds since the epoch. */
  async function startOf(host: Host): Promise<number> {
    const ids = (await host.docker('ps', '-q')).split('\n');
    const times = await host.docker('inspect', '--format', '{{.State.StartedAt}}', ...ids);
    return Math.max(...times.split('\n').map((time) => Date.parse(time)));
  }

  /** Ms from the start of the last container until its instance answers through its sidecar, and what else is wanted holds. */
  async function servesAgain(host: Host, address: string, also: () => boolean | Promise<boolean>): Promise<number> {
    const answers = async (): Promise<boolean> =>
      (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(1000) })).ok && (await also());
    await until(`the sidecars of host ${host.name} serve`, answers, RETURN_MS);
    const ms = Date.now() - (await startOf(host));
    expect(ms).toBeLessThan(LAST_GOOD_MS + BUSY_MS);
    return ms;
  }

  async function frozen(): Promise<readonly string[]> {
    const status = await stage.pilots[0]?.get<EvictionStatus>('/v1/evictions');
    return (status?.frozen ?? []).map(({ scope }) => scope);
  }
});
