/**
 * Goal: a subset and the route to it may come, go and change their name in one write, and no request is lost: also while the
 * proxy is frozen, and while the pilot that serves it dies. Istio loses some in most flips (fixtures/conformance/istio/live).
 */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { isEnvoyMissing } from '../support/envoy.js';
import { hasEtcd } from '../support/etcd.js';
import { type Dialect, dialects, type Extra, type FlipStage, openFlipStage } from '../support/flip-stage.js';
import type { Load } from '../support/load.js';
import { type Outcome, type Parameters, type Scene, scenario } from '../support/scenario.js';

/** Per second. */
const RATE = 1000;
/** That each flip meets. */
const REQUESTS = 250;
const FROZEN_MS = 3000;

/** What is there before and after. */
const motions: Readonly<Record<string, readonly [Extra, Extra]>> = {
  added: [undefined, 'v2'],
  removed: ['v2', undefined],
  renamed: ['v2', 'v3'],
};

/** `motions`: so many of them, the last ones. */
type Counted = Parameters & { readonly flips: number; readonly motions: number };

describe.skipIf(isEnvoyMissing() || !hasEtcd())('flips', () => {
  let stage: FlipStage;
  beforeAll(async () => {
    stage = await openFlipStage();
  });
  afterAll(() => stage?.close());

  /** So many of each motion. `disturb` is called in the middle of each, and undoes what it did before it resolves. */
  async function flips(
    { parameters, ...scene }: Scene<Counted>,
    dialect: Dialect,
    disturb: (flip: (i: number) => Promise<void>) => Promise<void> = async () => undefined,
  ): Promise<{ readonly sent: number; readonly failed: number }> {
    await stage.write(dialect, undefined);
    await stage.settled();
    const load = await stage.load(dialect, RATE);
    scene.defer(async () => void (await load.stop()));
    for (const [before, after] of Object.values(motions).slice(-parameters.motions)) {
      const flip = (i: number): Promise<unknown> => stage.write(dialect, i % 2 === 0 ? after : before);
      await stage.write(dialect, before);
      await meets(load);
      for (let i = 0; i < parameters.flips; i++) {
        // Each flip of a motion there and back, since there must be something to add, to remove, to rename.
        await flip(2 * i);
        await meets(load);
        if (i === Math.floor(parameters.flips / 2)) await disturb(async (n) => void (await flip(n)));
        await flip(2 * i + 1);
        await meets(load);
      }
    }
    await stage.write(dialect, 'v3');
    await stage.settled();
    await meets(load);
    const { failures, sent, failed, byInstance } = await load.stop();
    expect(failures).toEqual([]);
    expect(Object.keys(byInstance).sort()).toEqual(expect.arrayContaining(['reviews-v2-1', 'reviews-v3-1']));
    expect(await stage.extras(dialect)).toHaveLength(1);
    return { sent, failed };
  }

  async function meets(load: Load): Promise<void> {
    const { answers, failed } = load.report();
    await load.reach(answers + failed + REQUESTS);
  }

  async function measured(
    { parameters: { flips: count } }: Scene<Counted>,
    plays: readonly (() => Promise<{ readonly sent: number; readonly failed: number }>)[],
  ): Promise<Outcome> {
    const startedMs = performance.now();
    let [sent, failed] = [0, 0];
    for (const play of plays) {
      const result = await play();
      sent += result.sent;
      failed += result.failed;
    }
    const lastedMs = performance.now() - startedMs;
    return { lastedMs, sent, failed, recoveredMs: 0, facts: { 'flips of each kind, there and back': count } };
  }

  scenario(
    'flip',
    'a subset and its route added, removed and renamed together, under load, in Istio’s kinds and in our own',
    { suite: { flips: 1, motions: 3 }, lab: { flips: 20, motions: 3 } },
    (scene) =>
      measured(
        scene,
        dialects.map((dialect) => () => flips(scene, dialect)),
      ),
  );

  scenario(
    'xds-ordering',
    'the same while the proxy is frozen for 3 s, and while the pilot that serves it is killed',
    { suite: { flips: 1, motions: 1 }, lab: { flips: 50, motions: 3 } },
    (scene) =>
      measured(
        scene,
        [frozen, killed].map((disturb) => () => flips(scene, 'istio', disturb)),
      ),
  );

  /** Its pilot goes on writing to it meanwhile. */
  async function frozen(flip: (i: number) => Promise<void>): Promise<void> {
    stage.caller.signal('SIGSTOP');
    try {
      const untilMs = performance.now() + FROZEN_MS;
      for (let i = 1; performance.now() < untilMs; i++) {
        await flip(i);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    } finally {
      stage.caller.signal('SIGCONT');
    }
  }

  /** In the middle of a flip: its answer may be lost, its push may be half done. */
  async function killed(flip: (i: number) => Promise<void>): Promise<void> {
    const victim = (await stage.serving()) ?? stage.pilots[0];
    const writing = flip(1);
    await victim.kill();
    await writing;
    await flip(2);
    await victim.start();
    await stage.settled();
  }
});
