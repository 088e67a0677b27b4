/**
 * Goal: a real Envoy does with translated resources what the rules say. One sidecar of a caller, one of a callee, the demo
 * application behind both, all over ADS.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import type { Endpoint } from '../../src/model/instance.js';
import type { Release } from '../../src/model/release.js';
import { encodeResources } from '../../src/pilot/encode-resources.js';
import { type ProxyScope, readProxy, translate } from '../../src/pilot/translate/index.js';
import { MeshError } from '../../src/runtime/mesh-error.js';
import type { ProxyNode } from '../../src/xds/ads-host.js';
import type { View } from '../../src/xds/resource-cache.js';
import { say } from '../support/echo-client.js';
import { type Envoy, isEnvoyMissing, startEnvoy } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { endpoint, proxy, release, serviceYaml, world, yamls } from '../support/mesh-world.js';
import { bootstrapOf } from '../support/one-sidecar.js';
import { until } from '../support/until.js';
import { startXds, type TestXds } from '../support/xds-test-host.js';

const run = promisify(execFile);

describe.skipIf(isEnvoyMissing())('a sidecar', () => {
  const apps: Running[] = [];
  let xds: TestXds;
  let caller: Envoy;
  let callee: Envoy;
  let callerScope: ProxyScope;
  let calleeScope: ProxyScope;
  let endpoints: readonly Endpoint[];
  const views = new Map<string, View>();
  let revision = 0n;

  beforeAll(async () => {
    xds = await startXds({ host: { connect } });
    const [v1, v2, echo, ratings] = [
      await app('reviews', 'v1', 'http'),
      await app('reviews', 'v2', 'http'),
      await app('echo', 'v1', 'grpc'),
      await app('ratings', 'v1', 'http'),
    ];
    callerScope = proxy(
      [
        { service: 'reviews', listener: await freePort() },
        { service: 'echo', port: 9090, protocol: 'grpc' },
        { service: 'ratings', listener: await freePort(), protocol: 'tcp', port: 9081, name: 'ratings-tcp' },
        { service: 'behind' },
      ],
      { address: '127.0.0.1', ports: await ports(1) },
    );
    calleeScope = proxy([], {
      service: 'behind',
      instance: 'behind-v1-1',
      address: '127.0.0.1',
      ports: await ports(await freePort()),
    });
    endpoints = [
      endpoint(`reviews/v1@127.0.0.1:${v1}`),
      endpoint(`reviews/v2@127.0.0.1:${v2}`),
      endpoint(`echo/v1@127.0.0.1:${echo}`),
      endpoint(`ratings/v1@127.0.0.1:${ratings}`),
      endpoint(`behind/v1@127.0.0.1:${calleeScope.ports.inbound['http']}`),
    ];
    publish();
    caller = await startEnvoy({ bootstrap: bootstrapOf(callerScope, xds.address) });
    callee = await startEnvoy({ bootstrap: bootstrapOf(calleeScope, xds.address) });
    await until('both sidecars serve', async () => (await acked()) && (await get('reviews:9080')).status === 200);
  });

  afterAll(async () => {
    await caller.stop();
    await callee.stop();
    await xds.stop();
    await Promise.all(apps.map((running) => running.close()));
  });

  async function app(service: string, version: string, protocol: string, port = 0): Promise<number> {
    const running = await startApp({
      PORT: String(port),
      MESH_SERVICE: service,
      MESH_VERSION: version,
      MESH_PROTOCOL: protocol,
      MESH_INSTANCE: `${service}-${version}-1`,
    });
    apps.push(running);
    return running.ports[0] ?? 0;
  }

  async function connect(node: ProxyNode) {
    const reading = readProxy(node);
    if (reading.kind === 'refused') throw new MeshError('MESH2007', reading.reason);
    return { view: () => views.get(reading.scope.id) as View, closed: () => undefined };
  }

  const services = [
    serviceYaml('reviews', ['v1', 'v2']),
    serviceYaml('echo', ['v1'], 'protocol: grpc, port: 9090, stable: v1'),
    serviceYaml(
      'ratings',
      ['v1'],
      'ports: [{ name: http, port: 9080, protocol: http }, { name: tcp, port: 9081, protocol: tcp }], stable: v1',
    ),
    serviceYaml('behind', ['v1']),
  ];

  function publish(rules: readonly string[] = [], releases: readonly Release[] = []): void {
    const snapshot = world({ yaml: yamls(...services, ...rules), endpoints, releases });
    revision += 1n;
    for (const scope of [callerScope, calleeScope]) {
      const { byType, failures } = encodeResources(translate(snapshot, scope), undefined);
      if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('\n'));
      views.set(scope.id, { storeRevision: revision, byType });
    }
    xds.server.changed();
  }

  async function acked(): Promise<boolean> {
    const proxies = xds.server.proxies();
    const states = proxies.flatMap(({ types }) => Object.values(types));
    const refused = states.find((state) => state.state === 'NACK');
    if (refused !== undefined) throw new Error(refused.error);
    return proxies.length === 2 && proxies.every(({ ackedRevision }) => ackedRevision === revision);
  }

  async function apply(rules: readonly string[] = [], releases: readonly Release[] = []): Promise<void> {
    publish(rules, releases);
    await until(`revision ${revision} acknowledged`, acked);
  }

  /** By curl, through the explicit proxy, the authority naming the service. */
  async function curl(...args: readonly string[]): Promise<string> {
    const { stdout } = await run('curl', ['-sS', '-i', '--max-time', '5', ...args]);
    return stdout;
  }

  function proxyUrl(): string {
    return `http://127.0.0.1:${callerScope.ports.proxy}`;
  }

  async function get(host: string, path = '/', headers: Readonly<Record<string, string>> = {}) {
    const args = Object.entries({ host, ...headers }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const text = await curl(...args, `${proxyUrl()}${path}`);
    const header = (name: string): string | undefined => new RegExp(`^${name}: (.*)\\r$`, 'im').exec(text)?.[1];
    return { status: Number(/^HTTP\/\S+ (\d+)/.exec(text)?.[1]), backend: header('x-backend'), header, text };
  }

  describe('takes every way to speak to a proxy:', () => {
    test('HTTP/1.0', async () => {
      expect(await curl('-0', '-H', 'host: reviews:9080', proxyUrl())).toMatch(/x-backend: reviews\/v1/);
    });

    test('absolute form, as http_proxy sends it', async () => {
      expect(await curl('-x', proxyUrl(), 'http://reviews:9080/a')).toMatch(/x-backend: reviews\/v1/);
      expect(await curl('-x', proxyUrl(), 'http://reviews.default.svc.cluster.local/a')).toMatch(
        /x-backend: reviews\/v1/,
      );
    });

    test('HTTP/2 prior knowledge', async () => {
      const answer = await curl('--http2-prior-knowledge', '-H', 'host: reviews:9080', proxyUrl());
      expect(answer).toMatch(/^HTTP\/2 200[^]*x-backend: reviews\/v1/);
    });

    test('CONNECT, whose inside is routed by its own authority', async () => {
      expect(await curl('-p', '-x', proxyUrl(), 'http://reviews:9080/a')).toMatch(/x-backend: reviews\/v1/);
    });

    test('gRPC by authority, and grpc-js by CONNECT', async () => {
      const target = { proxy: `127.0.0.1:${callerScope.ports.proxy}`, target: 'echo:9090', message: 'hello' };
      expect(await say({ ...target, how: 'authority' })).toMatchObject({ message: 'hello' });
      expect(await say({ ...target, how: 'connect' })).toMatchObject({ message: 'hello' });
    });

    test('a port of its own, whatever the host says', async () => {
      const port = callerScope.upstreams[0]?.listener;
      expect(await curl(`http://127.0.0.1:${port}/`)).toMatch(/x-backend: reviews\/v1/);
      expect(await curl('-0', '-H', 'host:', `http://127.0.0.1:${port}/`)).toMatch(/x-backend: reviews\/v1/);
    });

    test('TCP on a port of its own, and by CONNECT', async () => {
      const port = callerScope.upstreams[2]?.listener;
      expect(await curl(`http://127.0.0.1:${port}/`)).toMatch(/x-backend: ratings\/v1/);
      expect(await curl('-p', '-x', proxyUrl(), 'http://ratings:9081/')).toMatch(/x-backend: ratings\/v1/);
    });
  });

  describe('says what is wrong:', () => {
    test('an unknown host is a 404 with the host and the upstreams', async () => {
      const answer = await get('nobody:80');
      expect(answer.status).toBe(404);
      expect(answer.header('x-mesh-reason')).toBe('unknown-host');
      expect(answer.text).toContain(
        'no service "nobody:80" is an upstream of productpage: it has reviews:9080, echo:9090, ratings:9081, behind:9080',
      );
    });

    test('CONNECT to an unknown host, and CONNECT inside of CONNECT, end', async () => {
      const unknown = run('curl', ['-sS', '-p', '-x', proxyUrl(), '--max-time', '5', 'http://nobody:80/']);
      await expect(unknown).rejects.toThrow(/404|CONNECT tunnel failed/i);
      const nested = await curl(
        '-p',
        '-x',
        proxyUrl(),
        '-X',
        'CONNECT',
        '--request-target',
        'reviews:9080',
        'http://reviews:9080/',
      );
      expect(nested).toMatch(/^HTTP\/1.1 200[^]*HTTP\/1.1 403/);
    });
  });

  test('routes by header, splits by weight, and moves at once when a release does', async () => {
    const match = [{ header: 'x-user', exact: 'jason' }];
    await apply([], [release({ weight: 10, matches: match })]);
    expect((await get('reviews:9080', '/', { 'x-user': 'jason' })).backend).toBe('reviews/v2');
    const n = 2000;
    const seen = await many(n);
    const sigma = Math.sqrt(n * 0.1 * 0.9);
    expect(seen['reviews/v1'] ?? 0).toBe(n - (seen['reviews/v2'] ?? 0));
    expect(Math.abs((seen['reviews/v2'] ?? 0) - n * 0.1)).toBeLessThan(4 * sigma);
    await apply([], [release({ phase: 'rolled-back', weight: 0 })]);
    expect(await many(200)).toEqual({ 'reviews/v1': 200 });
  });

  async function many(n: number): Promise<Record<string, number>> {
    const { stdout } = await run(
      'curl',
      ['-sS', '-o', '/dev/null', '-w', '%header{x-backend}\\n', '-H', 'host: reviews:9080', `${proxyUrl()}/[1-${n}]`],
      { maxBuffer: 10_000_000 },
    );
    const counts: Record<string, number> = {};
    for (const line of stdout.trim().split('\n')) counts[line] = (counts[line] ?? 0) + 1;
    return counts;
  }

  test('obeys a VirtualService: fault, rewrite, headers, redirect, answers, CORS, and 404 where no rule is', async () => {
    await apply([
      `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /fault } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: reviews } }]
    - match: [{ uri: { prefix: /old } }]
      rewrite: { uri: /new, authority: other }
      headers: { request: { set: { x-a: "1" } }, response: { set: { x-b: "2" }, remove: [x-instance] } }
      route: [{ destination: { host: reviews, subset: v2 } }]
    - match: [{ uri: { exact: /away } }]
      redirect: { uri: /there, redirectCode: 307 }
    - match: [{ uri: { prefix: /slow } }]
      timeout: 0.2s
      route: [{ destination: { host: reviews } }]
    - match: [{ uri: { prefix: /closed } }]
      directResponse: { status: 503, body: { string: "closed for today" } }
    - match: [{ uri: { prefix: /cors }, statPrefix: cors }]
      corsPolicy: { allowOrigins: [{ exact: "http://a" }], allowMethods: [GET], maxAge: 60s, unmatchedPreflights: IGNORE }
      rewrite: { uriRegexRewrite: { match: "^/cors/(.*)$", rewrite: "/seen/\\\\1" } }
      route: [{ destination: { host: reviews } }]
    - match: [{ uri: { prefix: /grpc-abort } }]
      fault: { abort: { grpcStatus: UNAVAILABLE, percentage: { value: 100 } } }
      route: [{ destination: { host: reviews } }]
    - match: [{ uri: { prefix: /retry } }]
      retries: { attempts: 2, retryOn: "503", retryRemoteLocalities: true }
      route: [{ destination: { host: reviews } }]`,
    ]);
    const closed = await get('reviews:9080', '/closed');
    expect([closed.status, closed.text.endsWith('closed for today')]).toEqual([503, true]);
    const preflight = (origin: string): Promise<string> =>
      curl(
        '-X',
        'OPTIONS',
        '-H',
        'host: reviews:9080',
        '-H',
        `origin: ${origin}`,
        '-H',
        'access-control-request-method: GET',
        `${proxyUrl()}/cors/x`,
      );
    expect(await preflight('http://a')).toMatch(/access-control-allow-origin: http:\/\/a\r/);
    expect(await preflight('http://b')).not.toMatch(/access-control-allow-origin|x-backend/);
    const allowed = await get('reviews:9080', '/cors/y', { origin: 'http://a' });
    expect([allowed.header('access-control-allow-origin'), allowed.backend]).toEqual(['http://a', 'reviews/v1']);
    expect(allowed.text).toMatch(/"path":"\/seen\/y"/);
    const aborted = await get('reviews:9080', '/grpc-abort', { 'content-type': 'application/grpc' });
    expect([aborted.status, aborted.header('grpc-status')]).toEqual([200, '14']);
    expect((await get('reviews:9080', '/fault')).status).toBe(418);
    const rewritten = await get('reviews:9080', '/old/x');
    expect(rewritten.backend).toBe('reviews/v2');
    expect(rewritten.header('x-b')).toBe('2');
    expect(rewritten.header('x-instance')).toBeUndefined();
    expect(rewritten.text).toMatch(/"path":"\/new\/x"/);
    expect(rewritten.text).toMatch(/"host":"other"[^]*"x-a":"1"|"x-a":"1"[^]*"host":"other"/);
    const away = await get('reviews:9080', '/away?x=1');
    expect([away.status, away.header('location')]).toEqual([307, 'http://reviews:9080/there?x=1']);
    expect((await get('reviews:9080', '/slow', { 'x-want-delay': '2' })).status).toBe(504);
    const none = await get('reviews:9080', '/nothing');
    expect([none.status, none.header('x-mesh-reason')]).toEqual([404, 'no-rule']);
    const before = await caller.stat(/^cluster\.default;reviews;\.upstream_rq_retry$/);
    expect((await get('reviews:9080', '/retry', { 'x-want-status': '503' })).status).toBe(503);
    expect((await caller.stat(/^cluster\.default;reviews;\.upstream_rq_retry$/)) - before).toBe(2);
    await apply();
  });

  test('balances by hash: the same user meets the same instance, in every split', async () => {
    await apply([
      `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } }
  subsets: [{ name: all, labels: {} }]`,
      `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: all } }] }] }`,
    ]);
    const users = Array.from({ length: 20 }, (_, i) => `user-${i}`);
    const backendsOf = async (user: string): Promise<Set<string | undefined>> =>
      new Set(
        [await get('reviews:9080', '/', { 'x-user': user }), await get('reviews:9080', '/', { 'x-user': user })].map(
          ({ backend }) => backend,
        ),
      );
    const met = [];
    for (const user of users) met.push(await backendsOf(user));
    expect(met.every((backends) => backends.size === 1)).toBe(true);
    expect(new Set(met.flatMap((backends) => [...backends]))).toEqual(new Set(['reviews/v1', 'reviews/v2']));
    await apply();
  });

  test("repeats what did not reach an app behind a living sidecar, and hides that sidecar's note from the caller", async () => {
    const dead = await get('behind:9080');
    expect(dead.status).toBe(503);
    expect(dead.header('x-mesh-undelivered')).toBeUndefined();
    expect(await caller.stat(/^cluster\.default;behind;\.upstream_rq_retry$/)).toBe(2);
    const direct = await curl(`http://127.0.0.1:${calleeScope.ports.inbound['http']}/`);
    expect(direct).toMatch(/x-mesh-undelivered: connect/);
    await app('behind', 'v1', 'http', calleeScope.ports.app['http']);
    const alive = await until('the app behind answers', async () => {
      const answer = await get('behind:9080');
      return answer.status === 200 && answer;
    });
    expect(alive.backend).toBe('behind/v1');
  });

  test('takes no more requests than a Route says, and is not asked again for those', async () => {
    const limit = `apiVersion: mesh/v1
kind: Route
metadata: { name: behind }
spec:
  service: behind
  limit: { requests: 3, per: 1h }
  rules: [{ split: [{ version: v1, weight: 100 }] }]`;
    await apply([limit]);
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(await get('behind:9080'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
    expect(answers.map((answer) => answer.header('x-mesh-reason'))).toEqual([...Array(3), 'limit', 'limit']);
    expect(await callee.stat(/^limit\.http_local_rate_limit\.rate_limited$/)).toBe(2);
    await apply();
    expect((await get('behind:9080')).status).toBe(200);
  });

  test("lets no caller set Envoy's timeouts and retries by header", async () => {
    const answer = await get('behind:9080', '/', {
      'x-want-delay': '0.3',
      'x-envoy-upstream-rq-timeout-ms': '50',
      'x-envoy-retry-on': '5xx',
    });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toMatch(/x-envoy-(upstream-rq-timeout-ms|retry-on)/);
  });
});

async function ports(appPort: number): Promise<ProxyScope['ports']> {
  return {
    app: { http: appPort },
    inbound: { http: await freePort() },
    proxy: await freePort(),
    metrics: await freePort(),
    upstreams: {},
  };
}
