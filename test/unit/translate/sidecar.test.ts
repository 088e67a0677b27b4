import { describe, expect, it } from 'vitest';
import { serviceEntryKind } from '../../../src/dsl/service-entry.js';
import { sidecarKind } from '../../../src/dsl/sidecar.js';
import { indexDefinitions, viewOf } from '../../../src/model/definition.js';
import { serviceKind } from '../../../src/model/service.js';
import { versionKind } from '../../../src/model/version.js';
import { translate } from '../../../src/pilot/translate/index.js';
import { endpoint, problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources, simulate } from '../../support/simulate.js';

function object(kind: string, name: string, spec: string): string {
  const [own, namespace = 'default'] = name.split('.');
  return `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${own}, namespace: ${namespace} }\nspec: ${spec}`;
}

const sidecar = (spec: string, name = 'default'): string => object('Sidecar', name, spec);

function entry(name: string, host: string, ports: string, address: string): string {
  return object(
    'ServiceEntry',
    name,
    `{ hosts: [${host}], resolution: STATIC, ports: [${ports}], endpoints: [{ address: ${address} }] }`,
  );
}

const http = '{ number: 80, name: http, protocol: HTTP }';
const mesh = yamls(
  serviceYaml('reviews', ['v1']),
  serviceYaml('ratings', ['v1']),
  entry('api', 'api.example.com', `${http}, { number: 9000, name: alt, protocol: HTTP }`, '10.0.0.1'),
  entry('web', 'web.example.org', http, '10.0.0.2'),
  entry('shop.shop', 'shop.example.com', http, '10.0.0.3'),
  entry('db', 'db.example.com', '{ number: 5432, name: db, protocol: TCP }', '10.0.0.4'),
  entry('old-db', 'old.example.com', '{ number: 5432, name: db, protocol: TCP }', '10.0.0.5'),
);

function translated(yaml: string, scope = proxy([{ service: 'reviews' }])) {
  const endpoints = ['reviews', 'ratings'].map((service, i) => endpoint(`${service}/v1@10.1.0.${i + 1}:1`));
  const resources = translate(world({ yaml: yamls(mesh, yaml), endpoints }), scope);
  checkResources(resources);
  return resources;
}

/** Which of these hosts are known, by the shared proxy port or another listener. */
function known(resources: ReturnType<typeof translated>, routes = 'outbound'): readonly string[] {
  const hosts = ['reviews:9080', 'ratings:9080', 'api.example.com', 'web.example.org', 'shop.example.com'];
  return hosts.filter((host) => simulate(resources, { host, routes }).kind === 'forwarded');
}

