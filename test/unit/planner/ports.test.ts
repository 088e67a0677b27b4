import { describe, expect, it } from 'vitest';
import type { NodePlan, PlannedInstance } from '../../../src/model/node-plan.js';
import { allPorts } from '../../../src/planner/ports.js';
import { type SmallWorld, smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const plan = (world: SmallWorld, last: readonly NodePlan[] = [], options = {}) =>
  planWorld(worldOf(smallWorld(world)), last, options);
const listeners = (plans: readonly NodePlan[]) =>
  plans.flatMap(({ node, instances }) =>
    instances.map((i) => `${node} ${i.instance} ${Object.values(i.ports.upstreams).join(',')}`),
  );

const fixed = (spec: object, container: object = {}, nodes: SmallWorld['nodes'] = [{ name: 'a' }]): SmallWorld => ({
  nodes,
  services: [
    { name: 'api', spec: { upstreams: [{ service: 'db', proxyPort: 5432 }], ...spec }, versions: { v1: container } },
    { name: 'db', spec: { port: 5432, protocol: 'tcp' } },
  ],
  deploy: [{ service: 'api', version: 'v1', instances: 2 }],
});

describe('ports', () => {
  it('differ on nodes with loopback addresses, which are one machine', () => {
    const { plans } = plan({
      nodes: [
        { name: 'a', address: '127.0.0.11' },
        { name: 'b', address: '127.0.0.12' },
      ],
      services: [{ name: 'api' }],
      deploy: [{ service: 'api', version: 'v1', perNode: 1 }],
    });
    expect(plans.flatMap((p) => p.instances.flatMap((i) => allPorts(i.ports)))).toEqual([
      20000, 20001, 20002, 20003, 20004, 20005, 20006, 20007,
    ]);
  });

  it('may be the same on different machines', () => {
    const { plans } = plan({
      nodes: [{ name: 'a' }, { name: 'b' }],
      services: [{ name: 'api' }],
      deploy: [{ service: 'api', version: 'v1', perNode: 1 }],
    });
    expect(plans.map((p) => p.instances[0]?.ports.proxy)).toEqual([20002, 20002]);
  });

  it('are two for each port of a service, one for the proxy, one for metrics, one for each upstream with its own', () => {
    const { plans } = plan({
      nodes: [{ name: 'a' }],
      services: [
        {
          name: 'api',
          spec: {
            port: undefined,
            ports: [
              { name: 'web', port: 80, protocol: 'http' },
              { name: 'rpc', port: 81, protocol: 'grpc' },
            ],
            upstreams: [
              { service: 'web' },
              { name: 'own', service: 'web', proxyPort: 'auto' },
              { name: 'db', service: 'db' },
            ],
          },
        },
        { name: 'web' },
        { name: 'db', spec: { port: 5432, protocol: 'tcp' } },
      ],
      deploy: [{ service: 'api', version: 'v1', instances: 1 }],
    });
    expect(plans[0]?.instances[0]?.ports).toEqual({
      app: { web: 20000, rpc: 20001 },
      inbound: { web: 20002, rpc: 20003 },
      proxy: 20004,
      metrics: 20005,
      upstreams: { own: 20006, db: 20007 },
    });
  });

  it('of the removed are free again, the lowest first', () => {
    const world = (...names: string[]): SmallWorld => ({
      nodes: [{ name: 'a' }],
      services: names.map((name) => ({ name })),
      deploy: names.map((name) => ({ service: name, version: 'v1', instances: 1 })),
    });
    const first = plan(world('api', 'web'));
    const second = plan(world('web'), first.plans);
    const third = plan(world('web', 'zoo'), second.plans);
    expect(third.plans[0]?.instances.map((i) => `${i.service} ${i.ports.proxy}`)).toEqual(['web 20006', 'zoo 20002']);
  });

  it('that are fixed go to the first instance of a machine', () => {
    expect(listeners(plan(fixed({})).plans)).toEqual(['a api-v1-1 5432', 'a api-v1-1-2 20008']);
    const apart = fixed({}, {}, [{ name: 'a' }, { name: 'b' }]);
    expect(listeners(plan(apart).plans)).toEqual(['a api-v1-1 5432', 'b api-v1-1-2 5432']);
  });

  it('that are fixed stay with who has them: a successor that starts first gets one from the range', () => {
    const first = plan({ ...fixed({}), deploy: [{ service: 'api', version: 'v1', instances: 1 }] });
    const changed = { ...fixed({}, { image: 'api:2' }), deploy: [{ service: 'api', version: 'v1', instances: 1 }] };
    expect(listeners(plan(changed, first.plans).plans)).toEqual(['a api-v1-2 20008']);
  });

  it('that are fixed are taken over by a successor that starts after its predecessor has stopped', () => {
    const spec = { replace: 'stop-first' };
    const first = plan(fixed(spec));
    expect(listeners(plan(fixed(spec, { image: 'api:2' }), first.plans).plans)).toEqual([
      'a api-v1-2 5432',
      'a api-v1-2-2 20017',
    ]);
  });

  it('that two services of one machine want fixed are a problem of the second, with the place in its file', () => {
    const { problems } = plan({
      nodes: [{ name: 'a' }],
      services: [
        { name: 'api', spec: { upstreams: [{ service: 'db', proxyPort: 5432 }] } },
        { name: 'web', spec: { upstreams: [{ service: 'db', proxyPort: 5432 }] } },
        { name: 'db', spec: { port: 5432, protocol: 'tcp' } },
      ],
      deploy: [
        { service: 'api', version: 'v1', instances: 1 },
        { service: 'web', version: 'v1', instances: 1 },
      ],
    });
    expect(problems).toMatchObject([
      {
        code: 'MESH1012',
        severity: 'error',
        file: 'world.yaml',
        path: 'Service default/web spec.upstreams[0].proxyPort',
      },
    ]);
    expect(problems[0]?.message).toContain('Service default/api');
  });

  it('that are fixed must lie outside of every range', () => {
    const world = worldOf(smallWorld({ ...fixed({ upstreams: [{ service: 'db', proxyPort: 20500 }] }) }));
    expect(world.problems).toMatchObject([
      { code: 'MESH1012', message: 'proxyPort 20500 lies in the range 20000-20999 of node "a"' },
    ]);
  });

  it('of a drained instance that still runs are not given away', () => {
    const first = plan({ ...fixed({}), deploy: [{ service: 'db', version: 'v1', instances: 1 }] });
    const [running] = first.plans.flatMap((p) => p.instances);
    const { instance, ports } = running as PlannedInstance; // one was asked for
    const records = [{ instance, address: '10.0.0.1', ports }];
    const { plans } = plan({ ...fixed({}), deploy: [{ service: 'api', version: 'v1', instances: 1 }] }, [], {
      records,
    });
    expect(plans[0]?.instances[0]?.ports.app).toEqual({ http: 20004 });
  });

  it('that do not suffice for a successor leave the old instance as it is', () => {
    const narrow = (container: object): SmallWorld => ({
      nodes: [{ name: 'a', ports: '20000-20009' }],
      services: [{ name: 'api', versions: { v1: container } }],
      deploy: [{ service: 'api', version: 'v1', instances: 2 }],
    });
    const first = plan(narrow({}));
    const { steps, problems, plans } = plan(narrow({ image: 'api:2' }), first.plans);
    expect(plans[0]?.instances.map((i) => i.instance)).toEqual(['api-v1-1', 'api-v1-1-2']);
    expect(steps.map(({ action, reasons }) => `${action} ${reasons.join()}`)).toEqual([
      'keep no room for its successor: 4 ports needed, 2 free',
      'keep no room for its successor: 4 ports needed, 2 free',
    ]);
    expect(problems.map((problem) => problem.code)).toEqual(['MESH1018', 'MESH1018']);
  });
});
