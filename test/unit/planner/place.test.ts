import { describe, expect, it } from 'vitest';
import type { NodePlan } from '../../../src/model/node-plan.js';
import { type SmallNode, type SmallService, smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const nodes = (...names: string[]): SmallNode[] => names.map((name) => ({ name }));
const service = (name: string, ...versions: string[]): SmallService => ({
  name,
  versions: Object.fromEntries((versions.length === 0 ? ['v1'] : versions).map((version) => [version, {}])),
});
const world = (nodeList: SmallNode[], services: SmallService[], deploy: object[]) =>
  worldOf(smallWorld({ nodes: nodeList, services, deploy }));

/** `a: api v1, api v1; b: web v1` */
const where = (plans: readonly NodePlan[]): Record<string, string[]> =>
  Object.fromEntries(plans.map((plan) => [plan.node, plan.instances.map((i) => `${i.service} ${i.version}`)]));

describe('placement', () => {
  it('spreads the instances of a service, whatever their version', () => {
    const { plans } = planWorld(
      world(
        nodes('a', 'b'),
        [service('api', 'v1', 'v2')],
        [
          { service: 'api', version: 'v1', instances: 1 },
          { service: 'api', version: 'v2', instances: 1 },
        ],
      ),
    );
    expect(where(plans)).toEqual({ a: ['api v1'], b: ['api v2'] });
  });

  it('prefers the node with fewer instances in all, then the first by name', () => {
    const { plans } = planWorld(
      world(
        nodes('a', 'b', 'c'),
        [service('api'), service('web')],
        [
          { service: 'api', version: 'v1', instances: 2 },
          { service: 'web', version: 'v1', instances: 2 },
        ],
      ),
    );
    expect(where(plans)).toEqual({ a: ['api v1', 'web v1'], b: ['api v1'], c: ['web v1'] });
  });

  it('runs perNode instances on every node that matches', () => {
    const labelled = [{ name: 'a', labels: { disk: 'ssd' } }, { name: 'b' }, { name: 'c', labels: { disk: 'ssd' } }];
    const { plans } = planWorld(
      world(labelled, [service('api')], [{ service: 'api', version: 'v1', perNode: 2, nodeSelector: { disk: 'ssd' } }]),
    );
    expect(where(plans)).toEqual({ a: ['api v1', 'api v1'], c: ['api v1', 'api v1'] });
  });

  it('leaves everything where it is when a node comes', () => {
    const deploy = [{ service: 'api', version: 'v1', instances: 4 }];
    const first = planWorld(world(nodes('b', 'c'), [service('api')], deploy));
    const second = planWorld(world(nodes('a', 'b', 'c'), [service('api')], deploy), first.plans);
    expect(second.steps).toEqual([]);
    expect(second.plans).toEqual(first.plans);
  });

  it('takes from the fullest node when fewer are asked for', () => {
    const deploy = (instances: number) => [{ service: 'api', version: 'v1', instances }];
    const first = planWorld(world(nodes('a', 'b'), [service('api')], deploy(5)));
    expect(where(first.plans)).toEqual({ a: ['api v1', 'api v1', 'api v1'], b: ['api v1', 'api v1'] });
    const second = planWorld(world(nodes('a', 'b'), [service('api')], deploy(2)), first.plans);
    expect(where(second.plans)).toEqual({ a: ['api v1'], b: ['api v1'] });
    expect(second.steps.map((step) => step.action)).toEqual(['remove', 'remove', 'remove']);
  });

  it('moves what stands on a node that no longer matches', () => {
    const labelled = (a: string, b: string) => [
      { name: 'a', labels: { disk: a } },
      { name: 'b', labels: { disk: b } },
    ];
    const deploy = [{ service: 'api', version: 'v1', instances: 1, nodeSelector: { disk: 'ssd' } }];
    const first = planWorld(world(labelled('ssd', 'hdd'), [service('api')], deploy));
    const second = planWorld(world(labelled('hdd', 'ssd'), [service('api')], deploy), first.plans);
    expect(second.steps.map(({ action, node }) => `${action} ${node}`)).toEqual(['remove a', 'add b']);
  });

  it('counts an instance where it is needed, when entries with different selectors could claim it', () => {
    const labelled = [
      { name: 'a', labels: { x: '1', y: '1' } },
      { name: 'b', labels: { x: '1' } },
      { name: 'c', labels: { y: '1' } },
    ];
    const first = planWorld(
      world(labelled, [service('api')], [{ service: 'api', version: 'v1', perNode: 1, nodeSelector: { x: '1' } }]),
    );
    expect(where(first.plans)).toEqual({ a: ['api v1'], b: ['api v1'] });
    // The entry for x could claim the instance on a, and then nobody would stand for y.
    const entries = ['x', 'y'].map((label) => {
      return { service: 'api', version: 'v1', instances: 1, nodeSelector: { [label]: '1' } };
    });
    expect(planWorld(world(labelled, [service('api')], entries), first.plans).steps).toEqual([]);
  });

  it('says of each node why nothing can be placed', () => {
    const labelled = [
      { name: 'a', labels: { disk: 'hdd' } },
      { name: 'b', cluster: 'other' },
      { name: 'c', ports: '20000-20010', labels: { disk: 'ssd' } },
    ];
    const small = world(
      labelled,
      [service('api')],
      [{ service: 'api', version: 'v1', instances: 4, nodeSelector: { disk: 'ssd' } }],
    );
    const { problems, plans } = planWorld(small);
    expect(where(plans)['c']).toEqual(['api v1', 'api v1']);
    expect(problems).toMatchObject([
      {
        code: 'MESH1018',
        severity: 'warning',
        message:
          '2 of 4 instances of api v1 cannot be placed: without label disk=ssd (a); not in cluster main (b); 3 ports free in 20000-20010, 4 needed (c)',
      },
    ]);
  });

  it('names a few of many nodes with the same reason', () => {
    const many = nodes('a', 'b', 'c', 'd', 'e', 'f', 'g');
    const entry = { service: 'api', version: 'v1', instances: 1, nodeSelector: { gpu: 'yes' } };
    const { problems } = planWorld(world(many, [service('api')], [entry]));
    expect(problems[0]?.message).toContain('without label gpu=yes (a, b, c, d, e and 2 more)');
  });
});
