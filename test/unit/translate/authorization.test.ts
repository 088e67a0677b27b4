/** AuthorizationPolicies, seen in the listeners whose door they guard. */
import { describe, expect, it } from 'vitest';
import { type ProxyScope, translate } from '../../../src/pilot/translate/index.js';
import type { HttpConnectionManagerJson, ListenerJson, RbacRulesJson } from '../../../src/xds/envoy-json.js';
import { fencedBlocks, readPage } from '../../support/doc-commands.js';
import { problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources } from '../../support/simulate.js';

function policy(name: string, spec: string, annotations = ''): string {
  const [own, namespace = 'default'] = name.split('.');
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${own}, namespace: ${namespace}, annotations: { ${annotations} } }
spec: { ${spec} }`;
}

const meshOf = (providers: string): string =>
  `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { extensionProviders: [${providers}] }`;

const productpage = `apiVersion: mesh/v1
kind: Service
metadata: { name: productpage }
spec: { ports: [{ name: http, port: 9080, protocol: http }, { name: raw, port: 9081, protocol: tcp }] }
---
apiVersion: mesh/v1
kind: Version
metadata: { name: productpage-v1 }
spec: { service: productpage, version: v1, container: { image: "demo:1" } }`;
const judge = serviceYaml('judge', ['v1'], 'protocol: grpc, port: 9000');
const mesh = yamls(productpage, judge);
const sidecar = proxy([], {
  servicePorts: [
    { name: 'http', port: 9080, protocol: 'http' },
    { name: 'raw', port: 9081, protocol: 'tcp' },
  ],
  ports: { app: { http: 1, raw: 2 }, inbound: { http: 15_080, raw: 9080 }, proxy: 3, metrics: 4, upstreams: {} },
});

function translated(yaml: readonly string[], scope: ProxyScope = sidecar) {
  const resources = translate(world({ yaml: yamls(mesh, ...yaml) }), scope);
  checkResources(resources);
  return resources;
}

interface Rbac {
  readonly rules?: RbacRulesJson;
  readonly shadowRules?: RbacRulesJson;
}

const typedConfig = ({ typedConfig: config }: { typedConfig?: object }): Rbac => config as Rbac;

function requestFilters(listener: ListenerJson | undefined) {
  const manager = listener?.filterChains?.[0]?.filters?.at(-1)?.typedConfig as HttpConnectionManagerJson | undefined;
  return (manager?.httpFilters ?? []).slice(0, -1);
}

function connectionFilters(listener: ListenerJson | undefined) {
  return (listener?.filterChains?.[0]?.filters ?? []).slice(0, -1);
}

const HTTP = 'inbound';
const TCP = 'inbound|9081';

/** Actions of the filters in front of requests. */
function actions(yaml: readonly string[], scope?: ProxyScope): readonly (string | undefined)[] {
  const filters = requestFilters(translated(yaml, scope).listeners.get(HTTP));
  return filters.map((filter) => typedConfig(filter).rules?.action);
}

const all = 'rules: [{}]';

describe('an AuthorizationPolicy', () => {
  it.each([
    ['its namespace', 'a', true],
    ['the mesh, from the root namespace', 'a.istio-system', true],
    ['another namespace', 'a.shop', false],
  ])('of %s', (_what, name, isThere) => {
    expect(actions([policy(name, all)])).toEqual(isThere ? ['ALLOW'] : []);
  });

  it('selects by labels, from the root namespace too', () => {
    const selecting = (name: string, labels: string): string =>
      policy(name, `selector: { matchLabels: { ${labels} } }, ${all}`);
    expect(actions([selecting('a', 'app: productpage, version: v1')])).toEqual(['ALLOW']);
    expect(actions([selecting('a.istio-system', 'app: productpage')])).toEqual(['ALLOW']);
    expect(actions([selecting('a', 'app: reviews')])).toEqual([]);
  });

  it('refuses before it lets in, and notes before that', () => {
    const some = ['ALLOW', 'DENY', 'AUDIT'].map((action) => policy(action.toLowerCase(), `action: ${action}, ${all}`));
    expect(actions(some)).toEqual(['LOG', 'DENY', 'ALLOW']);
  });

  it('adds up with others of the same action, each rule under its own name', () => {
    const [filter] = requestFilters(
      translated([policy('a', 'rules: [{}, {}]'), policy('b.istio-system', all)]).listeners.get(HTTP),
    );
    expect(Object.keys(typedConfig(filter ?? {}).rules?.policies ?? {})).toEqual([
      'ns[default]-policy[a]-rule[0]',
      'ns[default]-policy[a]-rule[1]',
      'ns[istio-system]-policy[b]-rule[0]',
    ]);
  });

  it('is only counted in a dry run', () => {
    const [filter] = requestFilters(
      translated([policy('a', `action: DENY, ${all}`, 'istio.io/dry-run: "true"')]).listeners.get(HTTP),
    );
    expect(Object.keys(typedConfig(filter ?? {}))).toEqual(['@type', 'shadowRules', 'shadowRulesStatPrefix']);
  });

  it('means ports of the service, wherever the planner has bound them', () => {
    const [filter] = requestFilters(
      translated([
        policy('a', 'rules: [{ to: [{ operation: { ports: ["9080", "9081"], notPorts: ["7"] } }] }]'),
      ]).listeners.get(HTTP),
    );
    const [rule] = Object.values(typedConfig(filter ?? {}).rules?.policies ?? {});
    expect(rule?.permissions).toEqual([
      {
        andRules: {
          rules: [
            { orRules: { rules: [{ destinationPort: 15_080 }, { destinationPort: 9080 }] } },
            { notRule: { orRules: { rules: [{ destinationPort: 7 }] } } },
          ],
        },
      },
    ]);
  });

  it('guards connections as well, where what asks for requests allows none', () => {
    const [filter] = connectionFilters(
      translated([policy('a', 'rules: [{ to: [{ operation: { methods: [GET] } }] }]')]).listeners.get(TCP),
    );
    expect(typedConfig(filter ?? {}).rules).toEqual({ action: 'ALLOW', policies: {} });
  });

  it('leaves every listener the same object when another policy comes', () => {
    const one = policy('a', all);
    const [before, after] = [translated([one]), translated([one, policy('b.shop', all)])];
    for (const [name, listener] of before.listeners) expect(after.listeners.get(name)).toBe(listener);
  });
});

describe('principals', () => {
  function principals(mesh: string, ...values: readonly string[]): string {
    const [filter] = requestFilters(
      translated([
        mesh,
        policy('a', `rules: [{ from: [{ source: { principals: ${JSON.stringify(values)} } }] }]`),
      ]).listeners.get(HTTP),
    );
    return JSON.stringify(Object.values(typedConfig(filter ?? {}).rules?.policies ?? {})[0]?.principals);
  }

  it('of the mesh have its trust domain and its aliases', () => {
    const named = `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { trustDomain: shop.example, trustDomainAliases: [old.example] }`;
    const text = principals(named, 'cluster.local/ns/default/sa/a');
    expect(text).toContain('"spiffe://shop.example/ns/default/sa/a"');
    expect(text).toContain('"spiffe://old.example/ns/default/sa/a"');
  });

  it('may be written as certificates have them', () => {
    expect(principals('', 'spiffe://other/ns/default/sa/a')).toContain('{"exact":"spiffe://other/ns/default/sa/a"}');
  });
});

describe('CUSTOM', () => {
  const custom = policy('a', `action: CUSTOM, provider: { name: judge }, ${all}`);
  const grpc = meshOf(
    '{ name: judge, envoyExtAuthzGrpc: { service: default/judge, port: 9000 } }, { name: judge-2, envoyExtAuthzGrpc: { service: default/judge, port: 9000 } }',
  );
  const http = meshOf('{ name: judge, envoyExtAuthzHttp: { service: default/judge, port: 9000 } }');

  it('asks its provider before all others, and reaches it although it is no upstream', () => {
    const resources = translated([grpc, custom, policy('b', `action: DENY, ${all}`)]);
    expect(requestFilters(resources.listeners.get(HTTP)).map(({ name }) => name)).toEqual([
      'envoy.filters.http.rbac',
      'envoy.filters.http.ext_authz',
      'envoy.filters.http.rbac',
    ]);
    expect(resources.clusters.has('outbound|9000||judge.default.svc.cluster.local')).toBe(true);
    expect(translated([grpc]).clusters.has('outbound|9000||judge.default.svc.cluster.local')).toBe(false);
  });

  it('asks of two providers only the one that is meant, whatever their names begin with', () => {
    const two = policy('b', `action: CUSTOM, provider: { name: judge-2 }, ${all}`);
    const filters = requestFilters(translated([grpc, custom, two]).listeners.get(HTTP));
    const asked = filters.flatMap((filter) => JSON.stringify(filter).match(/"prefix":"[^"]+"/g) ?? []);
    expect(asked).toEqual(['"prefix":"istio-ext-authz-judge-ns["', '"prefix":"istio-ext-authz-judge-2-ns["']);
  });

  it('lets connections in unasked where its provider judges requests only', () => {
    const { listeners } = translated([http, custom]);
    expect(connectionFilters(listeners.get(TCP))).toEqual([]);
    expect(requestFilters(listeners.get(HTTP))).toHaveLength(2);
    expect(problemsIn(mesh, http, custom).map(({ message }) => message)).toEqual([
      'provider "judge" judges requests only: connections to TCP port 9081 of default/productpage are let in without it',
    ]);
  });
});

describe('what a policy says for nobody, or otherwise than it looks, is told when it is applied', () => {
  const warnings = (spec: string): readonly string[] =>
    problemsIn(mesh, policy('a', `selector: { matchLabels: { app: productpage } }, ${spec}`)).map(
      ({ severity, message }) => `${severity}: ${message}`,
    );

  it.each([
    [
      'action: DENY, rules: [{ to: [{ operation: { ports: ["9090"] } }] }]',
      'no service that this is for has port 9090',
    ],
    [
      'action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }]',
      'what this asks of requests does not count at TCP port 9081 of default/productpage: the rest refuses connections',
    ],
    [
      'rules: [{ when: [{ key: "request.headers[x]", values: [a] }] }]',
      'this asks for requests, and so allows no connection to TCP port 9081 of default/productpage',
    ],
    [
      'rules: [{ when: [{ key: connection.sni, values: [a] }] }]',
      'server names are known where TLS ends at the proxy: connections to TCP port 9081 of default/productpage have none',
    ],
    [
      'action: DENY, rules: [{ to: [{ operation: { ports: ["9080"], paths: ["/a/*/b"] } }] }]',
      'the * in "/a/*/b" is taken literally: it counts at the beginning or at the end, and there once',
    ],
  ])('%s', (spec, message) => {
    expect(warnings(spec)).toEqual([`warning: ${message}`]);
  });

  it('but not of gateways, whose ports are what Gateways say', () => {
    const edge = `apiVersion: mesh/v1
