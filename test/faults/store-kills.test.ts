/**
 * Goal: whatever a client was told stays true although the store is killed again and again, at any moment, while many write.
 * Method: writers, readers and a watcher through our store layer, and the history checker over all of it at the end.
 */
import { describe, expect } from 'vitest';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openStore } from '../../src/store/open-store.js';
import type { MirrorBatch, Store } from '../../src/store/store.js';
import { startEmbeddedVictim, type Victim } from '../support/embedded-victim.js';
import { hasEtcd, startEtcd } from '../support/etcd.js';
import { checkHistory } from '../support/history.js';
import { readHistory } from '../support/read-history.js';
import { type Outcome, type Scene, scenario } from '../support/scenario.js';
import { until } from '../support/until.js';
import { startWriter } from '../support/writer.js';

/** One writer each. The impatient ones are left without an answer more often. */
const TIMEOUTS_MS = [300, 600, 1200, 3000, 3000];
const PREFIX = 'kills/';
/** It lives so long before it is killed again; drawn anew each time, so that it is hit in all that it does. */
const LIVES_MS = { least: 50, most: 500 };

async function killOften(scene: Scene<{ readonly kills: number }>, victim: Victim): Promise<Outcome> {
  const url = `etcd://${victim.address}`;
  const open = (timeoutMs: number): Promise<Store> =>
    openStore(url, { clock: systemClock, log: silentLogger, timeoutMs, prefix: PREFIX });
  // The impatient may need more than one try.
  const stores = await Promise.all(
    TIMEOUTS_MS.map((timeoutMs) => until('a client is there', () => open(timeoutMs), 30_000)),
  );
  for (const store of stores) scene.defer(() => store.close());
  const patient = stores.at(-1) as Store; // one writer at least
  const batches: MirrorBatch[] = [];
  const { keys } = patient;
  const mirror = patient.mirror({
    list: [keys.below('plan')],
    watch: [keys.all],
    onChange: (one) => batches.push(one),
  });
  const writers = stores.map((store, i) => startWriter(store, `w${i}`, 1));

  const startedMs = performance.now();
  let slowestMs = 0;
  for (let kill = 0; kill < scene.parameters.kills; kill++) {
    const ackedBefore = writers.reduce((sum, writer) => sum + writer.acked(), 0);
    await until(
      'a write is acknowledged',
      () => writers.reduce((sum, one) => sum + one.acked(), 0) > ackedBefore,
      30_000,
    );
    await new Promise((resolve) =>
      setTimeout(resolve, LIVES_MS.least + Math.random() * (LIVES_MS.most - LIVES_MS.least)),
    );
    await victim.kill();
    const killedMs = performance.now();
    await victim.restart();
    slowestMs = Math.max(slowestMs, performance.now() - killedMs);
  }
  const lastedMs = performance.now() - startedMs;
  const healedMs = performance.now();
  const head = await patient.head();
  await until('the copy is at the head', () => mirror.synced && mirror.storeRevision >= head, 30_000);
  const recoveredMs = performance.now() - healedMs;
  await Promise.all(writers.map((writer) => writer.stop()));
  const last = await patient.head();
  await until('the copy has the end', () => mirror.storeRevision >= last, 30_000);

  const writes = writers.flatMap((writer) => writer.records);
  const reads = writers.flatMap((writer) => writer.reads);
  const events = await readHistory(victim.address, `${PREFIX}plan/`, 1n);
  expect(checkHistory({ events, writes, reads, watches: [batches] })).toEqual([]);
  const count = (kind: string): number => writes.filter(({ outcome }) => outcome.kind === kind).length;
  expect(count('acked')).toBeGreaterThan(scene.parameters.kills);
  return {
    lastedMs,
    recoveredMs,
    sent: writers.reduce((sum, writer) => sum + writer.sent(), 0),
    failed: writers.reduce((sum, writer) => sum + writer.failed(), 0),
    facts: {
      kills: scene.parameters.kills,
      'writes acknowledged': count('acked'),
      'of these lost': 0,
      'without an answer': count('ambiguous'),
      'to start again at most': `${Math.round(slowestMs)} ms`,
    },
  };
}

describe.skipIf(!hasEtcd())('etcd', () => {
  const forms = { suite: { kills: 12 }, lab: { kills: 200 } };
  scenario('etcd-killed-often', 'etcd is killed again and again while five clients write', forms, async (scene) => {
    const victim = await startEtcd();
    scene.defer(() => victim.stop());
    return killOften(scene, victim);
  });
});

describe('the embedded server', () => {
  const forms = { suite: { kills: 10 }, lab: { kills: 200 } };
  scenario(
    'embedded-killed-often',
    'the process of the embedded server is killed again and again',
    forms,
    async (scene) => {
      const victim = await startEmbeddedVictim();
      scene.defer(() => victim.stop());
      return killOften(scene, victim);
    },
  );
});
