import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/pilot/translate/index.js';
import { endpoint, problemsIn, proxy, release, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources, simulate, split } from '../../support/simulate.js';

const services = yamls(serviceYaml('reviews', ['v1', 'v2', 'v3']), serviceYaml('ratings', ['v1']));
const endpoints = ['v1', 'v2', 'v3'].map((version, i) => endpoint(`reviews/${version}@10.0.0.${i + 1}:1`));
const rule = `apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: next, labels: { version: v2 } }]`;

function virtualService(http: string, hosts = '[reviews]', name = 'reviews'): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec:\n  hosts: ${hosts}\n  http: ${http}`;
}

function translated(
  yaml: string,
  releases: Parameters<typeof world>[0]['releases'] = [],
  scope = proxy([{ service: 'reviews' }]),
) {
  const resources = translate(world({ yaml: yamls(services, rule, yaml), endpoints, releases }), scope);
  checkResources(resources);
  return resources;
}

const host = 'reviews:9080';

describe('a VirtualService', () => {
  it('splits over subsets by weight, whatever the sum, and leaves out what gets nothing', () => {
    const resources = translated(
      virtualService(`
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 1 }
        - { destination: { host: reviews, subset: next }, weight: 3 }
        - { destination: { host: reviews, subset: v3 }, weight: 0 }`),
    );
    expect(split(resources, { host })).toEqual({ v1: 0.25, next: 0.75 });
    expect(simulate(resources, { host })).toMatchObject({
      shares: [{ endpoints: ['10.0.0.1:1'] }, { endpoints: ['10.0.0.2:1'] }],
    });
  });

  it('answers 404 where none of its rules holds, and matches as Istio does', () => {
    const resources = translated(
      virtualService(`
    - match: [{ uri: { prefix: /Api }, ignoreUriCase: true, queryParams: { q: {} } }]
      route: [{ destination: { host: reviews, subset: v1 } }]
    - match: [{ withoutHeaders: { x-a: { exact: "1" } }, headers: { x-b: {} } }, { method: { exact: PUT }, authority: { prefix: reviews } }]
      route: [{ destination: { host: reviews, subset: next } }]
    - match: [{ uri: { regex: "/r/[0-9]+" } }]
      route: [{ destination: { host: reviews } }]`),
    );
    expect(split(resources, { host, path: '/apix?q' })).toEqual({ v1: 1 });
    expect(split(resources, { host, path: '/apix' })).toEqual({ 404: 1 });
    expect(split(resources, { host, headers: { 'x-b': '' } })).toEqual({ next: 1 });
    expect(split(resources, { host, headers: { 'x-b': '', 'x-a': '1' } })).toEqual({ 404: 1 });
    expect(split(resources, { host, method: 'PUT' })).toEqual({ next: 1 });
    expect(split(resources, { host, path: '/r/12' })).toEqual({ '': 1 });
    expect(split(resources, { host, path: '/r/12x' })).toEqual({ 404: 1 });
  });

  it('asks for labels, namespace and port when it translates', () => {
    const yaml = virtualService(`
    - match: [{ sourceLabels: { track: beta } }, { sourceNamespace: shop }, { port: 81 }]
      route: [{ destination: { host: reviews, subset: next } }]
    - route: [{ destination: { host: reviews, subset: v1 } }]`);
    expect(split(translated(yaml), { host })).toEqual({ v1: 1 });
    const beta = proxy([{ service: 'reviews' }], { labels: { track: 'beta' } });
    expect(split(translated(yaml, [], beta), { host })).toEqual({ next: 1 });
    const shopper = proxy([{ service: 'reviews' }], { namespace: 'shop' });
    expect(split(translated(yaml, [], shopper), { host: 'reviews.default' })).toEqual({ next: 1 });
  });

  it('has no timeout and two retries unless it says otherwise', () => {
    const silent = simulate(translated(virtualService('[{ route: [{ destination: { host: reviews } }] }]')), { host });
    expect(silent.json?.route).toMatchObject({
      timeout: '0s',
      retryPolicy: {
        numRetries: 2,
        retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes,retriable-headers',
        hostSelectionRetryMaxAttempts: '5',
      },
    });
    const spoken = translated(
      virtualService(`
    - timeout: 1.5s
      retries: { attempts: 3, perTryTimeout: 500ms, retryOn: "5xx,503,429", backoff: 10ms }
      route: [{ destination: { host: reviews } }]`),
    );
    expect(simulate(spoken, { host }).json?.route).toMatchObject({
      timeout: '1.5s',
      retryPolicy: {
        numRetries: 3,
        perTryTimeout: '0.5s',
        retryOn: '5xx,retriable-status-codes,retriable-headers',
        retriableStatusCodes: [503, 429],
        retryBackOff: { baseInterval: '0.01s' },
      },
    });
    const none = translated(
      virtualService('[{ retries: { attempts: 0 }, route: [{ destination: { host: reviews } }] }]'),
    );
    expect(simulate(none, { host }).json?.route?.retryPolicy).toBeUndefined();
  });

  it('injects nothing without a percentage, and mirrors everything without one', () => {
    const resources = translated(
      virtualService(`
    - fault: { delay: { fixedDelay: 2s }, abort: { httpStatus: 500, percentage: { value: 0.5 } } }
      mirror: { host: reviews, subset: next }
      route: [{ destination: { host: reviews, subset: v1 } }]`),
    );
    const { json } = simulate(resources, { host });
    expect(json?.typedPerFilterConfig?.['envoy.filters.http.fault']).toMatchObject({
      delay: { fixedDelay: '2s', percentage: { numerator: 0, denominator: 'MILLION' } },
      abort: { httpStatus: 500, percentage: { numerator: 5000, denominator: 'MILLION' } },
    });
    expect(json?.route?.requestMirrorPolicies).toMatchObject([
      {
        cluster: 'outbound|9080|next|reviews.default.svc.cluster.local',
        runtimeFraction: { defaultValue: { numerator: 1_000_000, denominator: 'MILLION' } },
      },
    ]);
  });

  it('answers by itself, with a text, with bytes or with nothing', () => {
    const resources = translated(
      virtualService(`
    - match: [{ uri: { exact: /text } }]
      directResponse: { status: 503, body: { string: closed } }
      headers: { response: { set: { retry-after: "60" } } }
    - match: [{ uri: { exact: /bytes } }]
      directResponse: { status: 200, body: { bytes: AAE= } }
    - directResponse: { status: 404 }`),
    );
    expect(simulate(resources, { host, path: '/text' }).json).toMatchObject({
      directResponse: { status: 503, body: { inlineString: 'closed' } },
      responseHeadersToAdd: [{ header: { key: 'retry-after', value: '60' } }],
    });
    expect(simulate(resources, { host, path: '/bytes' }).json?.directResponse?.body).toEqual({ inlineBytes: 'AAE=' });
    expect(simulate(resources, { host }).json?.directResponse).toEqual({ status: 404 });
    expect(resources.routes.get('outbound')?.maxDirectResponseBodySizeBytes).toBe(1024 * 1024);
  });

  it('says which scripts may call, as the filter of every listener wants it', () => {
    const { json } = simulate(
      translated(
        virtualService(`
    - corsPolicy:
        allowOrigins: [{ exact: "http://a" }, { regex: "http://b.*" }]
        allowOrigin: ["http://c"]
        allowMethods: [GET, PUT]
        allowHeaders: [x-a]
        exposeHeaders: ["*"]
        maxAge: 2m
        allowCredentials: true
        unmatchedPreflights: IGNORE
      route: [{ destination: { host: reviews } }]`),
      ),
      { host },
    );
    expect(json?.typedPerFilterConfig?.['envoy.filters.http.cors']).toMatchObject({
      allowOriginStringMatch: [{ exact: 'http://a' }, { safeRegex: { regex: 'http://b.*' } }, { exact: 'http://c' }],
      allowMethods: 'GET,PUT',
      allowHeaders: 'x-a',
      exposeHeaders: '*',
      maxAge: '120',
      allowCredentials: true,
      forwardNotMatchingPreflights: false,
      filterEnabled: { defaultValue: { numerator: 100 } },
    });
  });

  it('reads older spellings of percentages, gRPC statuses, regex rewrites, statistics and remote retries', () => {
    const { json } = simulate(
      translated(
        virtualService(`
    - match: [{ uri: { prefix: / }, statPrefix: all }]
      fault: { delay: { fixedDelay: 1s, percent: 7 }, abort: { grpcStatus: UNAVAILABLE, percent: 5 } }
      mirror: { host: reviews, subset: next }
      mirrorPercent: 25
      rewrite: { uriRegexRewrite: { match: "^/a/(.*)$", rewrite: "/b/\\\\1" } }
      retries: { attempts: 1, retryRemoteLocalities: true }
      route: [{ destination: { host: reviews } }]`),
      ),
      { host },
    );
    expect(json?.statPrefix).toBe('all');
    expect(json?.typedPerFilterConfig?.['envoy.filters.http.fault']).toMatchObject({
      delay: { percentage: { numerator: 70_000 } },
      abort: { grpcStatus: 14, percentage: { numerator: 50_000 } },
    });
    expect(json?.route).toMatchObject({
      requestMirrorPolicies: [{ runtimeFraction: { defaultValue: { numerator: 250_000 } } }],
      regexRewrite: { pattern: { regex: '^/a/(.*)$' }, substitution: '/b/\\1' },
      retryPolicy: { retryPriority: { name: 'envoy.retry_priorities.previous_priorities' } },
    });
  });

  it('sends to services that the caller did not declare, and brings their clusters along', () => {
    const resources = translated(virtualService('[{ route: [{ destination: { host: ratings } }] }]'));
    expect(simulate(resources, { host })).toMatchObject({
      shares: [{ cluster: 'outbound|9080||ratings.default.svc.cluster.local' }],
    });
    expect(split(resources, { host: 'ratings:9080' })).toEqual({ 404: 1 });
  });

  it('of the closest host wins, then the first by name, and takes the place of a Route', () => {
    const to = (subset: string): string =>
      `[{ route: [{ destination: { host: reviews.default, subset: ${subset} } }] }]`;
    const route =
      'apiVersion: mesh/v1\nkind: Route\nmetadata: { name: r }\nspec: { service: reviews, rules: [{ split: [{ version: v3, weight: 100 }] }] }';
    const wide = virtualService(to('v1'), '["*.default.svc.cluster.local"]', 'a-wide');
    expect(split(translated(yamls(wide, route)), { host })).toEqual({ v1: 1 });
    expect(split(translated(yamls(wide, virtualService(to('next'), '[reviews]', 'z'), route)), { host })).toEqual({
      next: 1,
    });
    const two = yamls(virtualService(to('v3'), '[reviews]', 'b'), virtualService(to('next'), '[reviews.default]', 'c'));
    expect(split(translated(two), { host })).toEqual({ v3: 1 });
  });

  it('delegates to another, whose short host names are those of its own namespace', () => {
    const other =
      'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: part, namespace: shop }\n' +
      'spec: { http: [{ match: [{ uri: { prefix: /a/v3 } }], route: [{ destination: { host: reviews.default, subset: v3 } }] }, { route: [{ destination: { host: cart } }] }, { match: [{ uri: { exact: /b } }], route: [{ destination: { host: cart } }] }] }';
    const yaml = yamls(
      services,
      serviceYaml('cart', ['v1']).replaceAll('metadata: {', 'metadata: { namespace: shop,'),
      other,
      virtualService(
        '[{ match: [{ uri: { prefix: /a } }], delegate: { name: part, namespace: shop }, timeout: 3s }, { route: [{ destination: { host: reviews } }] }]',
      ),
    );
    const resources = translate(world({ yaml, endpoints }), proxy([{ service: 'reviews' }]));
    checkResources(resources);
    expect(simulate(resources, { host, path: '/a/v3' })).toMatchObject({
      route: 'VirtualService/default/reviews/0.0',
      shares: [{ cluster: 'outbound|9080|v3|reviews.default.svc.cluster.local' }],
      json: { route: { timeout: '3s' } },
    });
    expect(simulate(resources, { host, path: '/a' })).toMatchObject({
      shares: [{ cluster: 'outbound|9080||cart.shop.svc.cluster.local' }],
    });
    expect(split(resources, { host, path: '/b' })).toEqual({ '': 1 });
    expect(resources.problems.map(({ message }) => message)).toEqual([
      'of the rules of VirtualService shop/part, 1 can never hold where it is delegated to',
    ]);
  });

  it('is looked at by the namespaces that it is exported to, and the next one by the others', () => {
    const to = (subset: string): string =>
      `[{ route: [{ destination: { host: reviews.default, subset: ${subset} } }] }]`;
    const mine = virtualService(to('next'), '[reviews]', 'a').replace('hosts:', 'exportTo: ["."]\n  hosts:');
    const yaml = yamls(mine, virtualService(to('v3'), '[reviews]', 'b'));
    expect(split(translated(yaml), { host })).toEqual({ next: 1 });
    const shopper = proxy([{ service: 'reviews' }], { namespace: 'shop' });
    expect(split(translated(yaml, [], shopper), { host: 'reviews.default' })).toEqual({ v3: 1 });
  });

  it('rewrites a host from headers, the rewrite first', () => {
    const resources = translated(
      virtualService(`
    - headers: { request: { set: { Host: a }, add: { x-c: "1" } } }
      route: [{ destination: { host: reviews }, headers: { request: { set: { ":authority": b, x-d: "2" } } } }]`),
    );
    expect(simulate(resources, { host }).json).toMatchObject({
      requestHeadersToAdd: [
        { header: { key: 'x-c' }, appendAction: 'APPEND_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-d' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
      route: { hostRewriteLiteral: 'a' },
    });
  });
});

describe('a release over a VirtualService', () => {
  const yaml = virtualService(`
    - match: [{ uri: { prefix: /only-next } }]
      route: [{ destination: { host: reviews, subset: next } }]
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 80 }
        - { destination: { host: reviews, subset: v3 }, weight: 20 }`);

  it('parts what selects just the old version, and leaves the rest', () => {
    const resources = translated(yaml, [release({ weight: 10 })]);
    expect(split(resources, { host })).toEqual({ v1: 0.72, v2: 0.08, v3: 0.2 });
    expect(split(resources, { host, path: '/only-next' })).toEqual({ next: 1 });
  });

  it('sends who matches to the new version, by a route of its own name', () => {
    const resources = translated(yaml, [release({ weight: 0, matches: [{ header: 'x-user', exact: 'jason' }] })]);
    const jason = simulate(resources, { host, headers: { 'x-user': 'jason' } });
    expect(jason).toMatchObject({ route: 'VirtualService/default/reviews/1~release', shares: [{ share: 1 }] });
    expect(split(resources, { host, headers: { 'x-user': 'jason' } })).toEqual({ v2: 1 });
    expect(split(resources, { host })).toEqual({ v1: 0.8, v3: 0.2 });
  });

  it('reads the old version as the new one after it has succeeded', () => {
    const resources = translated(yaml, [release({ phase: 'succeeded' })]);
    expect(split(resources, { host })).toEqual({ v2: 0.8, v3: 0.2 });
  });

  it('has every cluster it could need before it begins to weigh', () => {
    const without = [...translated(yaml).clusters.keys()];
    const withWeight = [...translated(yaml, [release({ weight: 10 })]).clusters.keys()];
    expect(withWeight).toEqual(without);
  });
});

describe('a plain service under a release', () => {
  const scope = proxy([{ service: 'reviews' }]);
  const at = (over: Parameters<typeof release>[0]) =>
    translate(world({ yaml: services, endpoints, releases: [release(over)] }), scope);

  it('keeps plain traffic on the stable version while it runs, and moves it when it has succeeded', () => {
    expect(simulate(at({ weight: 50 }), { host })).toMatchObject({
      shares: [
        { share: 0.5, endpoints: ['10.0.0.1:1'] },
        { share: 0.5, endpoints: ['10.0.0.2:1'] },
      ],
    });
    expect(simulate(at({ phase: 'succeeded' }), { host })).toMatchObject({ shares: [{ endpoints: ['10.0.0.2:1'] }] });
    expect(simulate(at({ phase: 'undone' }), { host })).toMatchObject({ shares: [{ endpoints: ['10.0.0.1:1'] }] });
  });
});

describe('a DestinationRule', () => {
  const policy = (spec: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: reviews }\nspec: { host: reviews, ${spec} }`;
  const clusterOf = (yaml: string, subset = '') => {
    const resources = translate(world({ yaml: yamls(services, yaml), endpoints }), proxy([{ service: 'reviews' }]));
    checkResources(resources);
    return resources.clusters.get(`outbound|9080|${subset}|reviews.default.svc.cluster.local`);
  };

  it('absent leaves defaults that protect small services', () => {
    expect(clusterOf('')).toMatchObject({
      altStatName: 'default;reviews;',
      lbPolicy: 'LEAST_REQUEST',
      connectTimeout: '1s',
      commonLbConfig: { healthyPanicThreshold: { value: 50 } },
      outlierDetection: { consecutive5xx: 5, maxEjectionPercent: 50, baseEjectionTime: '15s' },
      circuitBreakers: {
        thresholds: [{ maxConnections: 1024, maxPendingRequests: 256, retryBudget: { minRetryConcurrency: 20 } }],
      },
    });
  });

  it('sets pools, balancing and ejection', () => {
    const cluster = clusterOf(
      policy(`trafficPolicy: {
        loadBalancer: { simple: RANDOM },
        connectionPool: { tcp: { maxConnections: 7, connectTimeout: 3s }, http: { http1MaxPendingRequests: 8, maxRetries: 9, maxRequestsPerConnection: 10 } },
        outlierDetection: { consecutive5xxErrors: 0, consecutiveGatewayErrors: 4, interval: 2s, minHealthPercent: 10 } }`),
    );
    expect(cluster).toMatchObject({
      lbPolicy: 'RANDOM',
      connectTimeout: '3s',
      commonLbConfig: { healthyPanicThreshold: { value: 10 } },
      outlierDetection: {
        enforcingConsecutive5xx: 0,
        consecutiveGatewayFailure: 4,
        interval: '2s',
        baseEjectionTime: '30s',
        enforcingSuccessRate: 0,
      },
      circuitBreakers: { thresholds: [{ maxConnections: 7, maxPendingRequests: 8, maxRetries: 9 }] },
    });
    expect(JSON.stringify(cluster)).toContain('"maxRequestsPerConnection":10');
    expect(JSON.stringify(cluster)).not.toContain('retryBudget');
  });

  it("replaces whole blocks of the service's policy by a subset's", () => {
    const cluster = clusterOf(
      policy(`trafficPolicy: { loadBalancer: { simple: RANDOM }, connectionPool: { tcp: { maxConnections: 7 } } },
        subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { connectionPool: { http: { http2MaxRequests: 5 } } } }]`),
      'v1',
    );
    expect(cluster).toMatchObject({
      altStatName: 'default;reviews;v1',
      lbPolicy: 'RANDOM',
      circuitBreakers: { thresholds: [{ maxConnections: 1024, maxRequests: 5 }] },
    });
  });

  it('has settings for single ports that stand alone, at each level', () => {
    const yaml = policy(`trafficPolicy: {
        loadBalancer: { simple: RANDOM },
        connectionPool: { tcp: { maxConnections: 7 } },
        retryBudget: { percent: 50 },
        portLevelSettings: [{ port: { number: 9080 }, connectionPool: { http: { http2MaxRequests: 5 } } }, { port: { number: 81 } }] },
      subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } } },
        { name: v2, labels: { version: v2 }, trafficPolicy: { portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: RANDOM } }] } }]`);
    const budget = { retryBudget: { budgetPercent: { value: 50 }, minRetryConcurrency: 3 } };
    const ofPort = { circuitBreakers: { thresholds: [{ maxConnections: 1024, maxRequests: 5, ...budget }] } };
    expect(clusterOf(yaml)).toMatchObject({ lbPolicy: 'LEAST_REQUEST', ...ofPort });
    expect(clusterOf(yaml, 'v1')).toMatchObject({ lbPolicy: 'ROUND_ROBIN', ...ofPort });
    expect(clusterOf(yaml, 'v2')).toMatchObject({
      lbPolicy: 'RANDOM',
      circuitBreakers: { thresholds: [{ maxRequests: 1024, ...budget }] },
    });
  });

  it.each([
    ['httpHeaderName: x-user', { header: { headerName: 'x-user' } }],
    ['httpQueryParameterName: user', { queryParameter: { name: 'user' } }],
    ['useSourceIp: true', { connectionProperties: { sourceIp: true } }],
    [
      'httpCookie: { name: c, path: /, ttl: 60s, attributes: [{ name: SameSite, value: Strict }] }',
      { cookie: { name: 'c', path: '/', ttl: '60s', attributes: [{ name: 'SameSite', value: 'Strict' }] } },
    ],
  ])('balances by hash of %s, in the cluster and in every route to it', (hash, hashPolicy) => {
    const yaml = yamls(services, policy(`trafficPolicy: { loadBalancer: { consistentHash: { ${hash} } } }`));
    const resources = translate(world({ yaml, endpoints }), proxy([{ service: 'reviews' }]));
    checkResources(resources);
    const { json } = simulate(resources, { host });
    expect(json?.route?.hashPolicy).toEqual([hashPolicy]);
    // A retry elsewhere would be the wrong instance.
    expect(json?.route?.retryPolicy?.retryHostPredicate).toBeUndefined();
    expect(resources.clusters.get('outbound|9080||reviews.default.svc.cluster.local')).toMatchObject({
      lbPolicy: 'RING_HASH',
      ringHashLbConfig: { minimumRingSize: '1024' },
    });
  });

  it('balances by a table where it is asked to, and one subset alone', () => {
    const yaml = policy(
      `subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 7 } } } } }]`,
    );
    expect(clusterOf(yaml, 'v1')).toMatchObject({ lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '7' } });
    expect(clusterOf(yaml, 'v2')).toMatchObject({ lbPolicy: 'LEAST_REQUEST' });
    const split8020 = virtualService(`
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 80 }
        - { destination: { host: reviews, subset: v2 }, weight: 20 }`);
    const resources = translate(
      world({ yaml: yamls(services, yaml, split8020), endpoints }),
      proxy([{ service: 'reviews' }]),
    );
    checkResources(resources);
    expect(simulate(resources, { host }).json?.route?.hashPolicy).toEqual([
      { connectionProperties: { sourceIp: true } },
    ]);
  });

  it('warms new instances up as it says', () => {
    const cluster = clusterOf(
      policy(
        'trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 2m, minimumPercent: 5, aggression: 1.5 } } }',
      ),
    );
    expect(cluster?.roundRobinLbConfig?.slowStartConfig).toMatchObject({
      slowStartWindow: '120s',
      minWeightPercent: { value: 5 },
      aggression: { defaultValue: 1.5 },
    });
  });

  it('holds for the namespaces that it is exported to', () => {
    const of = (namespace: string, simple: string, exportTo: string): string =>
      `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: reviews, namespace: ${namespace} }\n` +
      `spec: { host: reviews.default.svc.cluster.local, exportTo: ${exportTo}, trafficPolicy: { loadBalancer: { simple: ${simple} } } }`;
    const yaml = yamls(services, of('default', 'RANDOM', '["."]'), of('istio-system', 'ROUND_ROBIN', '[shop]'));
    const policyFor = (namespace: string) =>
      translate(world({ yaml, endpoints }), proxy([{ service: 'reviews' }], { namespace })).clusters.get(
        'outbound|9080||reviews.default.svc.cluster.local',
      )?.lbPolicy;
    expect([policyFor('default'), policyFor('shop'), policyFor('other')]).toEqual([
      'RANDOM',
      'ROUND_ROBIN',
      'LEAST_REQUEST',
    ]);
  });

  it('of the caller, then of the service, then of the root namespace decides alone', () => {
    const named = (name: string, namespace: string, simple: string): string =>
      `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: ${name}, namespace: ${namespace} }\n` +
      `spec: { host: reviews.default.svc.cluster.local, trafficPolicy: { loadBalancer: { simple: ${simple} } } }`;
    const yaml = yamls(named('a', 'shop', 'RANDOM'), named('b', 'istio-system', 'ROUND_ROBIN'));
    const snapshot = world({ yaml: yamls(services, yaml), endpoints });
    const policyFor = (namespace: string) =>
      translate(snapshot, proxy([{ service: 'reviews' }], { namespace })).clusters.get(
        'outbound|9080||reviews.default.svc.cluster.local',
      )?.lbPolicy;
    expect([policyFor('shop'), policyFor('default'), policyFor('istio-system')]).toEqual([
      'RANDOM',
      'ROUND_ROBIN',
      'ROUND_ROBIN',
    ]);
  });

  it('names the one version that a subset selects in its statistics, with dots made safe', () => {
    const yaml = yamls(
      serviceYaml('reviews', ['v1.2'], 'protocol: grpc, port: 9080, stable: v1.2'),
      policy('subsets: [{ name: old, labels: { version: v1.2 } }]'),
    );
    const resources = translate(world({ yaml }), proxy([{ service: 'reviews' }]));
    checkResources(resources);
    const cluster = resources.clusters.get('outbound|9080|old|reviews.default.svc.cluster.local');
    expect(cluster?.altStatName).toBe('default;reviews;v1_2');
    expect(JSON.stringify(cluster)).toContain('http2ProtocolOptions');
  });
});

