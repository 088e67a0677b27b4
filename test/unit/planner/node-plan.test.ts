import { describe, expect, it } from 'vitest';
import type { NodePlan, PlannedInstance } from '../../../src/model/node-plan.js';
import type { Release, ReleasePhase } from '../../../src/model/release.js';
import { type SmallWorld, smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const oneNode: SmallWorld = {
  nodes: [{ name: 'a' }],
  services: [{ name: 'api', spec: { stable: 'v1' }, versions: { v1: { environment: { LOG_LEVEL: 'info' } }, v2: {} } }],
  deploy: [{ service: 'api', version: 'v1', instances: 1 }],
};
const plan = (world: SmallWorld, last: readonly NodePlan[] = [], options = {}) =>
  planWorld(worldOf(smallWorld(world)), last, options);
const instances = (plans: readonly NodePlan[]): PlannedInstance[] => plans.flatMap((p) => p.instances);
const withContainer = (container: object): SmallWorld => ({
  ...oneNode,
  services: [{ name: 'api', spec: { stable: 'v1' }, versions: { v1: container } }],
});
const first = plan(oneNode);

describe('a plan', () => {
  it('adds what is not there', () => {
    expect(first.steps).toEqual([
      {
        action: 'add',
        node: 'a',
        namespace: 'default',
        service: 'api',
        version: 'v1',
        instance: 'api-v1-1',
        reasons: [],
      },
    ]);
    expect(first.plans[0]).toMatchObject({ node: 'a', address: '10.0.0.1', cluster: 'main', revision: 1 });
    expect(instances(first.plans)[0]).toMatchObject({
      labels: { app: 'api', version: 'v1' },
      health: { tcp: true },
      ports: { app: { http: 20000 }, inbound: { http: 20001 }, proxy: 20002, metrics: 20003, upstreams: {} },
    });
  });

  it('replaces an instance whose version has changed by a new one beside it, and says why', () => {
    const { plans, steps } = plan(withContainer({ image: 'api:2', environment: { LOG_LEVEL: 'debug' } }), first.plans);
    expect(steps).toMatchObject([
      {
        action: 'change',
        instance: 'api-v1-2',
        replaces: 'api-v1-1',
        reasons: ['image api:v1 -> api:2', 'environment LOG_LEVEL info -> debug'],
      },
    ]);
    expect(instances(plans)).toMatchObject([{ instance: 'api-v1-2', revision: 2, ports: { app: { http: 20004 } } }]);
  });

  it('does not show a secret among its reasons', () => {
    const before = plan(withContainer({ environment: { DB_PASSWORD: 'old' } }));
    const after = plan(withContainer({ environment: { DB_PASSWORD: 'new' } }), before.plans);
    expect(after.steps[0]?.reasons).toEqual(['environment DB_PASSWORD changed']);
  });

  it.each([
    [
      'the sidecar image',
      { ...oneNode, mesh: { sidecar: { image: 'envoy:2' } } },
      'sidecar image lightmesh/envoy:1.40.0 -> envoy:2',
    ],
    [
      'the address of its node',
      { ...oneNode, nodes: [{ name: 'a', address: '10.0.0.9' }] },
      'node address 10.0.0.1 -> 10.0.0.9',
    ],
  ])('follows a change of %s', (_what, world, reason) => {
    expect(plan(world, first.plans).steps).toMatchObject([{ action: 'change', reasons: [reason] }]);
  });

  it('follows a change of a port of an upstream', () => {
    const called = (port: number): SmallWorld => ({
      nodes: [{ name: 'a' }],
      services: [
        { name: 'api', spec: { upstreams: [{ service: 'db' }] } },
        { name: 'db', spec: { port, protocol: 'tcp' } },
      ],
      deploy: [{ service: 'api', version: 'v1', instances: 1 }],
    });
    const { steps } = plan(called(5433), plan(called(5432)).plans);
    expect(steps[0]?.reasons).toEqual([
      'upstream db db.default:5432/tcp through a port of its own -> db.default:5433/tcp through a port of its own',
    ]);
  });

  it('does not replace anything because the way to replace has changed', () => {
    const world = {
      ...oneNode,
      services: [{ ...oneNode.services[0], name: 'api', spec: { stable: 'v1', replace: 'stop-first' } }],
    };
    expect(plan(world, first.plans).steps).toEqual([]);
  });

  it('removes what nothing asks for any more', () => {
    const { plans, steps } = plan({ ...oneNode, deploy: [] }, first.plans);
    expect(steps).toMatchObject([{ action: 'remove', instance: 'api-v1-1', reasons: ['nothing asks for it here'] }]);
    expect(plans).toMatchObject([{ node: 'a', revision: 2, instances: [] }]);
  });

  it('gives a node that is gone an empty plan', () => {
    const { plans, steps } = plan({ ...oneNode, nodes: [{ name: 'b' }] }, first.plans);
    expect(steps.map(({ action, node }) => `${action} ${node}`)).toEqual(['remove a', 'add b']);
    expect(plans).toMatchObject([{ node: 'a', address: '10.0.0.1', instances: [] }, { node: 'b' }]);
  });

  it('turns another version of the service on the same node into its successor', () => {
    const { steps } = plan({ ...oneNode, deploy: [{ service: 'api', version: 'v2', instances: 1 }] }, first.plans);
    expect(steps).toMatchObject([{ action: 'change', version: 'v2', replaces: 'api-v1-1' }]);
    expect(steps[0]?.reasons[0]).toBe('version v1 -> v2');
  });

  it('keeps what runs of a version that is not defined any more, and starts nothing of it', () => {
    const dangling = {
      ...oneNode,
      services: [{ name: 'api', versions: {} }],
      deploy: [{ service: 'api', version: 'v1', instances: 3 }],
    };
    const { steps, plans, problems } = plan(dangling, first.plans);
    expect(steps).toEqual([]);
    expect(instances(plans)).toHaveLength(1);
    expect(problems).toMatchObject([{ code: 'MESH1018', severity: 'warning' }]);
  });
});

describe('names of instances', () => {
  it('are unique in the whole mesh, from the second on with a number', () => {
    const { plans } = plan({
      nodes: [{ name: 'a' }, { name: 'b' }],
      services: [{ name: 'api' }, { name: 'api', namespace: 'shop' }],
      deploy: [
        { service: 'api', version: 'v1', instances: 3 },
        { service: 'api', namespace: 'shop', version: 'v1', instances: 1 },
      ],
    });
    expect(instances(plans).map((i) => `${i.namespace} ${i.instance}`)).toEqual([
      'default api-v1-1',
      'default api-v1-1-2',
      'default api-v1-1-3',
      'shop api-v1-1-4',
    ]);
  });

  it('are not given to another while somebody with that name still runs', () => {
    const { instance, ports } = instances(first.plans)[0] as PlannedInstance;
    const { plans } = plan(oneNode, [], { revision: 1, records: [{ instance, address: '10.0.0.1', ports }] });
    expect(instances(plans)[0]).toMatchObject({ instance: 'api-v1-1-2', ports: { app: { http: 20004 } } });
  });
});

describe('a part of the mesh', () => {
  const two: SmallWorld = {
    nodes: [{ name: 'a' }, { name: 'b' }],
    services: [{ name: 'api' }, { name: 'web' }],
    deploy: [
      { service: 'api', version: 'v1', perNode: 1 },
      { service: 'web', version: 'v1', perNode: 1 },
    ],
  };
  const changed = {
    ...two,
    services: [
      { name: 'api', versions: { v1: { image: 'api:2' } } },
      { name: 'web', versions: { v1: { image: 'web:2' } } },
    ],
  };
  const before = plan(two);

  it('changes only the nodes that are named', () => {
    const { steps, plans } = plan(changed, before.plans, { nodes: ['b'] });
    expect(steps.map(({ action, node, service }) => `${action} ${node} ${service}`)).toEqual([
      'change b api',
      'change b web',
    ]);
    expect(plans.find((p) => p.node === 'a')).toEqual(before.plans.find((p) => p.node === 'a'));
  });

  it('changes only the services that are named', () => {
    const { steps } = plan(changed, before.plans, { services: ['default/web'] });
    expect(steps.map(({ action, node, service }) => `${action} ${node} ${service}`)).toEqual([
      'change a web',
      'change b web',
    ]);
  });

  it('leaves instances for other nodes to their own deploy', () => {
    const { steps, plans } = plan(two, [], { nodes: ['a'] });
    expect(steps.map((step) => step.node)).toEqual(['a', 'a']);
    expect(plans.map((p) => p.node)).toEqual(['a']);
  });
});

describe('a gray release', () => {
  const both: SmallWorld = {
    ...oneNode,
    deploy: [
      { service: 'api', version: 'v1', instances: 2 },
      { service: 'api', version: 'v2', instances: 1 },
    ],
  };
  const releases = (phase: ReleasePhase) => {
    const fields = {
      service: 'api',
      namespace: 'default',
      stable: 'v1',
      gray: 'v2',
      steps: [],
      matches: [],
      history: [],
    };
    const release: Release = { ...fields, phase, weight: 100, reason: '', startedAt: 0, since: 0, revision: 1 };
    return { releases: new Map([['default/api', release]]) };
  };
  const versions = (plans: readonly NodePlan[]) => instances(plans).map((i) => i.version);

  it('changes no placement while it runs', () => {
    expect(versions(plan(both, [], releases('step')).plans)).toEqual(['v1', 'v1', 'v2']);
  });

  it('that has succeeded makes the old version mean the new one, and both entries are summed', () => {
    expect(versions(plan(both, [], releases('succeeded')).plans)).toEqual(['v2', 'v2', 'v2']);
  });

  it('that is undone gives the old version back', () => {
    const after = plan(both, [], releases('succeeded'));
    const undone = plan(both, after.plans, releases('undone'));
    expect(versions(undone.plans)).toEqual(['v1', 'v1', 'v2']);
    expect(undone.steps.map((step) => step.action)).toEqual(['change', 'change']);
  });
});