kind: Service
metadata: { name: edge }
spec: { gateway: true, ports: [{ name: https, port: 443, protocol: tcp }] }
---
apiVersion: mesh/v1
kind: Version
metadata: { name: edge-v1 }
spec: { service: edge, version: v1 }`;
    const rules = 'rules: [{ to: [{ operation: { methods: [GET] } }] }]';
    expect(problemsIn(edge, policy('a', `selector: { matchLabels: { app: edge } }, ${rules}`))).toEqual([]);
  });

  it('and what is right is not', () => {
    expect(
      warnings(
        'action: DENY, rules: [{ from: [{ source: { namespaces: ["a*b"] } }], to: [{ operation: { ports: ["9080"], paths: ["/a/{*}/b", "*", "/c*"] } }] }]',
      ),
    ).toEqual([]);
  });
});

it('docs/how-to/authorization.md says what is so', () => {
  const blocks = fencedBlocks(readPage('docs/how-to/authorization.md'), 'yaml').map(({ text }) => text);
  const services = ['orders', 'gatekeeper'].map((name) => serviceYaml(name, ['v1'], 'protocol: http, port: 80'));
  const yaml = yamls(...services, ...blocks);
  expect(problemsIn(yaml)).toEqual([]);
  const scope = proxy([], { service: 'orders', servicePorts: [{ name: 'http', port: 80, protocol: 'http' }] });
  const resources = translate(world({ yaml }), scope);
  checkResources(resources);
  expect(requestFilters(resources.listeners.get(HTTP)).map(({ name = '' }) => name.replace(/^.*\./, ''))).toEqual([
    'rbac',
    'ext_authz',
    'rbac',
    'rbac',
  ]);
});
