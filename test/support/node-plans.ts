/** Plans of a node by hand, for tests of the agent: small, whole, and each instance with ports of its own. */
import { defaultMesh } from '../../src/model/mesh.js';
import type { NodePlan, PlannedInstance } from '../../src/model/node-plan.js';
import { byText } from '../../src/model/order.js';

export interface InstanceWish extends Partial<PlannedInstance> {
  readonly instance: string;
}

/** `reviews-v1-3` is version v1 of reviews, created by revision 3. Ports come from the first port of its own. */
export function plannedInstance(wish: InstanceWish, firstPort = 20_000): PlannedInstance {
  const [service = 'app', version = 'v1', revision = '1'] = wish.instance.split('-');
  return {
    namespace: 'default',
    service,
    version,
    revision: Number(revision),
    digest: wish.instance,
    labels: { app: service, version },
    servicePorts: [{ name: 'http', port: 9080, protocol: 'http' }],
    ports: {
      app: { http: firstPort },
      inbound: { http: firstPort + 1 },
      proxy: firstPort + 2,
      metrics: firstPort + 3,
      upstreams: {},
    },
    container: { image: 'lightmesh/demo-app:1' },
    health: { http: '/healthz', interval: '500ms', timeout: '1s', rise: 1, fall: 2 },
    upstreams: [],
    httpProxy: false,
    replace: 'start-first',
    sidecar: defaultMesh.sidecar,
    ...wish,
  };
}

export function nodePlan(
  revision: number,
  instances: readonly PlannedInstance[],
  rest: Partial<NodePlan> = {},
): NodePlan {
  return {
    node: 'n1',
    address: '127.0.0.1',
    cluster: 'room',
    region: 'r',
    zone: 'z',
    revision,
    instances: instances.toSorted(byText(({ instance }) => instance)),
    ...rest,
  };
}
