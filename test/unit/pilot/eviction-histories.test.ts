/**
 * Random histories of registrations, lease losses, returns, orderly leaves, witnesses, operators, leader changes and time.
 * A referee that knows nothing of how the leader decides watches every step of it.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EvictionStep } from '../../../src/pilot/eviction/steps.js';
import { GuardedMesh, keys, leaseOf, policy } from '../../support/guarded-mesh.js';

const SERVICES = ['a', 'b'];
const NODES = 8;
const MAX_STEPS = 40;

type Command = (run: Run) => void;

/** The mesh, and what the referee has seen with own eyes. */
class Run {
  readonly mesh = new GuardedMesh();
  readonly missingSince = new Map<string, number>();
  leaderSince = 0;

  constructor() {
    for (let node = 1; node <= NODES; node++) this.startAgent(node);
    this.mesh.beforeStep = (step) => this.judge(step);
    this.mesh.pass(20_000);
  }

  /** Instances a-N on every node, b-N on each second one. */
  startAgent(node: number): void {
    this.mesh.startAgent(`n${node}`);
    for (const service of servicesOf(node)) this.mesh.run(service, `${service}-${node}`, `n${node}`);
    this.look();
  }

  /** Whose key is not in the registry: since when. */
  look(): void {
    const { mesh } = this;
    for (const key of mesh.entries.keys()) {
      const parsed = keys.parse(key);
      if (parsed?.kind === 'instance') this.see(parsed.instance, registryKeyOf(parsed.instance));
      if (parsed?.kind === 'seen') this.see(parsed.address, `services/s/${parsed.address}`);
    }
  }

  see(id: string, registryKey: string): void {
    if (this.mesh.entries.has(registryKey)) this.missingSince.delete(id);
    else if (!this.missingSince.has(id)) this.missingSince.set(id, this.mesh.nowMs);
  }

  judge(step: EvictionStep): void {
    if (step.action !== 'evict') return;
    const { mesh } = this;
    const { service, id, by } = step;
    const missing = this.missingSince.get(id);
    expect(missing, `${id} is not missing`).toBeDefined();
    expect(mesh.nowMs - (missing ?? 0), 'the linger').toBeGreaterThanOrEqual(policy.lingerMs);
    expect(mesh.nowMs - this.leaderSince, 'the grace').toBeGreaterThanOrEqual(policy.ttlMs);
    const isFrozen = [`default/${service}`, 'mesh'].some((scope) => {
      const freeze = mesh.facts.freezes.get(scope);
      return freeze !== undefined && freeze.value.thaw === undefined;
    });
    expect(isFrozen, 'frozen: by a witness only, and only then').toBe(by === 'witness');
    if (isFrozen) expect(mesh.shown(service).length, 'the last one').toBeGreaterThan(1);
    if (mesh.shown(service).length === 1) expect(by, 'the last one').toBe('thaw');
  }

  check(): void {
    const { mesh } = this;
    this.look();
    const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : 1);
    const fresh = [...mesh.freshState().snapshot.endpoints].toSorted(byName);
    expect([...mesh.state.snapshot.endpoints].toSorted(byName), 'the view of a pilot that starts now').toEqual(fresh);
    for (const node of Array.from({ length: NODES }, (_, i) => i + 1)) {
      if (!mesh.entries.has(keys.node(`n${node}`))) continue;
      for (const service of servicesOf(node)) {
        if (mesh.entries.has(keys.instance(`n${node}`, `${service}-${node}`))) {
          expect(mesh.shown(service), 'whoever lives is there').toContain(`${service}-${node} HEALTHY`);
        }
      }
    }
  }
}

function registryKeyOf(id: string): string {
  const [service = '', n] = id.split('-');
  return `versions/${service}/v1/10.0.0.1:${20_000 + Number(n)}`;
}

function servicesOf(node: number): string[] {
  return node % 2 === 0 ? SERVICES : ['a'];
}

const node = fc.integer({ min: 1, max: NODES });
const some = fc.uniqueArray(node, { minLength: 1, maxLength: NODES });
const selfAddress = (n: number): string => `10.0.0.9:${n}`;

const commands: fc.Arbitrary<Command> = fc.oneof(
  some.map((nodes) => ({ mesh }: Run) => {
    for (const n of nodes) mesh.endLease(leaseOf(`n${n}`));
  }),
  some.map((nodes) => (run: Run) => {
    for (const n of nodes) run.startAgent(n);
  }),
  node.map((n) => ({ mesh }: Run) => {
    // In order: the keys first, then the record.
    mesh.delete(registryKeyOf(`a-${n}`));
    mesh.delete(keys.instance(`n${n}`, `a-${n}`));
  }),
  node.map(
    (n) =>
      ({ mesh }: Run) =>
        mesh.registerSelf('s', selfAddress(n), `self-${n}`),
  ),
  some.map((nodes) => ({ mesh }: Run) => {
    for (const n of nodes) mesh.endLease(`self-${n}`);
  }),
  node.map(
    (n) =>
      ({ mesh }: Run) =>
        mesh.delete(`services/s/${selfAddress(n)}`),
  ),
  fc.record({ n: node, of: some, alive: fc.boolean() }).map(({ n, of, alive }) => ({ mesh }: Run) => {
    const ids = of.flatMap((one) => [
      ...servicesOf(one).map((s) => `default/${s}/${s}-${one}`),
      `default/s/${selfAddress(one)}`,
    ]);
    mesh.witness(`n${n}`, Object.fromEntries(ids.map((id) => [id, { alive, at: 0, why: '' }])));
  }),
  fc.constantFrom('default/a', 'default/b', 'default/s', 'mesh').map((scope) => ({ mesh }: Run) => {
    if (mesh.facts.freezes.has(scope)) mesh.thaw(scope);
  }),
  fc.integer({ min: -3_600_000, max: 3_600_000 }).map((skewMs) => (run: Run) => {
    run.mesh.changeLeader(skewMs);
    run.leaderSince = run.mesh.nowMs;
  }),
  fc.constantFrom(100, 5000, 21_000, 61_000, 600_000).map(
    (ms) =>
      ({ mesh }: Run) =>
        void mesh.pass(ms),
  ),
  fc.constantFrom(100, 5000, 21_000, 61_000, 600_000).map(
    (ms) =>
      ({ mesh }: Run) =>
        void mesh.pass(ms),
  ),
);

test('nobody alive is removed, nobody before the linger, nobody of what is frozen but by a witness; all pilots agree', () => {
  fc.assert(
    fc.property(fc.array(commands, { maxLength: MAX_STEPS }), (history) => {
      const run = new Run();
      for (const command of history) {
        command(run);
        run.check();
        run.mesh.settle();
        run.check();
      }
    }),
    { numRuns: 80 },
  );
}, 60_000);
