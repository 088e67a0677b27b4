import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/pilot/translate/index.js';
import { encodeResource } from '../../../src/xds/encode.js';
import { endpoint, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';

const reviews = serviceYaml('reviews', ['v1', 'v2'], 'protocol: grpc, port: 9080, stable: v1');
const endpoints = [endpoint('reviews/v1@10.0.0.1:9001'), endpoint('reviews/v2@10.0.0.2:9001')];
const client = { ...proxy([{ service: 'reviews' }]), isProxyless: true };
const HOST = 'reviews.default.svc.cluster.local';

const translated = (...yaml: string[]) => translate(world({ yaml: yamls(reviews, ...yaml), endpoints }), client);

function virtualService(http: string): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: reviews }\nspec:\n  hosts: [reviews]\n  http: ${http}`;
}

function routesOf(resources: ReturnType<typeof translated>) {
  const [routes] = resources.routes.values();
  return routes?.virtualHosts?.[0]?.routes ?? [];
}

describe('a gRPC client without a proxy', () => {
  it('finds a listener by each name of the service with its port, and nothing else', () => {
    const { listeners, routes, endpoints: lists } = translated();
    expect([...listeners.keys()]).toEqual([
      'reviews.default.svc.cluster.local:9080',
      'reviews.default.svc:9080',
      'reviews.default:9080',
      'reviews:9080',
    ]);
    expect(routes.size).toBe(1);
    expect(lists.size).toBeGreaterThan(0);
  });

  it('is served what Envoy’s own types can say', () => {
    const { listeners, routes, clusters, endpoints: lists } = translated();
    for (const one of listeners.values()) expect(() => encodeResource('LDS', one)).not.toThrow();
    for (const one of routes.values()) expect(() => encodeResource('RDS', one)).not.toThrow();
    for (const one of clusters.values()) expect(() => encodeResource('CDS', one)).not.toThrow();
    for (const one of lists.values()) expect(() => encodeResource('EDS', one)).not.toThrow();
  });

  it('is given a weight and a locality for each list of endpoints, since gRPC leaves out those without', () => {
    const list = translated().endpoints.get(`outbound|9080|v1|${HOST}`);
    expect(list?.endpoints).toMatchObject([{ loadBalancingWeight: 1, locality: {} }]);
  });

  it('meets no condition on a query, and a missing answer where it would be redirected or answered', () => {
    const rules = `
    - { match: [{ queryParams: { q: { exact: a } } }], route: [{ destination: { host: reviews } }] }
    - { match: [{ uri: { prefix: /old } }], redirect: { uri: /new } }
    - { match: [{ uri: { prefix: /none } }], directResponse: { status: 404 } }
    - { timeout: 2s, route: [{ destination: { host: reviews } }] }`;
    const routes = routesOf(translated(virtualService(rules)));
    expect(routes.map(({ match, route }) => [match?.prefix, route?.cluster])).toEqual([
      ['/old', 'grpc-cannot-answer'],
      ['/none', 'grpc-cannot-answer'],
      ['/', expect.stringContaining('outbound|9080|')],
    ]);
    expect(routes[2]?.route).toMatchObject({ maxStreamDuration: { maxStreamDuration: '2s' } });
  });

  it('retries on what gRPC knows', () => {
    const rules = `[{ retries: { attempts: 3, retryOn: "connect-failure,unavailable,5xx,cancelled" }, route: [{ destination: { host: reviews } }] }]`;
    const [route] = routesOf(translated(virtualService(rules)));
    expect(route?.route?.retryPolicy).toMatchObject({ retryOn: 'unavailable,cancelled', numRetries: 3 });
  });

  it('has no cluster where there would have to be TLS', () => {
    const rule =
      'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: reviews }\nspec: { host: reviews, trafficPolicy: { tls: { mode: SIMPLE } } }';
    expect(translated().clusters.size).toBeGreaterThan(0);
    expect(translated(rule).clusters.size).toBe(0);
  });

  it('is given the same objects while nothing has changed that it can reach', () => {
    const before = world({ yaml: reviews, endpoints });
    const after = { ...before, storeRevision: before.storeRevision + 1n };
    expect(translate(after, client)).toBe(translate(before, client));
  });
});