describe('rules for connections', () => {
  const db = yamls(
    serviceYaml('db', ['v1', 'v2'], 'protocol: tcp, port: 5432, stable: v1'),
    serviceYaml('other', ['v1'], 'protocol: tcp, port: 1'),
  );
  const scope = proxy([{ service: 'db', port: 5432, protocol: 'tcp', listener: 7001 }]);
  const connections = (rules: string, releases: Parameters<typeof world>[0]['releases'] = [], from = scope) => {
    const yaml = yamls(db, virtualService('[]', '[db]', 'db').replace('http: []', rules));
    const resources = translate(world({ yaml, releases }), from);
    checkResources(resources);
    return resources;
  };
  type Resources = ReturnType<typeof connections>;
  /** `NAMES: CLUSTER=WEIGHT …` of each chain of the upstream's own listener. */
  const chains = (resources: Resources): readonly string[] =>
    (resources.listeners.get('upstream|db')?.filterChains ?? []).map(({ filterChainMatch, filters }) => {
      const config = filters?.[0]?.typedConfig as {
        cluster?: string;
        weightedClusters?: { clusters: { name: string; weight: number }[] };
      };
      const parts = config.weightedClusters?.clusters ?? [{ name: config.cluster ?? '', weight: 1 }];
      const names = filterChainMatch?.serverNames?.join(',') ?? '*';
      return `${names}: ${parts.map(({ name, weight }) => `${name.split('.')[0]}=${weight}`).join(' ')}`;
    });
  const connect = (resources: Resources): readonly string[] => {
    const experience = simulate(resources, { host: 'db:5432', method: 'CONNECT' });
    if (experience.kind === 'answered') return [];
    return experience.shares.map(({ cluster, share }) => `${cluster.split('.')[0]}=${share}`);
  };
  const split3 =
    '[{ destination: { host: db, subset: v1 }, weight: 3 }, { destination: { host: other }, weight: 1 }, { destination: { host: db, subset: v2 }, weight: 0 }]';

  it('weigh TCP, the first that is for the caller, and CONNECT follows them', () => {
    const resources = connections(
      `tcp: [{ match: [{ sourceLabels: { app: nobody } }, { port: 1 }, { sourceNamespace: other }, { gateways: [front] }], route: [{ destination: { host: other } }] }, { match: [{ port: 5432, sourceLabels: { app: productpage } }], route: ${split3} }, { route: [{ destination: { host: other } }] }]`,
    );
    expect(chains(resources)).toEqual(['*: outbound|5432|v1|db=3 outbound|1||other=1']);
    expect(connect(resources)).toEqual(['outbound|5432|v1|db=0.75', 'outbound|1||other=0.25']);
    expect(resources.listeners.get('upstream|db')).not.toHaveProperty('listenerFilters');
  });

  it('part TLS by server name, the first rule for a name alone, and leave the rest to TCP or to the plain service', () => {
    const rules = `tls: [{ match: [{ sniHosts: [Db] }], route: [{ destination: { host: db, subset: v2 } }] }, { match: [{ sniHosts: [db] }], route: [{ destination: { host: other } }] }]`;
    const resources = connections(rules);
    expect(chains(resources)).toEqual(['db: outbound|5432|v2|db=1', '*: outbound|5432||db=1']);
    expect(resources.listeners.get('upstream|db')?.listenerFilters?.map(({ name }) => name)).toEqual([
      'envoy.filters.listener.tls_inspector',
    ]);
    expect(chains(connections(`${rules}\n  tcp: [{ route: [{ destination: { host: other } }] }]`))).toEqual([
      'db: outbound|5432|v2|db=1',
      '*: outbound|1||other=1',
    ]);
  });

  it('are moved by a release as requests are, but for its marks, which connections do not have', () => {
    const matches = [{ header: 'x-user', exact: 'jason' }];
    const resources = connections(
      `tls: [{ match: [{ sniHosts: [db] }], route: [{ destination: { host: db } }] }]\n  tcp: [{ route: ${split3} }]`,
      [release({ service: 'db', weight: 50, matches })],
    );
    expect(chains(resources)).toEqual([
      'db: outbound|5432||db=1 outbound|5432|v2|db=1',
      '*: outbound|5432|v1|db=3 outbound|5432|v2|db=3 outbound|1||other=2',
    ]);
  });

  it('say nothing about requests', () => {
    const web = yamls(
      services,
      virtualService('[]', '[reviews]').replace('http: []', 'tcp: [{ route: [{ destination: { host: ratings } }] }]'),
    );
    expect(split(translate(world({ yaml: web, endpoints }), proxy([{ service: 'reviews' }])), { host })).toEqual({
      '': 1,
    });
  });
});

