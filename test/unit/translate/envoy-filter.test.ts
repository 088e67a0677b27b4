/** EnvoyFilters, seen in the resources that they change. */
import { describe, expect, it } from 'vitest';
import { type ProxyScope, translate } from '../../../src/pilot/translate/index.js';
import { layersOf } from '../../../src/runtime/layered-map.js';
import type { HttpConnectionManagerJson, ListenerJson } from '../../../src/xds/envoy-json.js';
import { endpoint, problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources, simulate } from '../../support/simulate.js';

const HTTP = 'filter: { name: envoy.filters.network.http_connection_manager }';
const AT_ROUTER =
  'filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: envoy.filters.http.router } }';
const LUA = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua';
const lua = (name: string): string => `{ name: ${name}, typed_config: { "@type": ${LUA}, inline_code: "x" } }`;

/** `name.namespace` of it, and its patches in flow style. */
function filter(name: string, patches: readonly string[], more = ''): string {
  const [own, namespace = 'default'] = name.split('.');
  return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${own}, namespace: ${namespace} }
spec: { ${more} configPatches: [${patches.join(', ')}] }`;
}

const patch = (applyTo: string, match: string, operation: string, value = ''): string =>
  `{ applyTo: ${applyTo}, match: ${match}, patch: { operation: ${operation}${value === '' ? '' : `, value: ${value}`} } }`;

const mesh = yamls(
  serviceYaml('reviews', ['v1', 'v2']),
  serviceYaml('ratings', ['v1']),
  serviceYaml('productpage', ['v1']),
);
const endpoints = [endpoint('reviews/v1@10.1.0.1:1'), endpoint('ratings/v1@10.1.0.2:1')];
const upstreams = [{ service: 'reviews' }, { service: 'ratings', name: 'ratings', listener: 21_000 }];

function translated(scope: ProxyScope, ...filters: readonly string[]) {
  const resources = translate(world({ yaml: yamls(mesh, ...filters), endpoints }), scope);
  checkResources(resources);
  return resources;
}

const caller = proxy(upstreams);

function httpFilters(listener: ListenerJson | undefined): readonly string[] {
  const config = listener?.filterChains?.[0]?.filters?.at(-1)?.typedConfig as unknown as HttpConnectionManagerJson;
  return (config.httpFilters ?? []).map(({ name = '' }) => name.replace('envoy.filters.http.', ''));
}

describe('HTTP filters', () => {
  const byListener = (...patches: readonly string[]): Readonly<Record<string, readonly string[]>> => {
    const { listeners, problems } = translated(caller, filter('f', patches));
    expect(problems).toEqual([]);
    return Object.fromEntries([...listeners].map(([name, one]) => [name, httpFilters(one)]));
  };
  const before = byListener();

  it('are inserted on the way in, on the way out, or on both', () => {
    const at = (context: string): readonly string[] =>
      Object.entries(byListener(patch('HTTP_FILTER', `{ context: ${context} }`, 'INSERT_BEFORE', lua('new'))))
        .filter(([, filters]) => filters[0] === 'new')
        .map(([name]) => name);
    expect(at('SIDECAR_INBOUND')).toEqual(['inbound']);
    expect(at('SIDECAR_OUTBOUND')).toEqual(['outbound', 'tunnel', 'upstream|ratings']);
    expect(at('ANY')).toEqual(['inbound', 'outbound', 'tunnel', 'upstream|ratings']);
    expect(at('GATEWAY')).toEqual([]);
  });

  it.each([
    ['INSERT_BEFORE', AT_ROUTER, ['custom_response', 'cors', 'fault', 'dynamic_forward_proxy', 'new', 'router']],
    [
      'INSERT_AFTER',
      AT_ROUTER.replace('router', 'cors'),
      ['custom_response', 'cors', 'new', 'fault', 'dynamic_forward_proxy', 'router'],
    ],
    ['INSERT_AFTER', HTTP, ['custom_response', 'cors', 'fault', 'dynamic_forward_proxy', 'new', 'router']],
    ['INSERT_BEFORE', HTTP, ['new', 'custom_response', 'cors', 'fault', 'dynamic_forward_proxy', 'router']],
    ['INSERT_FIRST', AT_ROUTER, ['new', 'custom_response', 'cors', 'fault', 'dynamic_forward_proxy', 'router']],
    ['ADD', HTTP, ['custom_response', 'cors', 'fault', 'dynamic_forward_proxy', 'new', 'router']],
    [
      'REPLACE',
      AT_ROUTER.replace('router', 'fault'),
      ['custom_response', 'cors', 'new', 'dynamic_forward_proxy', 'router'],
    ],
    ['REMOVE', AT_ROUTER.replace('router', 'fault'), ['custom_response', 'cors', 'dynamic_forward_proxy', 'router']],
  ])('%s at { %s }', (operation, anchor, expected) => {
    const match = `{ context: SIDECAR_OUTBOUND, listener: { filterChain: { ${anchor} } } }`;
    const value = operation === 'REMOVE' ? '' : lua('new');
    expect(byListener(patch('HTTP_FILTER', match, operation, value))['outbound']).toEqual(expected);
  });

  it('are left as they are where the anchor is not there', () => {
    const match = `{ listener: { filterChain: { ${AT_ROUTER.replace('http.router', 'http.nobody')} } } }`;
    expect(byListener(patch('HTTP_FILTER', match, 'INSERT_BEFORE', lua('new')))).toEqual(before);
  });

  it('by filterClass stand behind those that ask who calls, and those that decide who may', () => {
    const rbac =
      '{ name: envoy.filters.http.rbac, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC } }';
    const at = (filterClass: string): readonly string[] => {
      const added = patch('HTTP_FILTER', '{ context: SIDECAR_INBOUND }', 'ADD', lua('new')).replace(
        'operation',
        `filterClass: ${filterClass}, operation`,
      );
      return (
        byListener(patch('HTTP_FILTER', '{ context: SIDECAR_INBOUND }', 'INSERT_FIRST', rbac), added)['inbound'] ?? []
      );
    };
    expect(at('AUTHN')).toEqual(['new', 'rbac', 'router']);
    expect(at('AUTHZ')).toEqual(['rbac', 'new', 'router']);
    expect(at('STATS')).toEqual(['rbac', 'new', 'router']);
  });

  it('are merged by name, or into what has the same type', () => {
    const add = patch('HTTP_FILTER', '{ context: SIDECAR_INBOUND }', 'ADD', lua('mine'));
    const more =
      '{ name: mine, typed_config: { "@type": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: ' +
      LUA +
      ', value: { stat_prefix: s } } }';
    const { listeners } = translated(
      caller,
      filter('f', [add, patch('HTTP_FILTER', '{ context: SIDECAR_INBOUND }', 'MERGE', more)]),
    );
    const config = listeners.get('inbound')?.filterChains?.[0]?.filters?.[0]
      ?.typedConfig as unknown as HttpConnectionManagerJson;
    expect(config.httpFilters?.[0]?.typedConfig).toEqual({ '@type': LUA, inlineCode: 'x', statPrefix: 's' });
  });

  it('nothing stands behind the router: that patch is left out and told, and those of others go on', () => {
    const match = `{ context: SIDECAR_INBOUND, listener: { filterChain: { ${AT_ROUTER} } } }`;
    const bad = filter('bad', [patch('HTTP_FILTER', match, 'INSERT_AFTER', lua('late'))]);
    const good = filter('good', [patch('HTTP_FILTER', match, 'INSERT_BEFORE', lua('new'))]);
    const { listeners, problems } = translated(caller, bad, good);
    expect(httpFilters(listeners.get('inbound'))).toEqual(['new', 'router']);
    expect(problems).toEqual([
      { kind: 'EnvoyFilter', namespace: 'default', name: 'bad', message: 'nothing can stand behind the last filter' },
    ]);
  });
});

describe('listeners, chains and network filters', () => {
  it('are found by the port of the service, by the port that they are bound to, or by name', () => {
    const named = (match: string): readonly string[] => {
      const value = '{ per_connection_buffer_limit_bytes: 77 }';
      const { listeners } = translated(
        caller,
        filter('f', [patch('LISTENER', `{ listener: { ${match} } }`, 'MERGE', value)]),
      );
      return [...listeners].filter(([, one]) => one.perConnectionBufferLimitBytes === 77).map(([name]) => name);
    };
    expect(named('portNumber: 9080')).toEqual(['inbound', 'upstream|ratings']);
    expect(named('portNumber: 20001')).toEqual(['inbound']);
    expect(named('portNumber: 20002')).toEqual(['outbound']);
    expect(named('name: "upstream|ratings"')).toEqual(['upstream|ratings']);
  });

  it('come and go', () => {
    const extra =
      '{ name: extra, address: { socket_address: { address: 127.0.0.1, port_value: 7 } }, filter_chains: [{}] }';
    const { listeners } = translated(
      caller,
      filter('f', [
        patch('LISTENER', '{ context: SIDECAR_OUTBOUND }', 'ADD', extra),
        patch('LISTENER', '{ listener: { name: tunnel } }', 'REMOVE'),
        patch('LISTENER', '{ context: GATEWAY }', 'ADD', extra.replace('extra', 'edge')),
      ]),
    );
    expect([...listeners.keys()]).toEqual(['inbound', 'outbound', 'upstream|ratings', 'extra']);
    expect(listeners.get('extra')?.address?.socketAddress?.portValue).toBe(7);
  });

  it('network filters stand before the last, and are merged into it by type', () => {
    const limit =
      '{ name: limit, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit, stat_prefix: a, max_connections: 5 } }';
    const manager =
      '{ name: envoy.filters.network.http_connection_manager, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stream_idle_timeout: 7s, upgrade_configs: [{ upgrade_type: spdy }] } }';
    const { listeners, problems } = translated(
      caller,
      filter('f', [
        patch('NETWORK_FILTER', '{ context: SIDECAR_INBOUND }', 'ADD', limit),
        patch('NETWORK_FILTER', '{ context: SIDECAR_INBOUND }', 'MERGE_AND_REPLACE_LIST', manager),
      ]),
    );
    expect(problems).toEqual([]);
    const filters = listeners.get('inbound')?.filterChains?.[0]?.filters ?? [];
    expect(filters.map(({ name }) => name)).toEqual(['limit', 'envoy.filters.network.http_connection_manager']);
    const config = filters[1]?.typedConfig as unknown as HttpConnectionManagerJson;
    expect(config.streamIdleTimeout).toBe('7s');
    expect(config.upgradeConfigs).toEqual([{ upgradeType: 'spdy' }]);
    expect(config.httpFilters).toHaveLength(1);
  });

  it('listener filters are added', () => {
    const proxyProtocol =
      '{ name: pp, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol } }';
    const { listeners } = translated(
      caller,
      filter('f', [patch('LISTENER_FILTER', '{ context: SIDECAR_INBOUND }', 'ADD', proxyProtocol)]),
    );
    expect(listeners.get('inbound')?.listenerFilters?.map(({ name }) => name)).toEqual(['pp']);
    expect(listeners.get('outbound')?.listenerFilters).toBeUndefined();
  });

  it('a chain is patched where its match says so', () => {
    const of = (match: string): string | undefined => {
      const { listeners } = translated(
        caller,
        filter('f', [
          patch(
            'FILTER_CHAIN',
            `{ context: SIDECAR_INBOUND, listener: { filterChain: { ${match} } } }`,
            'MERGE',
            '{ name: mine }',
          ),
        ]),
      );
      return listeners.get('inbound')?.filterChains?.[0]?.name;
    };
    expect(of('')).toBe('mine');
    expect(of('sni: a.example.com')).toBeUndefined();
    expect(of('transportProtocol: tls')).toBeUndefined();
    expect(of('destinationPort: 1')).toBeUndefined();
    expect(of('applicationProtocols: h2')).toBeUndefined();
    expect(of('name: theirs')).toBeUndefined();
  });
});

describe('routes', () => {
  const REVIEWS = 'reviews.default.svc.cluster.local:9080';
  const header = (name: string): string => `{ request_headers_to_add: [{ header: { key: ${name}, value: "1" } }] }`;

  const routed = (...patches: readonly string[]) => translated(caller, filter('f', patches)).routes;

  it('of a virtual host are merged by its Istio name, in the shared table and in the one of a listener', () => {
    const routes = routed(
      patch(
        'HTTP_ROUTE',
        `{ context: SIDECAR_OUTBOUND, routeConfiguration: { vhost: { name: "${REVIEWS}" } } }`,
        'MERGE',
        header('a'),
      ),
      patch(
        'VIRTUAL_HOST',
        '{ routeConfiguration: { vhost: { name: "ratings.default.svc.cluster.local:9080" } } }',
        'MERGE',
        header('b'),
      ),
      patch(
        'HTTP_ROUTE',
        '{ context: SIDECAR_INBOUND, routeConfiguration: { vhost: { name: "inbound|http|9080", route: { action: ANY } } } }',
        'MERGE',
        header('c'),
      ),
    );
    const hosts = routes.get('outbound')?.virtualHosts ?? [];
    const reviews = hosts.find(({ name }) => name === REVIEWS);
    expect(reviews?.routes?.map((route) => route.requestHeadersToAdd?.[0]?.header?.key)).toEqual([undefined, 'a']);
    expect(
      hosts.filter(({ requestHeadersToAdd }) => requestHeadersToAdd !== undefined).map(({ name }) => name),
    ).toEqual(['ratings.default.svc.cluster.local:9080']);
    expect(routes.get('upstream|ratings')?.virtualHosts?.[0]?.requestHeadersToAdd?.[0]?.header?.key).toBe('b');
    expect(routes.get('inbound|9080')?.virtualHosts?.[0]?.routes?.[0]?.requestHeadersToAdd?.[0]?.header?.key).toBe('c');
  });

  it.each([
    ['portNumber: 9080', ['ratings', 'ratings', 'reviews']],
    ['portNumber: 80', []],
    ['name: "9080"', ['ratings', 'ratings', 'reviews']],
    ['name: http_proxy', ['ratings', 'reviews', 'unknown-host']],
    ['name: outbound', ['ratings', 'reviews', 'unknown-host']],
    ['name: "upstream|ratings"', ['ratings']],
    ['vhost: { domainName: "reviews:9080" }', ['reviews']],
  ])('{ %s } finds virtual hosts', (match, expected) => {
    const routes = routed(
      patch('VIRTUAL_HOST', `{ context: SIDECAR_OUTBOUND, routeConfiguration: { ${match} } }`, 'MERGE', header('a')),
    );
    const hosts = [...routes.values()].flatMap(({ virtualHosts = [] }) => virtualHosts);
    const found = hosts.filter(({ requestHeadersToAdd }) => requestHeadersToAdd !== undefined);
    expect(found.map(({ name = '' }) => name.replace('upstream|', '').replace(/\..*/, '')).toSorted()).toEqual(
      expected,
    );
  });

  it('are inserted, and answer before those that are there; the tables have what a merge gives them', () => {
    const match = `{ routeConfiguration: { vhost: { name: "${REVIEWS}" } } }`;
    const answer = '{ name: mine, match: { prefix: /mine }, direct_response: { status: 418 } }';
    const scope = caller;
    const resources = translated(
      scope,
      filter('f', [
        patch('HTTP_ROUTE', match, 'INSERT_FIRST', answer),
        patch(
          'ROUTE_CONFIGURATION',
          '{ context: SIDECAR_OUTBOUND }',
          'MERGE',
          '{ most_specific_header_mutations_wins: true }',
        ),
      ]),
    );
    expect(simulate(resources, { host: 'reviews:9080', path: '/mine' })).toMatchObject({
      kind: 'answered',
      status: 418,
    });
    expect(simulate(resources, { host: 'reviews:9080', path: '/' }).kind).toBe('forwarded');
    expect(resources.routes.get('outbound')?.mostSpecificHeaderMutationsWins).toBe(true);
    expect(resources.routes.get('inbound|9080')?.mostSpecificHeaderMutationsWins).toBeUndefined();
  });

  it('that answer here are not made to send on', () => {
    const all = patch('HTTP_ROUTE', '{ context: SIDECAR_OUTBOUND }', 'MERGE', '{ route: { timeout: 3s } }');
    const resources = translated(caller, filter('f', [all]));
    expect(simulate(resources, { host: 'nobody' })).toMatchObject({ kind: 'answered', status: 404 });
    expect(simulate(resources, { host: 'reviews:9080' }).json?.route?.timeout).toBe('3s');
  });

  it('virtual hosts come and go', () => {
    const added =
      '{ name: mine, domains: [mine.example.com], routes: [{ match: { prefix: / }, direct_response: { status: 418 } }] }';
    const resources = translated(
      caller,
      filter('f', [
        patch('VIRTUAL_HOST', '{ context: SIDECAR_OUTBOUND, routeConfiguration: { name: outbound } }', 'ADD', added),
        patch('VIRTUAL_HOST', `{ routeConfiguration: { vhost: { name: "${REVIEWS}" } } }`, 'REMOVE'),
      ]),
    );
    expect(simulate(resources, { host: 'mine.example.com' })).toMatchObject({ kind: 'answered', status: 418 });
    expect(simulate(resources, { host: 'reviews:9080' })).toMatchObject({ kind: 'answered', status: 404 });
  });
});

describe('Envoy clusters', () => {
  const touched = (match: string): readonly string[] => {
    const { clusters } = translated(caller, filter('f', [patch('CLUSTER', match, 'MERGE', '{ connect_timeout: 7s }')]));
    return [...clusters].filter(([, { connectTimeout }]) => connectTimeout === '7s').map(([name]) => name);
  };

  it.each([
    [
      '{ cluster: { service: reviews.default.svc.cluster.local, subset: v1 } }',
      ['outbound|9080|v1|reviews.default.svc.cluster.local'],
    ],
    ['{ context: SIDECAR_INBOUND, cluster: { service: productpage.default.svc.cluster.local } }', ['inbound|9080||']],
    ['{ context: SIDECAR_INBOUND, cluster: { portNumber: 80 } }', []],
    [
      '{ cluster: { name: "outbound|9080||ratings.default.svc.cluster.local" } }',
      ['outbound|9080||ratings.default.svc.cluster.local'],
    ],
    ['{ cluster: { name: tunnel } }', ['tunnel']],
    ['{ context: GATEWAY }', []],
  ])('%s', (match, expected) => {
    expect(touched(match)).toEqual(expected);
  });

  it('are all of the services, but not what makes the mesh work', () => {
    expect(touched('{ context: SIDECAR_OUTBOUND, cluster: { portNumber: 9080 } }')).toHaveLength(5);
    expect(touched('{}').every((name) => /^(in|out)bound\|/.test(name))).toBe(true);
  });

  it('are added once for all contexts, and removed ones still answer', () => {
    const { clusters, problems } = translated(
      caller,
      filter('f', [
        patch(
          'CLUSTER',
          '{ cluster: { service: nobody } }',
          'ADD',
          '{ name: mine, type: STRICT_DNS, dns_refresh_rate: 500ms }',
        ),
        patch('CLUSTER', '{ cluster: { service: ratings.default.svc.cluster.local } }', 'REMOVE'),
      ]),
      filter('g', [patch('CLUSTER', '{}', 'ADD', '{ name: mine }')]),
    );
    expect(clusters.get('mine')).toEqual({ name: 'mine', type: 'STRICT_DNS', dnsRefreshRate: '0.5s' });
    expect(clusters.get('outbound|9080||ratings.default.svc.cluster.local')).toEqual({
      name: 'outbound|9080||ratings.default.svc.cluster.local',
      type: 'STATIC',
      connectTimeout: '1s',
      loadAssignment: { clusterName: 'outbound|9080||ratings.default.svc.cluster.local' },
    });
    expect(problems.map(({ name, message }) => `${name}: ${message}`)).toEqual([
      'g: mine is not added: there is one already',
    ]);
  });

  it('keep their names', () => {
    const { problems } = translated(
      caller,
      filter('f', [patch('CLUSTER', '{ context: SIDECAR_INBOUND }', 'MERGE', '{ name: other }')]),
    );
    expect(problems.map(({ message }) => message)).toEqual(['inbound|9080|| keeps its name']);
  });
});

describe('at the edge', () => {
  const edge = proxy([], {
    service: 'edge',
    instance: 'edge-v1-1',
    isGateway: true,
    servicePorts: [{ name: 'http', port: 80, protocol: 'http' }],
  });
  const gateway = yamls(
    'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: edge }\nspec: { gateway: true, port: 80 }',
    'apiVersion: mesh/v1\nkind: Version\nmetadata: { name: edge-v1 }\nspec: { service: edge, version: v1 }',
    'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: gw }\nspec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
    'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: shop }\nspec: { hosts: [shop.example.com], gateways: [gw], http: [{ route: [{ destination: { host: reviews } }] }] }',
  );

  it('GATEWAY is its context, and none of a sidecar is', () => {
    const { listeners, routes, clusters } = translated(
      edge,
      gateway,
      filter('f', [
        patch('HTTP_FILTER', '{ context: GATEWAY, listener: { portNumber: 80 } }', 'INSERT_FIRST', lua('mine')),
        patch('HTTP_FILTER', '{ context: SIDECAR_INBOUND }', 'INSERT_FIRST', lua('in')),
        patch('HTTP_FILTER', '{ context: SIDECAR_OUTBOUND }', 'INSERT_FIRST', lua('out')),
        patch(
          'HTTP_ROUTE',
          '{ context: GATEWAY, routeConfiguration: { name: http.80, vhost: { name: "shop.example.com:80" } } }',
          'MERGE',
          '{ route: { timeout: 7s } }',
        ),
        patch(
          'CLUSTER',
          '{ context: GATEWAY, cluster: { service: reviews.default.svc.cluster.local } }',
          'MERGE',
          '{ connect_timeout: 7s }',
        ),
        patch('CLUSTER', '{ context: SIDECAR_OUTBOUND }', 'MERGE', '{ connect_timeout: 8s }'),
        patch('CLUSTER', '{ context: SIDECAR_OUTBOUND }', 'ADD', '{ name: not-here }'),
        patch('CLUSTER', '{ context: GATEWAY }', 'ADD', '{ name: here }'),
      ]),
    );
    expect(httpFilters(listeners.get('gateway|80')).slice(0, 2)).toEqual(['mine', 'rbac']);
    expect(routes.get('http.80')?.virtualHosts?.[0]?.routes?.[0]?.route?.timeout).toBe('7s');
    expect(clusters.get('outbound|9080||reviews.default.svc.cluster.local')?.connectTimeout).toBe('7s');
    expect([...clusters.keys()]).toContain('here');
    expect([...clusters.keys()]).not.toContain('not-here');
  });
});

describe('which hold', () => {
  const marked = (scope: ProxyScope, ...filters: readonly string[]): readonly string[] =>
    httpFilters(translated(scope, ...filters).listeners.get('inbound')).filter((name) => name !== 'router');
  const mark = (name: string, more = '', match = '{}'): string =>
    filter(name, [patch('HTTP_FILTER', match, 'ADD', lua(name))], more);

  it('those of the root namespace first, then by priority, then by name', () => {
    expect(
      marked(
        caller,
        mark('b'),
        mark('a'),
        mark('first', 'priority: -1,'),
        mark('root.istio-system', 'priority: 5,'),
        mark('other.shop'),
      ),
    ).toEqual(['root.istio-system', 'first', 'a', 'b']);
  });

  it('by labels, in the root namespace for the whole mesh', () => {
    const select = (app: string): string => `workloadSelector: { labels: { app: ${app} } },`;
    expect(
      marked(
        caller,
        mark('a', select('productpage')),
        mark('b', select('reviews')),
        mark('c.istio-system', select('productpage')),
      ),
    ).toEqual(['c.istio-system', 'a']);
  });

  it('by what a proxy says of itself', () => {
    const of = (metadata: string): string => `{ proxy: { metadata: { ${metadata} } } }`;
    expect(
      marked(
        caller,
        mark('a', '', of('cluster: room-1')),
        mark('b', '', of('cluster: room-2')),
        mark('c', '', of('service: productpage, version: v1')),
      ),
    ).toEqual(['a', 'c']);
  });
});

describe('what is shared', () => {
  it('is patched once for all proxies, and what no patch touches stays the same object', () => {
    const snapshot = world({
      yaml: yamls(
        mesh,
        filter('f', [
          patch('HTTP_ROUTE', '{ context: SIDECAR_OUTBOUND }', 'MERGE', '{ route: { timeout: 3s } }'),
          patch(
            'CLUSTER',
            '{ cluster: { service: ratings.default.svc.cluster.local } }',
            'MERGE',
            '{ connect_timeout: 7s }',
          ),
        ]),
      ),
      endpoints,
    });
    const [one, other] = [1, 2].map((i) => translate(snapshot, proxy(upstreams, { instance: `productpage-v1-${i}` })));
    const plain = translate(world({ yaml: mesh, endpoints }), proxy(upstreams));
    expect(one?.routes.get('outbound')).toBe(other?.routes.get('outbound'));
    const shared = [one, other].map((each) => layersOf(each?.clusters ?? new Map())[1]);
    expect(shared[0]?.size).toBeGreaterThan(1);
    expect(shared[0]).toBe(shared[1]);
    const name = 'outbound|9080||ratings.default.svc.cluster.local';
    expect(one?.clusters.get(name)).toBe(other?.clusters.get(name));
    expect(one?.clusters.get(name)?.connectTimeout).toBe('7s');
    expect(plain.clusters.get(name)?.connectTimeout).not.toBe('7s');
    expect(translate(snapshot, caller)).toBe(translate(snapshot, caller));
  });

  it('extensions are given to proxies that ask for them by name', () => {
    const { extensions } = translated(caller, filter('f', [patch('EXTENSION_CONFIG', '{}', 'ADD', lua('mine'))]));
    expect([...extensions.keys()]).toEqual(['mine']);
  });
});

describe('an EnvoyFilter is refused', () => {
  it.each([
    [patch('BOOTSTRAP', '{}', 'MERGE', '{}'), 'applyTo BOOTSTRAP is not supported'],
    [patch('HTTP_FILTER', '{ context: WAYPOINT }', 'ADD', lua('a')), 'context WAYPOINT is not supported'],
    [patch('HTTP_FILTER', '{ proxy: { proxyVersion: "1.11" } }', 'ADD', lua('a')), 'proxyVersion is not supported'],
    [patch('HTTP_ROUTE', '{}', 'REPLACE', '{}'), 'REPLACE of HTTP_ROUTE does nothing'],
    [patch('ROUTE_CONFIGURATION', '{}', 'REMOVE'), 'REMOVE of ROUTE_CONFIGURATION does nothing'],
    [patch('CLUSTER', '{}', 'MERGE'), 'MERGE has a value'],
    [patch('CLUSTER', '{ listener: { name: a } }', 'REMOVE'), 'listener says nothing of CLUSTER'],
    [patch('HTTP_FILTER', '{}', 'REMOVE'), 'REMOVE needs match.listener.filterChain.filter.subFilter.name'],
    [
      patch('NETWORK_FILTER', '{}', 'INSERT_BEFORE', '{}'),
      'INSERT_BEFORE needs match.listener.filterChain.filter.name',
    ],
    [patch('LISTENER_FILTER', '{}', 'REMOVE'), 'REMOVE needs match.listener.listenerFilter'],
    [patch('LISTENER', `{ listener: { filterChain: { ${HTTP} } } }`, 'REMOVE'), 'filter says nothing of LISTENER'],
    ['{ applyTo: CLUSTER, patch: { operation: REMOVE, filterClass: AUTHN } }', 'filterClass is for ADD of HTTP_FILTER'],
    ['{ applyTo: CLUSTER }', 'patch'],
  ])('%s', (one, message) => {
    expect(
      problemsIn(filter('f', [one]))
        .map((problem) => problem.message)
        .join('; '),
    ).toContain(message);
  });
});
