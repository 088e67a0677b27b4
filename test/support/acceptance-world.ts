/** The world of the acceptance tests: names, addresses and ports of its own, so that it runs beside a demo. */

const image = 'lightmesh/demo-app:1';
export const NODE_A = 'acc-a';
export const NODE_B = 'acc-b';

const service = (name: string, spec: string, namespace = 'default'): string => `---
apiVersion: mesh/v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec} }
`;

/** One runnable build; `note` changes the container and so the instance. */
export const version = (name: string, of: string, note = '', namespace = 'default'): string => `---
apiVersion: mesh/v1
kind: Version
metadata: { name: ${name}-${of}, namespace: ${namespace} }
spec:
  service: ${name}
  version: ${of}
  container: { image: "${image}", stop_grace_period: 5s${note === '' ? '' : `, environment: { NOTE: ${note} }`} }
`;

const health = 'health: { http: /healthz, interval: 0.5s, timeout: 1s, rise: 1, fall: 2 }';

export interface WorldOptions {
  /** host:port of a server outside the mesh, called in mode 2. */
  readonly direct: string;
}

export function acceptanceWorld({ direct }: WorldOptions): string {
  return `apiVersion: mesh/v1
kind: Mesh
metadata: { name: mesh }
spec: { leaseTtl: 5s }
---
apiVersion: mesh/v1
kind: Node
metadata: { name: ${NODE_A}, labels: { disk: ssd } }
spec: { address: 127.0.0.31, cluster: acceptance, ports: 25000-25399 }
---
apiVersion: mesh/v1
kind: Node
metadata: { name: ${NODE_B} }
spec: { address: 127.0.0.32, cluster: acceptance, ports: 25400-25799 }
---
apiVersion: mesh/v1
kind: Cluster
metadata: { name: acceptance }
spec:
  region: r1
  zone: z1
  deploy:
    - { service: productpage, version: v1, instances: 1, nodeSelector: { disk: ssd } }
    - { service: reviews, version: v1, instances: 2 }
    - { service: reviews, version: v2, instances: 1 }
    - { service: reviews, version: v3, instances: 1 }
    - { service: audit, version: v1, instances: 1 }
    - { service: audit, version: v2, instances: 1 }
    - { service: ratings, namespace: shop, version: v1, instances: 1 }
${service(
  'productpage',
  `port: 9080, protocol: http, stable: v1, ${health}, upstreams: [
    { service: reviews }, { name: reviews-own, service: reviews, proxyPort: auto }, { service: ratings.shop }, { service: audit },
    { name: legacy, address: "${direct}" }, { name: ledger, domain: audit } ]`,
)}${service('reviews', `port: 9080, protocol: http, stable: v1, ${health}`)}${service(
  'audit',
  'port: 9090, protocol: grpc, stable: v1, health: { grpc: "", interval: 0.5s }',
)}${service('ratings', `port: 9080, protocol: http, stable: v1, ${health}`, 'shop')}${version('productpage', 'v1')}${version('reviews', 'v1')}${version('reviews', 'v2')}${version('reviews', 'v3')}${version('audit', 'v1')}${version('audit', 'v2')}${version('ratings', 'v1', '', 'shop')}`;
}

/** Istio's way to split the same service: 80 to v1, 20 to v2, by subsets. */
export const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 80 }
        - { destination: { host: reviews, subset: v2 }, weight: 20 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
`;