describe('the egress of a Sidecar', () => {
  it.each([
    ['*/*', ['reviews:9080', 'ratings:9080', 'api.example.com', 'web.example.org', 'shop.example.com']],
    ['./*', ['reviews:9080', 'ratings:9080', 'api.example.com', 'web.example.org']],
    ['~/*', ['reviews:9080']],
    ['shop/*', ['reviews:9080', 'shop.example.com']],
    ['*/*.example.com', ['reviews:9080', 'api.example.com', 'shop.example.com']],
    ['./ratings.default.svc.cluster.local', ['reviews:9080', 'ratings:9080']],
    ['*/*", "~shop/*', ['reviews:9080', 'ratings:9080', 'api.example.com', 'web.example.org']],
    ['*/*.example.com", "~/api.example.com', ['reviews:9080', 'shop.example.com']],
  ])('"%s" is what the proxy sees, beside the upstreams of its service', (hosts, expected) => {
    const resources = translated(sidecar(`{ egress: [{ hosts: ["${hosts}"] }] }`));
    expect(known(resources)).toEqual(expected);
    const clusters = [...resources.clusters.keys()].filter((name) => name.startsWith('outbound|'));
    expect(new Set(clusters.map((name) => name.split('|')[3])).size).toBeGreaterThanOrEqual(expected.length);
    expect(clusters.some((name) => name.endsWith('web.example.org'))).toBe(expected.includes('web.example.org'));
  });

  it('is that of the Sidecar that selects the instance, else of its namespace, else of the root namespace', () => {
    const root = sidecar('{ egress: [{ hosts: ["*/api.example.com"] }] }', 'root.istio-system');
    const all = sidecar('{ egress: [{ hosts: ["*/web.example.org"] }] }');
    const selects = sidecar(
      '{ workloadSelector: { labels: { app: productpage } }, egress: [{ hosts: ["*/shop.example.com"] }] }',
      'zz',
    );
    const other = sidecar('{ workloadSelector: { labels: { app: x } }, egress: [{ hosts: ["~/*"] }] }', 'aa');
    expect(known(translated(root))).toEqual(['reviews:9080', 'api.example.com']);
    expect(known(translated(yamls(root, all)))).toEqual(['reviews:9080', 'web.example.org']);
    expect(known(translated(yamls(root, all, other)))).toEqual(['reviews:9080', 'web.example.org']);
    expect(known(translated(yamls(root, all, selects)))).toEqual(['reviews:9080', 'shop.example.com']);
  });

  it('opens listeners of their own, on which a bare host means their port', () => {
    const resources = translated(
      sidecar(`{ egress: [
        { port: { number: 9000, protocol: HTTP, name: alt }, hosts: ["*/*.example.com"] },
        { port: { number: 3128, protocol: HTTP_PROXY }, bind: 127.0.0.9, hosts: ["*/*"] },
        { port: { number: 0, protocol: HTTP }, bind: "unix:///run/out.sock", hosts: ["*/web.example.org"] },
        { port: { number: 5432, protocol: TCP }, bind: 127.0.0.2, hosts: ["*/db.example.com"] }] }`),
    );
    expect(known(resources)).toEqual(['reviews:9080']);
    expect(simulate(resources, { host: 'api.example.com', routes: 'egress|127.0.0.1|9000' })).toMatchObject({
      shares: [{ cluster: 'outbound|9000||api.example.com' }],
    });
    expect(known(resources, 'egress|127.0.0.1|9000')).toEqual(['api.example.com']);
    expect(known(resources, 'egress|127.0.0.9|3128')).toHaveLength(5);
    expect(known(resources, 'egress|unix:///run/out.sock|0')).toEqual(['web.example.org']);
    expect(resources.listeners.get('egress|unix:///run/out.sock|0')?.address).toEqual({
      pipe: { path: '/run/out.sock' },
    });
    expect(resources.listeners.get('egress|127.0.0.2|5432')).toMatchObject({
      address: { socketAddress: { address: '127.0.0.2', portValue: 5432 } },
      filterChains: [{ filters: [{ typedConfig: { cluster: 'outbound|5432||db.example.com' } }] }],
    });
  });

  it('tells several hosts of a port apart by the name in TLS only, and says where it cannot', () => {
    const listener = (protocol: string) =>
      translated(sidecar(`{ egress: [{ port: { number: 5432, protocol: ${protocol} }, hosts: ["*/*"] }] }`));
    expect(listener('TLS').listeners.get('egress|127.0.0.1|5432')?.filterChains).toMatchObject([
      { filterChainMatch: { serverNames: ['db.example.com'] } },
      { filterChainMatch: { serverNames: ['old.example.com'] } },
    ]);
    const tcp = listener('TCP');
    expect(tcp.listeners.get('egress|127.0.0.1|5432')?.filterChains).toHaveLength(1);
    expect(tcp.problems).toMatchObject([{ kind: 'Sidecar', message: expect.stringContaining('go to db.example.com') }]);
    const none = translated(sidecar('{ egress: [{ port: { number: 1, protocol: TCP }, hosts: ["*/*"] }] }'));
    expect(none.listeners.has('egress|127.0.0.1|1')).toBe(false);
    expect(none.problems).toMatchObject([{ message: expect.stringContaining('stays closed') }]);
  });
});

