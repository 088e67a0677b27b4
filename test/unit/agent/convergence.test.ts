/** Random plans, deaths and restarts: whatever happens, and in whatever order steps are done, the node gets there. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isServing } from '../../../src/agent/actual.js';
import { hasReached } from '../../../src/agent/progress.js';
import { nodePlan, plannedInstance } from '../../support/node-plans.js';
import { SimulatedNode } from '../../support/simulated-node.js';

type Happening =
  | { readonly kind: 'plan'; readonly instances: readonly string[] }
  | { readonly kind: 'step'; readonly which: number }
  | { readonly kind: 'health'; readonly which: number; readonly verdict: 'healthy' | 'unhealthy' }
  | { readonly kind: 'death'; readonly which: number; readonly role: 'app' | 'sidecar' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'stable'; readonly version: string | undefined };

const names = ['app-v1-1', 'app-v1-2', 'app-v2-1', 'app-v2-3', 'web-v1-1', 'web-v1-2'];
const which = fc.nat(99);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('plan' as const), instances: fc.subarray(names) }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('step' as const), which }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('health' as const),
      which,
      verdict: fc.constantFrom('healthy' as const, 'healthy' as const, 'unhealthy' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('death' as const),
      which,
      role: fc.constantFrom('app' as const, 'sidecar' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('stable' as const), version: fc.constantFrom('v1', 'v2', undefined) }),
  },
);

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list.length === 0 ? undefined : list[index % list.length];
}

function happen(node: SimulatedNode, event: Happening, revision: number, replace: 'start-first' | 'stop-first'): void {
  switch (event.kind) {
    case 'plan':
      return node.setPlan(
        nodePlan(
          revision,
          event.instances.map((instance) =>
            plannedInstance({ instance, replace }, 20_000 + 10 * names.indexOf(instance)),
          ),
        ),
      );
    case 'step': {
      const step = pick(node.steps(), event.which);
      if (step !== undefined) apply(node, step);
      return;
    }
    case 'health': {
      const running = [...node.instances.values()].filter(
        ({ app, sidecar }) => app.state === 'running' && sidecar.state === 'running',
      );
      const instance = pick(running, event.which);
      if (instance !== undefined) instance.health = event.verdict;
      return;
    }
    case 'death': {
      const instance = pick([...node.instances.keys()], event.which);
      if (instance !== undefined) node.die(instance, event.role);
      return;
    }
    case 'restart':
      return node.restartAgent();
    case 'stable':
      node.stable.set('default/app', event.version);
      node.stable.set('default/web', event.version);
  }
}

/** Does one step, and checks what may never happen on the way. */
function apply(node: SimulatedNode, step: ReturnType<SimulatedNode['steps']>[number]): void {
  if (step.action === 'stop-and-remove') {
    const old = node.instance(step.instance);
    expect(old.registered.size, 'nothing is stopped while callers can find it').toBe(0);
    const successors = (node.plan?.instances ?? []).filter((planned) => planned.service === old.service);
    const own = successors.filter((planned) => planned.version === old.version);
    for (const successor of own.length > 0 ? own : successors) {
      if (successor.replace === 'stop-first' || old.app.state !== 'running') continue;
      expect(isServing(node.instances.get(successor.instance)), `${successor.instance} takes over`).toBe(true);
    }
  }
  if (step.action === 'bring-up') {
    expect(node.hasFiles && node.writtenPilots !== undefined).toBe(true);
    for (const name of step.instances) {
      const planned = node.plan?.instances.find((instance) => instance.instance === name);
      expect(planned, 'only what is planned is started').toBeDefined();
    }
  }
  node.apply(step);
}

test.each(['start-first', 'stop-first'] as const)('reaches the plan from everywhere, %s', (replace) => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), (events) => {
      const node = new SimulatedNode();
      node.stable.set('default/web', 'v1');
      events.forEach((event, i) => happen(node, event, i + 1, replace));
      if (node.plan === undefined) node.setPlan(nodePlan(1000, []));
      // From here on nothing goes wrong any more: what runs becomes healthy.
      for (let round = 0; round < 200; round++) {
        for (const instance of node.instances.values()) {
          const isUp = instance.app.state === 'running' && instance.sidecar.state === 'running';
          if (isUp) instance.health = 'healthy';
        }
        const step = node.steps().find((next) => next.action !== 'leave-plain-traffic') ?? node.steps()[0];
        if (step === undefined) break;
        apply(node, step);
      }
      expect(node.steps()).toEqual([]);
      if (node.plan !== undefined) expect(hasReached(node.plan, node.actual())).toBe(true);
    }),
    { numRuns: 300, seed: 7 },
  );
});
