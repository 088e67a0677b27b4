import { describe, expect, it } from 'vitest';
import { virtualServiceKind } from '../../../src/dsl/virtual-service.js';
import { indexDefinitions, viewOf } from '../../../src/model/definition.js';
import { serviceKind } from '../../../src/model/service.js';
import { versionKind } from '../../../src/model/version.js';
import { translate } from '../../../src/pilot/translate/index.js';
import { endpoint, proxy, release, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources, simulate, split } from '../../support/simulate.js';

const reviews = serviceYaml('reviews', ['v1', 'v2']);
const both = [endpoint('reviews/v1@10.0.0.1:9001'), endpoint('reviews/v2@10.0.0.2:9001')];
const toReviews = proxy([{ service: 'reviews' }]);

function route(rules: string): string {
  return `apiVersion: mesh/v1\nkind: Route\nmetadata: { name: reviews }\nspec:\n  service: reviews\n  rules: ${rules}`;
}

describe('a service without any route', () => {
  const resources = translate(world({ yaml: reviews, endpoints: both }), toReviews);

  it('is well formed, and every cluster and route that is named exists', () => {
    checkResources(resources);
  });

  it('sends plain requests to the stable version', () => {
    expect(simulate(resources, { host: 'reviews:9080' })).toMatchObject({
      kind: 'forwarded',
      route: 'Service/default/reviews/default',
      shares: [{ cluster: 'outbound|9080||reviews.default.svc.cluster.local', share: 1, endpoints: ['10.0.0.1:9001'] }],
    });
  });

  it('sends plain requests to all versions when none is stable', () => {
    const yaml = serviceYaml('reviews', ['v1', 'v2'], 'protocol: http, port: 9080');
    const unstable = translate(world({ yaml, endpoints: both }), toReviews);
    expect(simulate(unstable, { host: 'reviews:9080' })).toMatchObject({
      shares: [{ endpoints: ['10.0.0.1:9001', '10.0.0.2:9001'] }],
    });
  });

  it('counts an address that registered itself without a version among plain traffic', () => {
    const endpoints = [...both, endpoint('reviews/@10.0.0.3:80')];
    const selfRegistered = translate(world({ yaml: reviews, endpoints }), toReviews);
    expect(simulate(selfRegistered, { host: 'reviews:9080' })).toMatchObject({
      shares: [{ endpoints: ['10.0.0.1:9001', '10.0.0.3:80'] }],
    });
  });

  it.each([
    'reviews',
    'reviews:9080',
    'REVIEWS:9080',
    'reviews.default',
    'reviews.default:9080',
    'reviews.default.svc',
    'reviews.default.svc.cluster.local',
    'reviews.default.svc.cluster.local:9080',
  ])('answers to the name %s', (host) => {
    expect(split(resources, { host })).toEqual({ '': 1 });
  });

  it.each(['ratings:9080', 'reviews:80', 'reviews.shop', 'example.com'])('answers 404 to the name %s', (host) => {
    expect(split(resources, { host })).toEqual({ 404: 1 });
  });
});

describe('ports', () => {
  const yaml = serviceYaml(
    'reviews',
    ['v1'],
    'ports: [{ name: admin, port: 81, protocol: http }, { name: web, port: 80, protocol: http }, { name: db, port: 5, protocol: tcp }]',
  );
  const resources = translate(
    world({
      yaml,
      endpoints: [
        endpoint('reviews/v1@10.0.0.1:9001', 'HEALTHY', { portName: 'web' }),
        endpoint('reviews/v1@10.0.0.1:9002', 'HEALTHY', { portName: 'admin' }),
      ],
    }),
    proxy([
      { service: 'reviews', port: 80 },
      { service: 'reviews', name: 'db', port: 5, protocol: 'tcp', listener: 3306 },
      { service: 'reviews', name: 'web', port: 80, listener: 8080 },
    ]),
  );

  it('is well formed', () => {
    checkResources(resources);
  });

  it('takes a bare host as port 80 where there is one, though it is not the lowest', () => {
    expect(simulate(resources, { host: 'reviews' })).toMatchObject({ shares: [{ endpoints: ['10.0.0.1:9001'] }] });
    expect(simulate(resources, { host: 'reviews:81' })).toMatchObject({ shares: [{ endpoints: ['10.0.0.1:9002'] }] });
  });

  it('gives an HTTP upstream with a listener of its own its routes, whatever the host', () => {
    const experience = simulate(resources, { host: '127.0.0.1:8080', routes: 'upstream|web' });
    expect(experience).toMatchObject({ shares: [{ endpoints: ['10.0.0.1:9001'] }] });
  });

  it('gives a TCP upstream with a listener of its own the plain cluster', () => {
    const listener = resources.listeners.get('upstream|db');
    expect(listener?.address).toEqual({ socketAddress: { address: '127.0.0.1', portValue: 3306 } });
    expect(JSON.stringify(listener)).toContain('"cluster":"outbound|5||reviews.default.svc.cluster.local"');
  });

  it('ends CONNECT to an HTTP service in the tunnel, and sends CONNECT to a TCP service straight to it', () => {
    expect(simulate(resources, { host: 'reviews:80', method: 'CONNECT' })).toMatchObject({
      shares: [{ cluster: 'tunnel', endpoints: ['@lightmesh/tunnel/20002'] }],
    });
    expect(simulate(resources, { host: 'reviews:5', method: 'CONNECT' })).toMatchObject({
      shares: [{ cluster: 'outbound|5||reviews.default.svc.cluster.local' }],
    });
  });
});

