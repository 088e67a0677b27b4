import { describe, expect, it } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import type { Change } from '../../../src/model/revision.js';
import { serviceKind } from '../../../src/model/service.js';
import { type NextRevision, PLAN_KIND } from '../../../src/pilot/changes.js';
import { fold } from '../../../src/pilot/large-change.js';
import { type MeshState, meshStateOf, readMeshState } from '../../../src/pilot/mesh-state.js';
import { changeOf } from '../../../src/pilot/operations/definition-changes.js';
import { history, readRevision } from '../../../src/pilot/operations/history.js';
import { type CommandContext, type Decision, runCommand } from '../../../src/pilot/revisions.js';
import { emptySnapshot, updateSnapshot } from '../../../src/pilot/snapshot.js';
import { followStaging, MAX_CHANGES, noStaging, partsOf } from '../../../src/pilot/staged.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { MAX_OPERATIONS } from '../../../src/store/transact.js';
import { type ModelStore, modelStore } from '../../support/model-store.js';

/** Service to port; undefined deletes it. */
type Ports = Readonly<Record<string, number | undefined>>;

const padding = 'x'.repeat(8000);
const many = (port: number | undefined, count = 120): Ports =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, port]));

function contextOf({ store }: ModelStore): CommandContext {
  return { store, kinds: allKinds, clock: systemClock };
}

function change(model: ModelStore, ports: Ports) {
  const decide = (state: MeshState, _next: NextRevision): Decision => ({
    changes: Object.entries(ports).map(([name, port]) => {
      const document = {
        apiVersion: 'mesh/v1',
        kind: 'Service',
        metadata: { name, labels: { padding } },
        spec: { port },
      };
      const target = { kind: 'Service', namespace: 'default', name };
      return changeOf(state, model.store.keys, target, port === undefined ? undefined : document);
    }),
  });
  return runCommand(contextOf(model), { command: 'apply', by: 'test' }, decide);
}

/** The mesh as a command would read it now: revision, and the port of each service. */
async function seen({ store, entries, storeRevision }: ModelStore): Promise<string> {
  return portsIn(meshStateOf([...entries.values()], storeRevision, { keys: store.keys, kinds: allKinds }));
}

function portsIn({ snapshot }: Pick<MeshState, 'snapshot'>): string {
  const ports = snapshot.definitions
    .all(serviceKind)
    .map((one) => `${one.name}=${(one.document.spec as { port: number }).port}`);
  return `${snapshot.revision}: ${ports.toSorted().join(' ')}`;
}

/** What a pilot's snapshot shows after each batch of the store. */
function followed(model: ModelStore): readonly string[] {
  const { keys } = model.store;
  const views: string[] = [];
  let staging = noStaging;
  let state = emptySnapshot;
  model.onBatch = (batch) => {
    const next = followStaging(staging, batch, keys);
    staging = next.staging;
    state = updateSnapshot(state, next.changes, { keys, kinds: allKinds });
    views.push(portsIn(state));
  };
  return views;
}

class Killed extends Error {}

