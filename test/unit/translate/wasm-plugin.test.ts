/** WasmPlugins, seen in the listeners that they change. */
import { describe, expect, it } from 'vitest';
import { type ProxyScope, translate } from '../../../src/pilot/translate/index.js';
import type { HttpConnectionManagerJson, ListenerJson } from '../../../src/xds/envoy-json.js';
import { problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources } from '../../support/simulate.js';

function plugin(name: string, spec = ''): string {
  const [own, namespace = 'default'] = name.split('.');
  return `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: { name: ${own}, namespace: ${namespace} }
spec: { url: "file:///m/x.wasm", ${spec} }`;
}

const mesh = yamls(serviceYaml('productpage', ['v1']), serviceYaml('ratings', ['v1']));
const caller = proxy([{ service: 'ratings', name: 'ratings', port: 9080, listener: 21_000 }]);

function translated(scope: ProxyScope, ...more: readonly string[]): ReadonlyMap<string, ListenerJson> {
  const resources = translate(world({ yaml: yamls(mesh, ...more) }), scope);
  checkResources(resources);
  return resources.listeners;
}

function manager(listener: ListenerJson | undefined): HttpConnectionManagerJson {
  return listener?.filterChains?.[0]?.filters?.at(-1)?.typedConfig as unknown as HttpConnectionManagerJson;
}

function httpFilters(listener: ListenerJson | undefined): readonly string[] {
  const filters = manager(listener).httpFilters ?? [];
  return filters.map(({ name = '' }) =>
    name.replace(/^(envoy.filters.http.|extensions.istio.io\/wasmplugin\/default.)/, ''),
  );
}

describe('a WasmPlugin', () => {
  it('is configured with what it says', () => {
    const inbound = translated(
      caller,
      plugin(
        'p',
        'pluginName: mine, pluginConfig: { a: [1] }, failStrategy: FAIL_OPEN, vmConfig: { env: [{ name: A, value: b }, { name: H, valueFrom: HOST }] }',
      ),
    ).get('inbound');
    expect(manager(inbound).httpFilters?.[0]).toEqual({
      name: 'extensions.istio.io/wasmplugin/default.p',
      typedConfig: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm',
        config: {
          name: 'extensions.istio.io/wasmplugin/default.p',
          rootId: 'mine',
          configuration: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: '{"a":[1]}' },
          failurePolicy: 'FAIL_OPEN',
          vmConfig: {
            runtime: 'envoy.wasm.runtime.v8',
            code: { local: { filename: '/m/x.wasm' } },
            environmentVariables: { hostEnvKeys: ['H'], keyValues: { A: 'b' } },
          },
        },
      },
    });
  });

  it('stands in its phase, the one with the highest priority first', () => {
    const all = [
      plugin('last'),
      plugin('authz', 'phase: AUTHZ'),
      plugin('authn', 'phase: AUTHN'),
      plugin('authn-first', 'phase: AUTHN, priority: 5'),
      plugin('stats', 'phase: STATS, priority: 1'),
    ];
    expect(httpFilters(translated(caller, ...all).get('inbound'))).toEqual([
      'authn-first',
      'authn',
      'authz',
      'stats',
      'last',
      'router',
    ]);
    expect(httpFilters(translated(caller, ...all).get('upstream|ratings'))).toEqual([
      'authn-first',
      'authn',
      'authz',
      'rbac',
      'custom_response',
      'cors',
      'fault',
      'dynamic_forward_proxy',
      'stats',
      'last',
      'router',
    ]);
  });

  it.each([
    ['', ['inbound', 'outbound', 'tunnel', 'upstream|ratings']],
    ['match: [{ mode: SERVER }]', ['inbound']],
    ['match: [{ mode: CLIENT }]', ['outbound', 'tunnel', 'upstream|ratings']],
    ['match: [{ mode: CLIENT, ports: [{ number: 9080 }] }]', ['upstream|ratings']],
    ['match: [{ ports: [{ number: 80 }] }]', []],
    ['match: [{ ports: [{ number: 80 }] }, { mode: SERVER }]', ['inbound']],
    ['selector: { matchLabels: { app: ratings } }', []],
  ])('{ %s } runs at %j', (spec, expected) => {
    const listeners = translated(caller, plugin('p', spec));
    expect([...listeners].filter(([, one]) => httpFilters(one).includes('p')).map(([name]) => name)).toEqual(expected);
  });

  it('of the root namespace is for the mesh, and one of another namespace is not for it', () => {
    expect(httpFilters(translated(caller, plugin('p.istio-system'), plugin('q.shop')).get('inbound'))).toEqual([
      'extensions.istio.io/wasmplugin/istio-system.p',
      'router',
    ]);
  });

  it('of connections stands before what takes the connection', () => {
    const listeners = translated(caller, plugin('p', 'type: NETWORK'));
    expect(listeners.get('inbound')?.filterChains?.[0]?.filters?.map(({ name }) => name)).toEqual([
      'extensions.istio.io/wasmplugin/default.p',
      'envoy.filters.network.http_connection_manager',
    ]);
    expect(httpFilters(listeners.get('inbound'))).toEqual(['router']);
  });

  it.each([
    ['https://example.com/x.wasm', 'only files are loaded'],
    ['oci://example.com/x', 'only files are loaded'],
    ['file://', 'only files are loaded'],
    ['fake://x', 'file:///PATH'],
  ])('from %s is refused', (url, message) => {
    const problems = problemsIn(plugin('p').replace('file:///m/x.wasm', url));
    expect(problems.map((problem) => problem.message).join('; ')).toContain(message);
  });

  it.each([
    ['sha256: abc', 'sha256 is not supported'],
    ['vmConfig: { env: [{ name: a }, { name: a }] }', 'a variable stands twice'],
    ['vmConfig: { env: [{ name: a, valueFrom: HOST, value: b }] }', 'a value is for valueFrom: INLINE'],
    ['match: [{ mode: CLIENT, ports: [{ number: 80 }] }]', 'the shared proxy port serves all ports'],
  ])('{ %s } is told', (spec, message) => {
    expect(
      problemsIn(plugin('p', spec))
        .map((problem) => problem.message)
        .join('; '),
    ).toContain(message);
  });
});