describe('namespaces', () => {
  const yaml = yamls(
    reviews,
    'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: reviews, namespace: shop }\nspec: { protocol: http, port: 9080 }',
  );
  const snapshot = world({ yaml, endpoints: [...both, endpoint('reviews.shop/v1@10.9.9.9:1')] });
  const resources = translate(
    snapshot,
    proxy([{ service: 'reviews' }, { service: 'reviews', name: 'far', namespace: 'shop' }]),
  );

  it('keeps services of one name apart', () => {
    checkResources(resources);
    expect(simulate(resources, { host: 'reviews' })).toMatchObject({ shares: [{ endpoints: ['10.0.0.1:9001'] }] });
    expect(simulate(resources, { host: 'reviews.shop' })).toMatchObject({ shares: [{ endpoints: ['10.9.9.9:1'] }] });
  });

  it('lets a caller leave out its own namespace only', () => {
    const shopper = translate(snapshot, proxy([{ service: 'reviews', namespace: 'shop' }], { namespace: 'shop' }));
    expect(simulate(shopper, { host: 'reviews' })).toMatchObject({ shares: [{ endpoints: ['10.9.9.9:1'] }] });
  });
});

describe('a Route', () => {
  const yaml = yamls(
    reviews,
    route(`
    - name: testers
      match: [{ headers: { x-user: { exact: jason } } }, { cookies: { beta: { exact: "1" } } }]
      split: [{ version: v2, weight: 100 }]
    - name: from-room-2
      match: [{ clusters: [room-2] }, { callers: [audit.shop] }]
      split: [{ version: v2, weight: 100 }]
    - name: some
      match: [{ path: { prefix: /some } }]
      split: [{ version: v1, weight: 99.75 }, { version: v2, weight: 0.25 }]
      timeout: 3s
      retries: { attempts: 4, on: [gateway-error], perTryTimeout: 1s }`),
  );
  const snapshot = world({ yaml, endpoints: both });
  const resources = translate(snapshot, toReviews);

  it('is well formed', () => {
    checkResources(resources);
  });

  it('takes the first rule whose conditions hold', () => {
    const tester = simulate(resources, { host: 'reviews', path: '/some', headers: { 'x-user': 'jason' } });
    expect(tester).toMatchObject({ route: 'Route/default/reviews/testers#0' });
    expect(split(resources, { host: 'reviews', headers: { 'x-user': 'jason' } })).toEqual({ v2: 1 });
  });

  it.each([
    ['beta=1', 'v2'],
    ['a=b; beta=1; c=d', 'v2'],
    ['alphabeta=1', ''],
    ['beta=12', ''],
  ])('finds a cookie between others: %s', (cookie, version) => {
    expect(split(resources, { host: 'reviews', headers: { cookie } })).toEqual({ [version]: 1 });
  });

  it('splits exactly, with two decimals', () => {
    expect(split(resources, { host: 'reviews', path: '/some' })).toEqual({ v1: 0.9975, v2: 0.0025 });
  });

  it('writes timeout and retries as they are, and no limit where none is given', () => {
    const some = simulate(resources, { host: 'reviews', path: '/some' });
    expect(some.json?.route).toMatchObject({
      timeout: '3s',
      retryPolicy: { retryOn: 'gateway-error', numRetries: 4, perTryTimeout: '1s' },
    });
    expect(simulate(resources, { host: 'reviews' }).json?.route).toMatchObject({ timeout: '0s' });
  });

  it('repeats by default only what cannot have been done, elsewhere if it can', () => {
    expect(simulate(resources, { host: 'reviews' }).json?.route?.retryPolicy).toMatchObject({
      retryOn: 'connect-failure,refused-stream,reset-before-request,retriable-headers',
      numRetries: 2,
      retriableHeaders: [
        { name: 'x-mesh-undelivered', stringMatch: { exact: 'connect' } },
        { name: 'x-mesh-undelivered', stringMatch: { exact: 'reset-idempotent' } },
      ],
      retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
    });
  });

  it('leaves to the stable version what no rule takes', () => {
    expect(simulate(resources, { host: 'reviews' })).toMatchObject({ route: 'Service/default/reviews/default' });
    expect(split(resources, { host: 'reviews' })).toEqual({ '': 1 });
  });

  it('asks for caller and cluster when it translates, not at each request', () => {
    const inRoom2 = translate(snapshot, proxy([{ service: 'reviews' }], { cluster: 'room-2' }));
    expect(split(inRoom2, { host: 'reviews' })).toEqual({ v2: 1 });
    const audit = translate(snapshot, proxy([{ service: 'reviews' }], { service: 'audit', namespace: 'shop' }));
    expect(split(audit, { host: 'reviews.default' })).toEqual({ v2: 1 });
  });

  it('leaves out a rule whose regular expression Envoy would refuse, says so, and keeps the others', () => {
    const broken = yaml.replace('{ prefix: /some }', '{ regex: "(?=x)" }');
    const result = translate(world({ yaml: broken, endpoints: both }), toReviews);
    checkResources(result);
    expect(result.problems).toEqual([
      {
        kind: 'Route',
        namespace: 'default',
        name: 'reviews',
        message: 'rule "some" is left out: RE2 has no look-around',
      },
    ]);
    expect(split(result, { host: 'reviews', headers: { 'x-user': 'jason' } })).toEqual({ v2: 1 });
  });
});