describe('a large change', () => {
  it('is one revision, and every view of it is the one before or the one after', async () => {
    const model = modelStore();
    const views = followed(model);
    const transactions: number[] = [];
    model.before = (count) => void transactions.push(count);
    await change(model, { ...many(80), own: 1 });
    expect(transactions.length).toBeGreaterThan(5);
    const whole = await seen(model);
    expect(new Set(views)).toEqual(new Set(['0: ', whole]));
    expect([...model.entries.keys()].filter((key) => key.includes('staged'))).toEqual([]);

    await change(model, { ...many(81, 119), s119: undefined });
    expect(new Set(views)).toEqual(new Set(['0: ', whole, await seen(model)]));
    expect(views.at(-1)).toBe(await seen(model));
    expect(await seen(model)).toMatch(/^2: own=1 s0=81 /);
    const past = await history(model.store, {});
    expect(past.map((revision) => [revision.revision, revision.changes.length])).toEqual([
      [2, 120],
      [1, 121],
    ]);
    expect((await readRevision(model.store, 2)).changes.find(({ name }) => name === 's119')).not.toHaveProperty(
      'after',
    );
  });

  it('small, it is one transaction and leaves no trace of parts', async () => {
    const model = modelStore();
    let transactions = 0;
    model.before = () => void transactions++;
    await change(model, { a: 80, b: 81 });
    expect(transactions).toBe(1);
    expect(JSON.parse(model.entries.get(model.store.keys.revHead)?.value ?? '')).toEqual({ revision: 1 });
  });

  it('whose writer dies before any of its transactions is there wholly or not at all, also for the next command', {
    timeout: 60_000,
  }, async () => {
    const ports = { ...many(81, 119), s119: undefined };
    const { deaths, after } = await undisturbed(many(80), ports);
    expect(deaths).toBeGreaterThan(5);
    for (let death = 0; death < deaths; death++) {
      const model = modelStore();
      const views = followed(model);
      await change(model, many(80));
      const before = await seen(model);
      await expect(dyingAt(model, death, ports)).rejects.toThrow(Killed);
      const found = await seen(model);
      const isThere = found !== before;
      if (isThere) expect(found).toBe(after);
      expect(new Set(views)).toEqual(new Set(isThere ? ['0: ', before, after] : ['0: ', before]));
      const listed = await readMeshState(
        model.store,
        { keys: model.store.keys, kinds: allKinds },
        { instances: false },
      );
      expect(portsIn(listed)).toBe(found);
      const past = await history(model.store, {});
      expect(past.map((one) => one.changes.length)).toEqual(isThere ? [120, 120] : [120]);

      await change(model, { late: 90 });
      const services = found.slice(found.indexOf(' '));
      expect(await seen(model)).toBe(`${isThere ? 3 : 2}: late=90${services}`);
      expect([...model.entries.keys()].filter((key) => key.includes('staged'))).toEqual([]);
    }
  });

  it('that another command overtakes while it is staged is decided again, and both are there', async () => {
    const model = modelStore();
    let hasOvertaken = false;
    model.before = async (count) => {
      if (count !== 1 || hasOvertaken) return;
      hasOvertaken = true;
      await change(model, { s0: 7, quick: 8 });
    };
    const { revision } = await change(model, many(80));
    expect(revision).toBe(2);
    expect(await seen(model)).toMatch(/^2: quick=8 s0=80 /);
    expect((await readRevision(model.store, 2)).changes.find(({ name }) => name === 's0')).toHaveProperty('before');
    expect([...model.entries.keys()].filter((key) => key.includes('staged'))).toEqual([]);
  });

  it('whose writer slept while it was folded by others and went on does not undo what came after', async () => {
    const model = modelStore();
    const { deaths } = await undisturbed({}, many(80));
    await expect(dyingAt(model, deaths - 2, many(80))).rejects.toThrow(Killed);
    const head = model.entries.get(model.store.keys.revHead);
    const staged = JSON.parse(head?.value ?? '').staged;
    let isAsleep = true;
    model.before = async () => {
      if (!isAsleep) return;
      isAsleep = false;
      await change(model, { s0: 90 }); // folds, then commits
    };
    await fold(model.store, head?.modRevision ?? 0n, staged);
    expect(await seen(model)).toMatch(/^2: s0=90 s100=80 /);
  });

  it('is also a deployment whose plans have more bytes than a transaction holds', async () => {
    const model = modelStore();
    const { keys } = model.store;
    const plan = (name: string): Change => ({
      kind: PLAN_KIND,
      name,
      after: { node: name, revision: 1, instances: [], padding: 'x'.repeat(400_000) },
    });
    const record = { key: keys.deploy('1'), value: '{"id":1}' };
    const decide = (): Decision => ({ changes: ['a', 'b', 'c'].map(plan), records: [record] });
    await runCommand(contextOf(model), { command: 'deploy', by: 'test' }, decide);
    const state = await readMeshState(model.store, { keys, kinds: allKinds }, { instances: false });
    expect([...state.snapshot.plans.keys()]).toEqual(['a', 'b', 'c']);
    expect(model.entries.get(keys.deploy('1'))?.value).toBe(record.value);
    expect((await readRevision(model.store, 1)).changes).toHaveLength(3);
  });

  it('has never more parts than one transaction can ask for, and no object that fills one alone', () => {
    const sized = (kib: number): Change => ({ kind: 'Service', name: 's', after: 'x'.repeat(kib * 1024) });
    const next = { revision: 1, at: 0 };
    expect(partsOf('apply', Array(83).fill(sized(390)), next).length).toBeLessThan(MAX_OPERATIONS);
    expect(() => partsOf('apply', Array(40).fill(sized(900)), next)).toThrow(/have 36 MiB, .* may change 32 MiB/);
    expect(() => partsOf('apply', [sized(1001)], next)).toThrow(
      /Service s has 1002 KiB, .* one object may have 1000 KiB/,
    );
  });

  it('is refused when it is beyond all bounds, before anything is written', async () => {
    const model = modelStore();
    await expect(change(model, many(80, MAX_CHANGES + 1))).rejects.toThrow(
      /10001 objects change, one command may change 10000/,
    );
    expect(model.entries.size).toBe(0);
  });
});

/** How many transactions the second change takes, and what is seen after it. */
async function undisturbed(first: Ports, second: Ports): Promise<{ deaths: number; after: string }> {
  const model = modelStore();
  await change(model, first);
  let deaths = 0;
  model.before = () => void deaths++;
  await change(model, second);
  return { deaths, after: await seen(model) };
}

/** As after kill -9: neither this transaction nor any later one of this writer arrives. */
async function dyingAt(model: ModelStore, death: number, ports: Ports): Promise<void> {
  let left = death;
  model.before = () => {
    if (left-- <= 0) throw new Killed();
  };
  try {
    await change(model, ports);
    throw new Killed(); // it was published, and its folding failed silently
  } finally {
    model.before = () => undefined;
  }
}