describe('a fallback of a Route', () => {
  it('stands in for the statuses that it names, and is the first filter to see the request', () => {
    const yaml = `apiVersion: mesh/v1
kind: Route
metadata: { name: reviews }
spec:
  service: reviews
  rules: [{ split: [{ version: v1, weight: 100 }], fallback: { on: [503], status: 203, headers: { x-b: "50%" }, body: "none" } }]`;
    const resources = translated(yaml);
    const experience = simulate(resources, { host });
    expect(JSON.parse(JSON.stringify(experience))).toMatchObject({
      json: {
        typedPerFilterConfig: {
          'envoy.filters.http.custom_response': {
            customResponseMatcher: {
              matcherTree: {
                exactMatchMap: {
                  map: {
                    503: {
                      action: {
                        typedConfig: {
                          statusCode: 203,
                          body: { inlineString: 'none' },
                          responseHeadersToAdd: [
                            { header: { key: 'x-mesh-reason', value: 'fallback' } },
                            { header: { key: 'x-b', value: '50%%' } },
                          ],
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    });
  });

  it('is refused where nothing speaks HTTP', () => {
    const yaml = yamls(
      serviceYaml('db', ['v1'], 'protocol: tcp, port: 1'),
      'apiVersion: mesh/v1\nkind: Route\nmetadata: { name: db }\nspec: { service: db, rules: [{ split: [{ version: v1, weight: 100 }], fallback: {} }] }',
    );
    expect(problemsIn(yaml).map(({ message }) => message)).toEqual([
      'db has no HTTP port: a fallback stands in for HTTP answers',
    ]);
  });
});
