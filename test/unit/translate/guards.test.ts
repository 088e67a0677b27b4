/** Where the filters stand that ask who may come in. */
import { describe, expect, it } from 'vitest';
import { type Guards, guardedListeners } from '../../../src/pilot/translate/guards.js';
import { type ProxyScope, translate } from '../../../src/pilot/translate/index.js';
import type { HttpConnectionManagerJson, ListenerJson } from '../../../src/xds/envoy-json.js';
import { proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';

const guards: Guards = { http: [{ name: 'first' }, { name: 'second' }], network: [{ name: 'bytes' }] };

function filtersOf(listener: ListenerJson | undefined): readonly string[] {
  const filters = listener?.filterChains?.[0]?.filters ?? [];
  const manager = filters.at(-1)?.typedConfig as HttpConnectionManagerJson | undefined;
  return [...filters.slice(0, -1), ...(manager?.httpFilters ?? filters.slice(-1))].map(({ name = '' }) =>
    name.replace(/^envoy\.filters\.(http|network)\./, ''),
  );
}

const mesh = yamls(
  serviceYaml('productpage', ['v1']),
  serviceYaml('ratings', ['v1']),
  `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { ingress: [{ port: { number: 7070, protocol: HTTP, name: more } }, { port: { number: 7071, protocol: TCP, name: raw } }] }`,
  `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec: { selector: { istio: front }, servers: [{ port: { number: 8080, name: web, protocol: HTTP }, hosts: ["*"] }] }`,
  `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: front }
spec: { hosts: ["*"], gateways: [front], http: [{ route: [{ destination: { host: ratings } }] }] }`,
);
const sidecar = proxy([{ service: 'ratings', name: 'ratings', port: 9080, listener: 21_000 }]);
const edge = proxy([], {
  isGateway: true,
  labels: { istio: 'front' },
  servicePorts: [{ name: 'web', port: 8080, protocol: 'http' }],
});

function guarded(scope: ProxyScope, by = guards): ReadonlyMap<string, ListenerJson> {
  return guardedListeners(translate(world({ yaml: mesh }), scope).listeners, by);
}

describe('guards', () => {
  it('stand in front of a request, in their order', () => {
    expect(filtersOf(guarded(sidecar).get('inbound'))).toEqual(['first', 'second', 'router']);
    expect(filtersOf(guarded(sidecar).get('ingress|7070'))).toEqual(['first', 'second', 'router']);
  });

  it('stand in front of a connection whose bytes are passed on', () => {
    expect(filtersOf(guarded(sidecar).get('ingress|7071'))).toEqual(['bytes', 'tcp_proxy']);
  });

  it('stand at the edge before what its rules do for a request', () => {
    expect(filtersOf(guarded(edge).get('gateway|8080')).slice(0, 4)).toEqual([
      'rbac',
      'first',
      'second',
      'custom_response',
    ]);
  });

  it('count who may come in, last of all', () => {
    const yaml = yamls(
      mesh,
      `apiVersion: mesh/v1
kind: Route
metadata: { name: productpage }
spec: { service: productpage, limit: { requests: 20, per: 2s, burst: 50 }, rules: [{ split: [{ version: v1, weight: 100 }] }] }`,
    );
    const listener = translate(world({ yaml }), sidecar).listeners.get('inbound');
    expect(filtersOf(listener)).toEqual(['local_ratelimit', 'router']);
    const manager = listener?.filterChains?.[0]?.filters?.[0]?.typedConfig as HttpConnectionManagerJson;
    expect(manager.httpFilters?.[0]?.typedConfig).toMatchObject({
      tokenBucket: { maxTokens: 50, tokensPerFill: 20, fillInterval: '2s' },
      rateLimitedAsResourceExhausted: true,
    });
    expect(filtersOf(translate(world({ yaml }), proxy([], { service: 'ratings' })).listeners.get('inbound'))).toEqual([
      'router',
    ]);
  });

  it('do not stand between an app and its own proxy', () => {
    const [before, after] = [translate(world({ yaml: mesh }), sidecar).listeners, guarded(sidecar)];
    for (const name of ['outbound', 'tunnel', 'upstream|ratings'])
      expect(filtersOf(after.get(name))).toEqual(filtersOf(before.get(name)));
  });

  it('leave every listener the same object when nothing has changed', () => {
    const { listeners } = translate(world({ yaml: mesh }), sidecar);
    const again = { http: [...guards.http], network: [...guards.network] };
    expect(guardedListeners(listeners, again)).toBe(guardedListeners(listeners, guards));
  });
});