describe('a host that nobody knows', () => {
  const reach = (policy: string) =>
    simulate(translated(sidecar(`{ outboundTrafficPolicy: ${policy} }`)), { host: 'nobody.example.net:81' });

  it('is unknown, goes to itself, or to the egress proxy', () => {
    expect(reach('{ mode: REGISTRY_ONLY }')).toMatchObject({ status: 404 });
    expect(reach('{ mode: ALLOW_ANY }')).toMatchObject({ shares: [{ cluster: 'PassthroughCluster' }] });
    expect(reach('{ mode: ALLOW_ANY, egressProxy: { host: api.example.com, port: { number: 9000 } } }')).toMatchObject({
      shares: [{ cluster: 'outbound|9000||api.example.com', endpoints: ['10.0.0.1:9000'] }],
    });
    expect(reach('{ mode: ALLOW_ANY, egressProxy: { host: ratings, port: { number: 9080 } } }')).toMatchObject({
      shares: [{ cluster: 'outbound|9080||ratings.default.svc.cluster.local', endpoints: ['10.1.0.2:1'] }],
    });
    const wrong = sidecar(
      '{ outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: gone, port: { number: 1 } } } }',
    );
    expect(problemsIn(yamls(mesh, wrong)).filter(({ severity }) => severity === 'error')).toMatchObject([
      { code: 'MESH1010', message: 'host "gone" is no service' },
    ]);
  });
});

it('what a proxy sees is made anew when its Sidecar, its egress proxy or a workload changes, and only then', () => {
  const scope = proxy([{ service: 'reviews' }]);
  const policy = sidecar(
    '{ egress: [{ hosts: ["*/api.example.com"] }], outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: ratings, port: { number: 9080 } } } }',
  );
  const snapshot = world({ yaml: yamls(mesh, policy) });
  const before = translate(snapshot, scope);
  const without = (kind: string, name: string) => {
    const all = [serviceKind, serviceEntryKind, sidecarKind, versionKind].flatMap((one) =>
      snapshot.definitions.all<unknown>(one),
    );
    return {
      ...snapshot,
      definitions: viewOf(indexDefinitions(all.filter((d) => d.kind !== kind || d.name !== name))),
    };
  };
  const nobody = (resources: typeof before) => simulate(resources, { host: 'nobody.example.net' });
  expect(nobody(before)).toMatchObject({ shares: [{ cluster: 'outbound|9080||ratings.default.svc.cluster.local' }] });
  expect(nobody(translate(without('Service', 'ratings'), scope))).toMatchObject({ status: 404 });
  expect(nobody(translate(without('Sidecar', 'default'), scope))).toMatchObject({ status: 404 });
  expect(translate(without('ServiceEntry', 'web'), scope).routes).toBe(before.routes);
});

describe('the ingress of a Sidecar', () => {
  it('listens beside the ports of the service, and leads to where the app is', () => {
    const resources = translated(
      sidecar(`{ inboundConnectionPool: { tcp: { maxConnections: 7 } }, ingress: [
        { port: { number: 19090, protocol: HTTP, name: in }, bind: 127.10.1.1, defaultEndpoint: "127.0.0.1:9091", connectionPool: { http: { http2MaxRequests: 3 } } },
        { port: { number: 9080, protocol: HTTP } },
        { port: { number: 9081, protocol: TCP }, defaultEndpoint: "unix:///run/app.sock" },
        { port: { number: 9082, protocol: TCP }, defaultEndpoint: "0.0.0.0:5" }] }`),
    );
    const target = (cluster: string) =>
      resources.clusters.get(cluster)?.loadAssignment?.endpoints?.[0]?.lbEndpoints?.[0]?.endpoint?.address;
    expect(resources.listeners.get('ingress|19090')?.address).toEqual({
      socketAddress: { address: '127.10.1.1', portValue: 19090 },
    });
    expect(target('inbound|19090||')).toEqual({ socketAddress: { address: '127.0.0.1', portValue: 9091 } });
    expect(target('ingress|9080||')).toEqual({ socketAddress: { address: '127.0.0.1', portValue: 20000 } });
    expect(target('inbound|9081||')).toEqual({ pipe: { path: '/run/app.sock' } });
    expect(target('inbound|9082||')).toEqual({ socketAddress: { address: '127.0.0.11', portValue: 5 } });
    const limits = (cluster: string) => resources.clusters.get(cluster)?.circuitBreakers?.thresholds?.[0];
    expect(limits('inbound|19090||')).toMatchObject({ maxConnections: 10_000, maxRequests: 3 });
    expect(limits('inbound|9081||')).toMatchObject({ maxConnections: 7 });
    expect(limits('inbound|9080||')).toMatchObject({ maxConnections: 7 });
    expect(simulate(resources, { host: 'any', routes: 'inbound|19090' })).toMatchObject({
      shares: [{ cluster: 'inbound|19090||' }],
    });
    expect(resources.listeners.has('inbound')).toBe(true);
  });
});