describe('what is remembered', () => {
  const yaml = yamls(reviews, serviceYaml('ratings', ['v1']));
  const ratings = endpoint('ratings/v1@10.0.1.1:9001');
  const scope = proxy([{ service: 'reviews' }, { service: 'ratings' }]);

  it('is everything, while nothing changes', () => {
    const snapshot = world({ yaml, endpoints: [...both, ratings] });
    const before = translate(snapshot, scope);
    const after = translate({ ...snapshot, revision: 2 }, scope);
    for (const type of ['clusters', 'endpoints', 'listeners', 'routes', 'runtime'] as const)
      expect(after[type]).toBe(before[type]);
  });

  it('is all but one load assignment per Envoy cluster of it, when an endpoint changes', () => {
    const snapshot = world({ yaml, endpoints: [...both, ratings] });
    const before = translate(snapshot, scope);
    const endpoints = new Map([
      ['default/reviews', [both[0] as never, endpoint('reviews/v2@10.0.0.2:9001', 'DRAINING')]],
      ['default/ratings', snapshot.endpoints.get('default/ratings') ?? []],
    ]);
    const after = translate({ ...snapshot, endpoints }, scope);
    const changed = [...after.endpoints]
      .filter(([name, json]) => before.endpoints.get(name) !== json)
      .map(([name]) => name);
    expect(changed).toEqual(['outbound|9080|v2|reviews.default.svc.cluster.local']);
    expect(after.clusters).toBe(before.clusters);
    expect(after.routes).toBe(before.routes);
    expect(after.listeners).toBe(before.listeners);
  });

  it('is everything, when something changes that the proxy cannot reach', () => {
    const snapshot = world({ yaml, endpoints: both });
    const before = translate(snapshot, scope);
    const elsewhere = new Map([...snapshot.endpoints, ['default/details', [endpoint('details/v1@10.0.3.1:9001')]]]);
    expect(translate({ ...snapshot, endpoints: elsewhere as never, revision: 7 }, scope)).toBe(before);
  });

  it('ends when a service comes to be that a rule sent to in vain', () => {
    const virtualService =
      'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: reviews }\n' +
      'spec: { hosts: [reviews], http: [{ route: [{ destination: { host: later } }] }] }';
    const after = world({ yaml: yamls(yaml, virtualService, serviceYaml('later', ['v1'])), endpoints: both });
    const definitions = [serviceKind, versionKind, virtualServiceKind]
      .flatMap((kind) => after.definitions.all<unknown>(kind))
      .filter(({ name }) => !name.startsWith('later'));
    const before = { ...after, definitions: viewOf(indexDefinitions(definitions)) };
    const clusters = (snapshot: typeof after) => [...translate(snapshot, scope).clusters.keys()];
    expect(clusters(before)).toContain('missing|9080||later.default.svc.cluster.local');
    expect(clusters(after)).not.toContain('missing|9080||later.default.svc.cluster.local');
    expect(clusters(after)).toContain('outbound|9080||later.default.svc.cluster.local');
  });

  it('is all but one route configuration, when a release moves its weight', () => {
    const snapshot = world({ yaml, endpoints: both, releases: [release({ weight: 5 })] });
    const before = translate(snapshot, scope);
    const after = translate({ ...snapshot, releases: new Map([['default/reviews', release({ weight: 6 })]]) }, scope);
    const changed = [...after.routes].filter(([name, json]) => before.routes.get(name) !== json).map(([name]) => name);
    expect(changed).toEqual(['outbound']);
    expect(after.clusters).toBe(before.clusters);
    expect(after.endpoints).toBe(before.endpoints);
  });

  it('is shared by proxies that have the same upstreams', () => {
    const snapshot = world({ yaml, endpoints: both });
    const one = translate(snapshot, scope);
    const other = translate(
      snapshot,
      proxy([{ service: 'reviews' }, { service: 'ratings' }], { instance: 'productpage-v1-2' }),
    );
    expect(other.routes).toBe(one.routes);
    expect(other.endpoints).toBe(one.endpoints);
  });
});

