/** `mesh resolve` below the command line: definitions to the words of a person. */
import { describe, expect, it } from 'vitest';
import type { CallerView } from '../../../src/model/api.js';
import { callerView } from '../../../src/pilot/caller-view.js';
import { decide } from '../../../src/resolve/decide.js';
import { requestOf } from '../../../src/resolve/request.js';
import { type Resolution, resolve } from '../../../src/resolve/resolution.js';
import { endpoint, serviceYaml, world, yamls } from '../../support/mesh-world.js';

const yaml = yamls(
  serviceYaml('reviews', ['v1', 'v2']),
  serviceYaml('ratings', ['v1']),
  `apiVersion: mesh/v1
kind: Service
metadata: { name: productpage }
spec: { ports: [{ name: http, port: 80, protocol: http }], upstreams: [{ service: reviews }] }`,
  `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - name: mine
      match: [{ sourceLabels: { app: elsewhere } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - name: testers
      match: [{ headers: { end-user: { exact: jason } } }]
      fault: { delay: { fixedDelay: 2s, percentage: { value: 50 } } }
      mirror: { host: ratings }
      mirrorPercentage: { value: 10 }
      timeout: 3s
      rewrite: { uri: /x }
      route: [{ destination: { host: reviews, subset: v1 }, weight: 25 }, { destination: { host: reviews, subset: v2 }, weight: 75 }]
    - name: moved
      match: [{ uri: { exact: /old } }]
      redirect: { uri: /new, redirectCode: 308 }`,
);
const snapshot = world({
  yaml,
  endpoints: [endpoint('reviews/v1@10.0.0.1:9001'), endpoint('reviews/v2@10.0.0.2:9002')],
});

function resourcesOf({ resources }: CallerView) {
  const byName = (type: keyof CallerView['resources']): Map<string, object> =>
    new Map(resources[type].map(({ name, resource }) => [name, resource as object]));
  return { routes: byName('routes'), clusters: byName('clusters'), endpoints: byName('endpoints') };
}

function resolved(request: Parameters<typeof requestOf>[0], from?: string): Resolution {
  const view = callerView(snapshot, {
    host: request.host,
    namespace: 'default',
    ...(from === undefined ? {} : { from }),
  });
  const resources = resourcesOf(view);
  expect(decide(resources, 'outbound', requestOf(request)).virtualHost).toBeDefined();
  return resolve(resources, 'outbound', requestOf(request));
}

describe('a resolution', () => {
  it('names rule, versions, endpoints and what happens on the way', () => {
    const { route, destinations, effects } = resolved(
      { host: 'reviews', headers: { 'end-user': 'jason' } },
      'productpage',
    );
    expect(route).toEqual({
      kind: 'VirtualService',
      name: 'default/reviews',
      rule: 'testers',
      matched: 'header end-user',
    });
    expect(destinations).toMatchObject([
      { service: 'reviews', version: 'v1', weight: 25, endpoints: [{ address: '10.0.0.1:9001', health: 'HEALTHY' }] },
      { service: 'reviews', version: 'v2', weight: 75, endpoints: [{ address: '10.0.0.2:9002', node: 'node-a' }] },
    ]);
    expect(Object.fromEntries(effects.map(({ name, value }) => [name, value]))).toMatchObject({
      timeout: '3s',
      mirror: '10 % to outbound|9080||ratings.default.svc.cluster.local',
      delay: '2s for 50 %',
      'path becomes': '/x',
    });
  });

  it('tells an answer of the proxy itself', () => {
    expect(resolved({ host: 'reviews', path: '/old' })).toMatchObject({
      route: { rule: 'moved', matched: 'path /old' },
      destinations: [],
      effects: [{ name: 'redirect', value: 'permanent_redirect to /new' }],
    });
  });

  it('tells that no rule takes it, and why none does', () => {
    const { route, effects, notTaken } = resolved({ host: 'reviews' }, 'productpage');
    expect(route).toBeUndefined();
    expect(effects).toEqual([{ name: 'answer', value: '404, no rule takes it' }]);
    expect(notTaken).toContainEqual({
      rule: 'VirtualService default/reviews testers',
      why: 'header end-user is not there',
    });
  });

  it('is of the upstreams of its caller', () => {
    expect(resolved({ host: 'ratings' }, 'productpage').effects).toEqual([
      { name: 'answer', value: '404, it may call no such host' },
    ]);
    expect(resolved({ host: 'ratings' }).destinations).toMatchObject([{ service: 'ratings', weight: 100 }]);
  });
});

it('a host of a wildcard is the one that the caller names', () => {
  const text = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: any }
spec: { hosts: ["*.example.com"], ports: [{ number: 80, name: http, protocol: HTTP }] }`;
  const view = callerView(world({ yaml: text }), { host: 'a.example.com', namespace: 'default' });
  expect(resolve(resourcesOf(view), 'outbound', requestOf({ host: 'a.example.com' }))).toMatchObject({
    route: { kind: 'ServiceEntry' },
    destinations: [{ service: '*.example.com', endpoints: [{ address: 'the host that the caller names' }] }],
  });
});

it('a host of requests with rules for others only is no TCP', () => {
  const rules = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ match: [{ sourceNamespace: elsewhere }], route: [{ destination: { host: reviews } }] }] }`;
  const view = callerView(world({ yaml: yamls(serviceYaml('reviews', ['v1']), rules) }), {
    host: 'reviews',
    namespace: 'default',
  });
  expect(resolve(resourcesOf(view), 'outbound', requestOf({ host: 'reviews' }))).toMatchObject({
    destinations: [],
    effects: [{ name: 'answer', value: '404, no rule takes it' }],
  });
});

it('rules for other callers are told apart', () => {
  const { leftOut } = callerView(snapshot, { host: 'reviews:80', namespace: 'default', from: 'productpage' });
  expect(leftOut).toEqual([
    { rule: 'VirtualService/default/reviews/mine', why: 'it is for callers with the label app=elsewhere' },
  ]);
});

it.each([
  ['nobody', 'there is no Service default/nobody to call from'],
  ['productpage@nowhere', 'there is no Node "nowhere"'],
])('a caller %s is refused', (from, message) => {
  expect(() => callerView(snapshot, { host: 'reviews', namespace: 'default', from })).toThrow(message);
});
