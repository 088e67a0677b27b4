/** A real process that applies 1,000 objects, killed (SIGKILL) before each of its transactions: all of it, or nothing. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { allKinds } from '../../src/dsl/kinds.js';
import { serviceKind } from '../../src/model/service.js';
import { readMeshState } from '../../src/pilot/mesh-state.js';
import { apply } from '../../src/pilot/operations/apply.js';
import { history } from '../../src/pilot/operations/history.js';
import { systemClock } from '../../src/runtime/clock.js';
import type { Store } from '../../src/store/store.js';
import { hasEtcd } from '../support/etcd.js';
import { servicesText } from '../support/large-world.js';
import { root } from '../support/mesh-process.js';
import { type Outcome, type Scene, scenario } from '../support/scenario.js';
import { openAt, type StoreServer, startEmbeddedServer, startEtcdServer } from '../support/stores.js';

type Deaths = Scene<{ readonly objects: number; readonly every: number }>;

describe.skipIf(!hasEtcd())('a large apply', () => {
  scenario(
    'large-apply-killed-etcd',
    'the process that applies 1,000 objects to etcd is killed between its transactions',
    { suite: { objects: 1000, every: 5 }, lab: { objects: 1000, every: 1 } },
    (scene) => killedEverywhere(scene, startEtcdServer),
  );
  scenario(
    'large-apply-killed-embedded',
    'the process that applies 1,000 objects to the embedded store is killed between its transactions',
    { suite: { objects: 1000, every: 5 }, lab: { objects: 1000, every: 1 } },
    (scene) => killedEverywhere(scene, startEmbeddedServer),
  );
});

async function killedEverywhere(scene: Deaths, start: () => Promise<StoreServer>): Promise<Outcome> {
  const { objects, every } = scene.parameters;
  const server = await start();
  scene.defer(() => server.stop());
  const startedMs = performance.now();
  let deaths = 0;
  let published = 0;
  let slowestMs = 0;
  // Until one gets through: from then on there is no transaction left to die before.
  for (let killAt = 0; ; killAt += every) {
    const store = await openAt(server.address, `killed-${killAt}/`);
    scene.defer(() => store.close());
    await applyServices(store, objects, 80);
    const isKilled = await applyInProcess([server.address, store.prefix, `${killAt}`, `${objects}`, '81']);
    const found = await portsOf(store);
    expect([`1: ${objects} x 80`, `2: ${objects} x 81`]).toContain(found);
    expect((await history(store, {})).map((one) => one.changes.length)).toHaveLength(found.startsWith('2') ? 2 : 1);
    const goneOnMs = performance.now();
    await applyServices(store, 1, 90);
    slowestMs = Math.max(slowestMs, performance.now() - goneOnMs);
    const next = found.startsWith('2') ? `3: ${objects - 1} x 81, 1 x 90` : `2: ${objects - 1} x 80, 1 x 90`;
    expect(await portsOf(store)).toBe(next);
    expect((await store.list(store.keys.allStaged)).entries).toEqual([]);
    expect((await store.list(store.keys.below('def'))).entries).toHaveLength(objects);
    if (!isKilled) break;
    deaths++;
    if (found.startsWith('2')) published++;
  }
  expect(deaths).toBeGreaterThan(2);
  return {
    lastedMs: performance.now() - startedMs,
    sent: deaths + 1,
    failed: 0,
    recoveredMs: slowestMs,
    facts: { killed: deaths, 'published before': published, 'neither all nor nothing': 0 },
  };
}

/** True when it was killed, false when it got through. */
function applyInProcess(args: readonly string[]): Promise<boolean> {
  const script = path.join(root, 'test/support/large-apply-process.ts');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    child.stderr.on('data', (part) => (words += String(part)));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL' || code === 0) resolve(signal === 'SIGKILL');
      else reject(new Error(`large-apply ended with ${code}: ${words}`));
    });
  });
}

async function applyServices(store: Store, count: number, port: number): Promise<void> {
  const files = [{ name: 'services.yaml', text: servicesText(count, port) }];
  await apply({ store, kinds: allKinds, clock: systemClock }, { by: 'test', files });
}

/** `2: 999 x 81, 1 x 90`: the revision, and how many services have which port. */
async function portsOf(store: Store): Promise<string> {
  const { snapshot } = await readMeshState(store, { keys: store.keys, kinds: allKinds }, { instances: false });
  const counts = new Map<number, number>();
  for (const { document } of snapshot.definitions.all(serviceKind)) {
    const { port } = document.spec as { port: number };
    counts.set(port, (counts.get(port) ?? 0) + 1);
  }
  const found = [...counts].toSorted(([a], [b]) => a - b).map(([port, count]) => `${count} x ${port}`);
  return `${snapshot.revision}: ${found.join(', ')}`;
}
