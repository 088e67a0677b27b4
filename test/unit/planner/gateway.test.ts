import { describe, expect, it } from 'vitest';
import type { NodePlan } from '../../../src/model/node-plan.js';
import { proxyMetadata } from '../../../src/planner/bootstrap.js';
import { composeFile } from '../../../src/planner/compose.js';
import { renderNode } from '../../../src/planner/render.js';
import { readTemplates } from '../../../src/planner/templates.js';
import { type SmallWorld, smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const edge = (
  deploy: object = { instances: 1 },
  nodes: SmallWorld['nodes'] = [{ name: 'a' }],
  labels: object = {},
  ports = [{ name: 'web', port: 8080, protocol: 'http' }],
): SmallWorld => ({
  nodes,
  services: [{ name: 'edge', spec: { gateway: true, port: undefined, ports }, versions: { v1: labels } }],
  deploy: [{ service: 'edge', version: 'v1', ...deploy }],
});
const plan = (world: SmallWorld, last: readonly NodePlan[] = []) => planWorld(worldOf(smallWorld(world)), last);

describe('a gateway', () => {
  it('has the ports of its service on its node, and two of the range for itself', () => {
    const { plans, problems } = plan(edge());
    expect(plans[0]?.instances[0]).toMatchObject({
      ports: { app: {}, inbound: { web: 8080 }, proxy: 20000, metrics: 20001, upstreams: {} },
      replace: 'stop-first',
    });
    expect(problems).toEqual([]);
  });

  it('is an Envoy alone, whose bootstrap says what it is', () => {
    const [nodePlan] = plan(edge()).plans as [NodePlan];
    const { services } = composeFile(nodePlan, { storeEndpoints: [], sidecarUser: '0:0' });
    expect(Object.keys(services)).toEqual(['edge-v1-1-sidecar']);
    expect(services['edge-v1-1-sidecar']).not.toHaveProperty('cap_add');
    expect(nodePlan.instances.map((instance) => proxyMetadata(nodePlan, instance))).toMatchObject([{ gateway: true }]);
  });

  it('may listen below port 1024', () => {
    const [nodePlan] = plan(edge(undefined, undefined, {}, [{ name: 'web', port: 80, protocol: 'http' }])).plans as [
      NodePlan,
    ];
    const { services } = composeFile(nodePlan, { storeEndpoints: [], sidecarUser: '0:0' });
    expect(services['edge-v1-1-sidecar']).toMatchObject({ cap_drop: ['ALL'], cap_add: ['NET_BIND_SERVICE'] });
    expect(renderNode({ plan: nodePlan, templates: readTemplates(), storeEndpoints: [] }).problems).toEqual([]);
  });

  it('reads certificates in a folder of the node, and only there', () => {
    const world = (certificates: string): SmallWorld => {
      const plain = edge();
      const [service] = plain.services;
      return { ...plain, services: [{ ...service, name: 'edge', spec: { ...service?.spec, certificates } }] };
    };
    const { plans, problems } = plan(world('/etc/ssl/shop'));
    expect(problems).toEqual([]);
    const [nodePlan] = plans as [NodePlan];
    const { services } = composeFile(nodePlan, { storeEndpoints: [], sidecarUser: '0:0' });
    expect(services['edge-v1-1-sidecar']?.['volumes']).toContain('/etc/ssl/shop:/etc/ssl/shop:ro');
    expect(renderNode({ plan: nodePlan, templates: readTemplates(), storeEndpoints: [] }).problems).toEqual([]);
    const changed = plan(world('/etc/ssl/other'), plans);
    expect(changed.steps[0]?.reasons).toEqual(['certificates /etc/ssl/shop -> /etc/ssl/other']);
    expect(plan(world('/root')).problems.map(({ message }) => message)).toEqual([
      'volume /root:/root:ro hands /root of the host to the sidecar',
    ]);
  });

  it('stands on a machine once, and the next one says why it does not', () => {
    const { plans, problems } = plan(edge({ instances: 3 }, [{ name: 'a' }, { name: 'b' }]));
    expect(plans.map(({ instances }) => instances.length)).toEqual([1, 1]);
    expect(problems.map(({ message }) => message)).toEqual([
      '1 of 3 instances of edge v1 cannot be placed: port 8080 is taken (a, b)',
    ]);
  });

  it('hands its ports on to its successor, of the same version and of another', () => {
    const first = plan(edge()).plans;
    const changed = plan(edge(undefined, undefined, { istio: 'ingressgateway' }), first);
    expect(changed.steps).toMatchObject([{ action: 'change', replaces: 'edge-v1-1' }]);
    expect(changed.plans[0]?.instances[0]?.ports.inbound).toEqual({ web: 8080 });
    const world = edge();
    const next = plan(
      {
        ...world,
        services: [{ ...world.services[0], name: 'edge', versions: { v1: {}, v2: {} } }],
        deploy: [{ service: 'edge', version: 'v2', instances: 1 }],
      },
      first,
    );
    expect(next.problems).toEqual([]);
    expect(next.plans[0]?.instances).toMatchObject([{ version: 'v2', ports: { inbound: { web: 8080 } } }]);
  });

  it('keeps out of the ranges that instances get their ports from', () => {
    const world = edge(undefined, undefined, {}, [{ name: 'web', port: 20005, protocol: 'http' }]);
    expect(worldOf(smallWorld(world)).problems.map(({ message }) => message)).toEqual([
      'port 20005 of this gateway lies in the range 20000-20999 of node "a"',
    ]);
  });
});
