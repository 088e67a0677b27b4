/** Goal: a real Envoy does what EnvoyFilters say on the way in and on the way out, and one that it refuses delays nobody else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import type { Endpoint } from '../../src/model/instance.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { endpoint, serviceYaml, yamls } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';
import { until } from '../support/until.js';

const AT_ROUTER =
  'listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: envoy.filters.http.router } } } }';
const TYPE = 'type.googleapis.com/envoy.extensions.filters.http';

function filter(name: string, ...patches: readonly string[]): string {
  return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name} }
spec: { workloadSelector: { labels: { app: productpage } }, configPatches: [${patches.join(', ')}] }`;
}

const lua = (context: string, code: string): string =>
  `{ applyTo: HTTP_FILTER, match: { context: ${context}, ${AT_ROUTER} }, patch: { operation: INSERT_BEFORE,
     value: { name: mine, typed_config: { "@type": ${TYPE}.lua.v3.Lua, inline_code: '${code}' } } } }`;

const tagged = (tag: string): string =>
  `function envoy_on_response(handle) handle:headers():add("x-lua", "${tag}") end`;

const limit = (tokens: string): string => `{ "@type": type.googleapis.com/udpa.type.v1.TypedStruct,
  type_url: ${TYPE}.local_ratelimit.v3.LocalRateLimit,
  value: { stat_prefix: rl, ${tokens} filter_enabled: { default_value: { numerator: 100 } }, filter_enforced: { default_value: { numerator: 100 } } } }`;

const bucket = (max: number): string =>
  `token_bucket: { max_tokens: ${max}, tokens_per_fill: ${max}, fill_interval: 600s },`;

const answers = (status: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ directResponse: { status: ${status} } }] }`;

describe.skipIf(isEnvoyMissing())('EnvoyFilters at a sidecar', () => {
  let sidecar: OneSidecar;
  const apps: Running[] = [];
  let endpoints: readonly Endpoint[];
  const mesh = (...more: readonly string[]): string =>
    yamls(serviceYaml('productpage', ['v1']), serviceYaml('reviews', ['v1']), ...more);

  beforeAll(async () => {
    const upstream = {
      mode: 'proxy',
      name: 'reviews',
      namespace: 'default',
      service: 'reviews',
      port: 9080,
      protocol: 'http',
      listener: undefined,
    } as const;
    sidecar = await startOneSidecar({ upstreams: [upstream] });
    const app = async (service: string, port: number): Promise<number> => {
      const env = { PORT: String(port), MESH_SERVICE: service, MESH_VERSION: 'v1', MESH_INSTANCE: service };
      const running = await startApp(env);
      apps.push(running);
      return running.ports[0] as number;
    };
    await app('productpage', sidecar.scope.ports.app['http'] as number);
    endpoints = [endpoint(`reviews/v1@127.0.0.1:${await app('reviews', 0)}`)];
  });

  afterAll(async () => {
    await sidecar.stop();
    await Promise.all(apps.map((app) => app.close()));
  });

  const outbound = (): Promise<string> => sidecar.curl('-H', 'host: reviews:9080', sidecar.proxyUrl());
  const inbound = (): Promise<string> => sidecar.curl(`http://127.0.0.1:${sidecar.scope.ports.inbound['http']}/`);
  const status = (answer: string): string => answer.split(' ')[1] ?? '';

  test('Lua runs on the way in and on the way out', async () => {
    await sidecar.apply(
      mesh(filter('in', lua('SIDECAR_INBOUND', tagged('in'))), filter('out', lua('SIDECAR_OUTBOUND', tagged('out')))),
      endpoints,
    );
    expect(await outbound()).toMatch(/x-backend: reviews\/v1[^]*x-lua: out\r/);
    expect(await inbound()).toMatch(/x-backend: productpage\/v1[^]*x-lua: in\r/);
  });

  test('a limit of requests holds on the way in, and on one virtual host on the way out', async () => {
    const inFilter = `{ applyTo: HTTP_FILTER, match: { context: SIDECAR_INBOUND }, patch: { operation: INSERT_BEFORE, value: { name: envoy.filters.http.local_ratelimit, typed_config: ${limit(bucket(3))} } } }`;
    const outFilter = inFilter.replace('SIDECAR_INBOUND', 'SIDECAR_OUTBOUND').replace(bucket(3), '');
    const host = `{ applyTo: HTTP_ROUTE, match: { context: SIDECAR_OUTBOUND, routeConfiguration: { vhost: { name: "reviews.default.svc.cluster.local:9080" } } },
      patch: { operation: MERGE, value: { typed_per_filter_config: { envoy.filters.http.local_ratelimit: ${limit(bucket(2))} } } } }`;
    await sidecar.apply(mesh(filter('limits', inFilter, outFilter, host)), endpoints);
    const five = async (ask: () => Promise<string>): Promise<readonly string[]> => {
      const seen: string[] = [];
      for (let i = 0; i < 5; i++) seen.push(status(await ask()));
      return seen;
    };
    expect(await five(inbound)).toEqual(['200', '200', '200', '429', '429']);
    expect(await five(outbound)).toEqual(['200', '200', '429', '429', '429']);
  });

  test('a cluster of its own can be called, and one that is removed answers 503', async () => {
    const port = endpoints[0]?.port;
    const cluster = `{ applyTo: CLUSTER, patch: { operation: ADD, value: { name: mine, type: STATIC, connect_timeout: 500ms,
      load_assignment: { cluster_name: mine, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] } } } }`;
    const route = `{ applyTo: HTTP_ROUTE, match: { context: SIDECAR_OUTBOUND, routeConfiguration: { vhost: { domainName: "reviews:9080" } } },
      patch: { operation: INSERT_FIRST, value: { name: mine, match: { path: /mine }, route: { cluster: mine } } } }`;
    const gone =
      '{ applyTo: CLUSTER, match: { cluster: { service: reviews.default.svc.cluster.local } }, patch: { operation: REMOVE } }';
    await sidecar.apply(mesh(filter('own', cluster, route, gone)), endpoints);
    expect(status(await sidecar.curl('-H', 'host: reviews:9080', `${sidecar.proxyUrl()}/mine`))).toBe('200');
    expect(status(await outbound())).toBe('503');
  });

  test('a filter is fetched by its name as an extension config', async () => {
    const named = `{ applyTo: HTTP_FILTER, match: { context: SIDECAR_OUTBOUND }, patch: { operation: INSERT_FIRST, value: { name: fetched,
      config_discovery: { config_source: { ads: {}, resource_api_version: V3 }, type_urls: [${TYPE}.lua.v3.Lua] } } } }`;
    const config = `{ applyTo: EXTENSION_CONFIG, patch: { operation: ADD, value: { name: fetched, typed_config: { "@type": ${TYPE}.lua.v3.Lua, inline_code: '${tagged('fetched')}' } } } }`;
    await sidecar.apply(mesh(filter('fetched', named, config)), endpoints);
    await until('the fetched filter answers', async () => (await outbound()).includes('x-lua: fetched'));
  });

  test('one that Envoy refuses delays nobody: routes and clusters of others change meanwhile', async () => {
    await sidecar.apply(mesh(answers(201)), endpoints);
    const bad = filter('bad', lua('SIDECAR_OUTBOUND', 'no lua'));
    expect(await sidecar.refusal(mesh(answers(201), bad), endpoints)).toContain('script load error');
    expect(status(await outbound())).toBe('201');
    const good = filter('in', lua('SIDECAR_INBOUND', tagged('still')));
    await sidecar.refusal(mesh(answers(202), bad, good), endpoints);
    await until('the change of another object has come', async () => status(await outbound()) === '202');
    await until('and of another listener', async () => (await inbound()).includes('x-lua: still'));
  });
});