describe('health', () => {
  it('keeps unhealthy and draining endpoints in the list, marked, and sorts them by locality and address', () => {
    const endpoints = [
      endpoint('reviews/v1@10.0.0.9:1', 'UNHEALTHY'),
      endpoint('reviews/v1@10.0.0.2:1', 'DRAINING'),
      endpoint('reviews/v1@10.0.0.1:1', 'HEALTHY', { zone: 'cn-bj-b' }),
    ];
    const resources = translate(world({ yaml: reviews, endpoints }), toReviews);
    expect(simulate(resources, { host: 'reviews' })).toMatchObject({
      shares: [{ endpoints: ['10.0.0.2:1 DRAINING', '10.0.0.9:1 UNHEALTHY', '10.0.0.1:1'] }],
    });
  });

  it('has a load assignment for a service without any instance, since Envoy waits for one', () => {
    const resources = translate(world({ yaml: reviews }), toReviews);
    expect(resources.endpoints.get('outbound|9080||reviews.default.svc.cluster.local')).toEqual({
      clusterName: 'outbound|9080||reviews.default.svc.cluster.local',
      endpoints: [],
    });
  });
});

describe('what is gone', () => {
  it('answers 404 for an upstream whose service was deleted, keeps its listener served, and says so', () => {
    const scope = proxy([{ service: 'gone', listener: 29080 }, { service: 'reviews' }]);
    const resources = translate(world({ yaml: reviews, endpoints: both }), scope);
    checkResources(resources);
    expect(split(resources, { host: 'x', routes: 'upstream|gone' })).toEqual({ 404: 1 });
    expect(split(resources, { host: 'reviews' })).toEqual({ '': 1 });
    expect(resources.problems).toMatchObject([
      { kind: 'Service', message: 'its upstream default/gone does not exist' },
    ]);
  });
});

describe('the way in', () => {
  const resources = translate(world({ yaml: reviews }), toReviews);

  it('listens on the node address, leads to the app on loopback, and shares no port', () => {
    const inbound = resources.listeners.get('inbound');
    expect(inbound?.address).toEqual({ socketAddress: { address: '127.0.0.11', portValue: 20001 } });
    expect(simulate(resources, { host: 'anything', routes: 'inbound|9080' })).toMatchObject({
      shares: [{ cluster: 'inbound|9080||', endpoints: ['127.0.0.1:20000'] }],
    });
    for (const listener of resources.listeners.values()) expect(listener.enableReusePort).toBe(false);
  });

  it('never ignores ports, and answers the runtime layer that Envoy waits for', () => {
    expect(JSON.stringify([...resources.routes.values()])).not.toContain('ignorePort');
    expect([...resources.runtime.keys()]).toEqual(['mesh']);
  });
});
