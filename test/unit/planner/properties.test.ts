/** Laws of the planner that hold for any world. Seeded: a failure shows the world, and comes again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodePlan } from '../../../src/model/node-plan.js';
import { allPorts } from '../../../src/planner/ports.js';
import { documentsOf, type SmallNode, type SmallWorld } from '../../support/small-world.js';
import { planWorld, storedWorld } from '../../support/worlds.js';

const runs = { seed: 20_261_121, numRuns: 30 };
const serviceNames = ['api', 'db', 'web'];

const nodes = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 5 })
  .chain((names) => fc.tuple(...names.map(smallNode)));

/** Several may be one machine: by loopback with one range for all, or by one address with ranges of their own. */
function smallNode(name: string): fc.Arbitrary<SmallNode> {
  const index = name.charCodeAt(0) - 96;
  const own = [`2${index}000-2${index}999`, `2${index}000-2${index}019`];
  const places = fc.oneof(
    fc.record({ address: fc.constantFrom(`10.0.0.${index}`, '10.0.0.99'), ports: fc.constantFrom(...own) }),
    fc.record({ address: fc.constant(`127.0.0.${index}`), ports: fc.constantFrom('20000-20999', '20000-20039') }),
  );
  const groups = fc.record({
    cluster: fc.constantFrom('main', 'main', 'main', 'other'),
    labels: fc.constantFrom({}, { disk: 'ssd' }, { disk: 'ssd', room: '1' }),
  });
  return fc.tuple(places, groups).map(([place, group]) => ({ name, ...place, ...group }));
}

const services = fc.tuple(
  ...serviceNames.map((name, i) =>
    fc.record({
      name: fc.constant(name),
      spec: fc.record({
        stable: fc.constant('v1'),
        replace: fc.constantFrom('start-first', 'stop-first'),
        upstreams: fc.constantFrom(
          [],
          [{ service: 'db', proxyPort: 'auto' }],
          [{ service: 'db', proxyPort: 30_000 + i }],
        ),
      }),
      versions: fc.record({ v1: container(), v2: container() }),
    }),
  ),
);

function container(): fc.Arbitrary<object> {
  return fc.constantFrom({}, { environment: { A: '1' } }, { environment: { A: '2' } });
}

const deploy = fc.uniqueArray(
  fc.record({
    service: fc.constantFrom(...serviceNames),
    version: fc.constantFrom('v1', 'v2'),
    count: fc.oneof(fc.record({ instances: fc.nat(5) }), fc.record({ perNode: fc.integer({ min: 1, max: 2 }) })),
    nodeSelector: fc.constantFrom({}, { disk: 'ssd' }, { room: '1' }),
  }),
  { maxLength: 6, selector: (entry) => JSON.stringify([entry.service, entry.version, entry.nodeSelector]) },
);

const worlds: fc.Arbitrary<SmallWorld> = fc.record({
  nodes,
  services,
  deploy: deploy.map((entries) => entries.map(({ count, ...entry }) => ({ ...entry, ...count }))),
});

const read = (world: SmallWorld) => storedWorld(documentsOf(world));

interface Holder {
  readonly machine: string;
  readonly port: number;
  readonly instance: string;
  readonly replace: string;
}

const holders = (plans: readonly NodePlan[]): Holder[] =>
  plans.flatMap((plan) =>
    plan.instances.flatMap(({ instance, replace, ports }) =>
      allPorts(ports).map((port) => ({
        machine: plan.address.startsWith('127.') ? 'loopback' : plan.address,
        port,
        instance,
        replace,
      })),
    ),
  );

describe('for any world', () => {
  it('no port is given twice on a machine, not even while an instance and its successor run together', () => {
    fc.assert(
      fc.property(worlds, worlds, (before, after) => {
        const first = planWorld(read(before));
        const second = planWorld(read({ ...after, nodes: before.nodes }), first.plans);
        const owners = new Map<string, Holder>();
        for (const holder of [...holders(first.plans), ...holders(second.plans)]) {
          const key = `${holder.machine}:${holder.port}`;
          const owner = owners.get(key);
          const isHeir = holder.port >= 30_000 && holder.replace === 'stop-first';
          if (owner !== undefined && owner.instance !== holder.instance) expect([key, isHeir]).toEqual([key, true]);
          owners.set(key, holder);
        }
      }),
      runs,
    );
  });

  it('planning twice changes nothing', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const first = planWorld(read(world));
        const second = planWorld(read(world), first.plans);
        expect(second.steps).toEqual([]);
        expect(second.plans).toEqual(JSON.parse(JSON.stringify(first.plans)));
      }),
      runs,
    );
  });

  it('a node more moves nothing', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const first = planWorld(read(world));
        const more = { ...world, nodes: [...world.nodes, { name: 'z', labels: { disk: 'ssd', room: '1' } }] };
        const { steps } = planWorld(read(more), first.plans);
        expect(steps.filter((step) => step.action !== 'add' || step.node !== 'z')).toEqual([]);
      }),
      runs,
    );
  });

  it('the order of the definitions does not matter', () => {
    fc.assert(
      fc.property(worlds, fc.func(fc.nat()), (world, rank) => {
        const documents = documentsOf(world);
        const shuffled = documents.toSorted((a, b) => rank(a.metadata.name) - rank(b.metadata.name));
        expect(planWorld(storedWorld(shuffled)).plans).toEqual(planWorld(storedWorld(documents)).plans);
      }),
      runs,
    );
  });

  it('no name of an instance comes back', () => {
    fc.assert(
      fc.property(fc.array(worlds, { minLength: 2, maxLength: 5 }), (history) => {
        const seen = new Map<string, string>();
        let last: readonly NodePlan[] = [];
        for (const [i, world] of history.entries()) {
          last = planWorld(read(world), last, { revision: i + 1 }).plans;
          for (const plan of last) {
            for (const { instance, digest } of plan.instances) {
              const identity = `${plan.node} ${digest}`;
              expect(seen.get(instance) ?? identity).toBe(identity);
              seen.set(instance, identity);
            }
          }
        }
      }),
      runs,
    );
  });
});
