import { describe, expect, it } from 'vitest';
import { releaseFindings } from '../../../src/pilot/release/effect.js';
import { translate } from '../../../src/pilot/translate/index.js';
import { endpoint, problemsIn, proxy, release, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources, simulate, split } from '../../support/simulate.js';

const edgeService = `apiVersion: mesh/v1
kind: Service
metadata: { name: edge }
spec: { gateway: true, ports: [{ name: web, port: 8080, protocol: http }, { name: secure, port: 8443, protocol: tcp }] }
---
apiVersion: mesh/v1
kind: Version
metadata: { name: edge-v1 }
spec: { service: edge, version: v1, labels: { istio: ingressgateway } }`;
const services = yamls(
  edgeService,
  serviceYaml('shop', ['v1', 'v2']),
  serviceYaml('db', ['v1'], 'protocol: tcp, port: 5432'),
);
const endpoints = [endpoint('shop/v1@10.0.0.1:1'), endpoint('shop/v2@10.0.0.2:1'), endpoint('db/v1@10.0.0.3:1')];
const scope = proxy([], {
  service: 'edge',
  instance: 'edge-v1-1',
  isGateway: true,
  labels: { istio: 'ingressgateway' },
  servicePorts: [
    { name: 'web', port: 8080, protocol: 'http' },
    { name: 'secure', port: 8443, protocol: 'tcp' },
  ],
  ports: { app: {}, inbound: { web: 8080, secure: 8443 }, proxy: 1, metrics: 2, upstreams: {} },
});

const HTTP = '{ port: { number: 8080, name: web, protocol: HTTP }, hosts: [shop.example.com] }';
const TLS = '{ mode: SIMPLE, serverCertificate: /c/tls.crt, privateKey: /c/tls.key }';

function gateway(servers: string, name = 'front', selector = '{ istio: ingressgateway }'): string {
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name} }
spec: { selector: ${selector}, servers: [${servers}] }`;
}

function virtualService(rules: string, hosts = '[shop.example.com]', name = 'shop', gateways = '[front]'): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: ${hosts}, gateways: ${gateways}, ${rules} }`;
}

const toShop = 'http: [{ route: [{ destination: { host: shop } }] }]';

function translated(yaml: string, releases: Parameters<typeof world>[0]['releases'] = []) {
  const resources = translate(world({ yaml: yamls(services, yaml), endpoints, releases }), scope);
  checkResources(resources);
  return resources;
}

const at = { host: 'shop.example.com', routes: 'http.8080' };
type Resources = ReturnType<typeof translated>;
const chainsOf = (resources: Resources, port: number) => resources.listeners.get(`gateway|${port}`)?.filterChains ?? [];

describe('an edge instance', () => {
  it('listens to nothing, and is never without a cluster, before a Gateway selects it', () => {
    const resources = translated('');
    expect([...resources.listeners.keys()]).toEqual([]);
    expect([...resources.clusters.keys()]).toEqual(['nowhere']);
  });

  it('serves the hosts that Gateway and VirtualService have in common, whatever port the client writes', () => {
    const resources = translated(yamls(gateway(HTTP), virtualService(toShop, '[shop.example.com, other.example.com]')));
    expect(resources.listeners.get('gateway|8080')?.address).toEqual({
      socketAddress: { address: '127.0.0.11', portValue: 8080 },
    });
    expect(split(resources, at)).toEqual({ '': 1 });
    expect(split(resources, { ...at, host: 'shop.example.com:8080' })).toEqual({ '': 1 });
    expect(split(resources, { ...at, host: 'other.example.com' })).toEqual({ 404: 1 });
    expect(resources.problems).toEqual([]);
  });

  it.each([
    ['*.example.com', '[shop.example.com]', 'shop.example.com'],
    ['shop.example.com', "['*.example.com']", 'shop.example.com'],
    ["'*'", "['*']", 'anything'],
    ['default/shop.example.com', '[shop.example.com]', 'shop.example.com'],
    ['./shop.example.com', '[shop.example.com]', 'shop.example.com'],
    ['shop.default.svc.cluster.local', '[shop]', 'shop.default.svc.cluster.local'],
  ])('takes %s of a Gateway and %s of a VirtualService together', (served, hosts, host) => {
    const server = `{ port: { number: 8080, name: web, protocol: HTTP }, hosts: [${served.replace(/^\*/, "'*").replace(/^'\*\..*/, "$&'")}] }`;
    const resources = translated(yamls(gateway(server), virtualService(toShop, hosts)));
    expect(split(resources, { ...at, host })).toEqual({ '': 1 });
  });

  it('serves nothing of a VirtualService in a namespace that the server does not name, of another gateway, or of the mesh', () => {
    const foreign = `{ port: { number: 8080, name: web, protocol: HTTP }, hosts: [other/shop.example.com] }`;
    expect(split(translated(yamls(gateway(foreign), virtualService(toShop))), at)).toEqual({ 404: 1 });
    const elsewhere = virtualService(toShop, undefined, undefined, '[mesh, back]');
    expect(split(translated(yamls(gateway(HTTP), elsewhere)), at)).toEqual({ 404: 1 });
  });

  it('is selected by labels', () => {
    const other = translated(yamls(gateway(HTTP, 'front', '{ app: other }'), virtualService(toShop)));
    expect([...other.listeners.keys()]).toEqual([]);
    const own = translated(yamls(gateway(HTTP, 'front', '{ app: edge, version: v1 }'), virtualService(toShop)));
    expect([...own.listeners.keys()]).toEqual(['gateway|8080']);
  });

  it('puts rules of several VirtualServices for one host behind each other, those that take everything last', () => {
    const first = virtualService(toShop, undefined, 'a');
    const second = virtualService(
      'http: [{ match: [{ uri: { prefix: /v2 } }], route: [{ destination: { host: shop, subset: v2 } }] }]',
      undefined,
      'b',
    );
    const resources = translated(yamls(gateway(HTTP), first, second));
    expect(split(resources, { ...at, path: '/v2/x' })).toEqual({ v2: 1 });
    expect(split(resources, at)).toEqual({ '': 1 });
  });

  it('looks at the gateways of a match, and then not at labels', () => {
    const rules = `http: [
      { match: [{ gateways: [mesh] }], route: [{ destination: { host: shop, subset: v1 } }] },
      { match: [{ gateways: [front], sourceLabels: { app: nobody } }], route: [{ destination: { host: shop, subset: v2 } }] }]`;
    const yaml = yamls(gateway(HTTP), virtualService(rules, '[shop, shop.example.com]', 'shop', '[front, mesh]'));
    expect(split(translated(yaml), at)).toEqual({ v2: 1 });
    const caller = translate(world({ yaml: yamls(services, yaml), endpoints }), proxy([{ service: 'shop' }]));
    expect(split(caller, { host: 'shop:9080' })).toEqual({ v1: 1 });
  });

  it('gives the first service behind it a gray release', () => {
    const yaml = yamls(gateway(HTTP), virtualService(toShop));
    const matches = [{ header: 'x-user', exact: 'jason' }];
    const resources = translated(yaml, [release({ service: 'shop', weight: 20, matches })]);
    expect(split(resources, at)).toEqual({ '': 0.8, v2: 0.2 });
    expect(split(resources, { ...at, headers: { 'x-user': 'jason' } })).toEqual({ v2: 1 });
  });

  it('shows a release what stands in its way at the edge', () => {
    const mixing = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shop }
spec: { host: shop, subsets: [{ name: all, labels: { app: shop } }] }`;
    const rules = 'http: [{ route: [{ destination: { host: shop, subset: all } }] }]';
    const snapshot = world({ yaml: yamls(services, mixing, gateway(HTTP), virtualService(rules)), endpoints });
    const found = releaseFindings(snapshot, { namespace: 'default', service: 'shop', stable: 'v1', gray: 'v2' });
    expect(found.map(({ rule, effect }) => [rule.source.name, effect])).toEqual([
      ['shop', 'shifts'],
      ['shop', 'mixes'],
    ]);
  });

  it('is told the same in the same objects, and an endpoint changes one resource', () => {
    const yaml = yamls(services, gateway(HTTP), virtualService(toShop));
    const before = world({ yaml, endpoints });
    const first = translate(before, scope);
    const second = translate({ ...before, storeRevision: 2n }, scope);
    for (const type of ['clusters', 'endpoints', 'listeners', 'routes'] as const)
      expect(second[type]).toBe(first[type]);
    const third = translate({ ...before, endpoints: new Map([['default/shop', endpoints.slice(0, 1)]]) }, scope);
    expect(third.listeners).toBe(first.listeners);
    expect(third.routes).toBe(first.routes);
    expect(
      [...third.endpoints].filter(([name, json]) => first.endpoints.get(name) !== json).map(([name]) => name),
    ).toEqual(
      ['outbound|9080||shop.default.svc.cluster.local', 'outbound|9080|v2|shop.default.svc.cluster.local'].filter(
        (name) => name.includes('|v2|'),
      ),
    );
  });

  it('names a destination that is gone, and answers 503 for it', () => {
    const snapshot = world({ yaml: yamls(services, gateway(HTTP), virtualService(toShop)), endpoints });
    const gone = world({
      yaml: yamls(edgeService, serviceYaml('shop', ['v1']), gateway(HTTP), virtualService(toShop)),
    });
    expect(simulate(translate(gone, scope), at)).toMatchObject({ shares: [{ endpoints: [] }] });
    expect(simulate(translate(snapshot, scope), at)).toMatchObject({ shares: [{ endpoints: ['10.0.0.1:1'] }] });
  });
});

describe('TLS at the edge', () => {
  const https = (name: string, host: string, tls = TLS): string =>
    `{ port: { number: 8443, name: ${name}, protocol: HTTPS }, hosts: [${host}], tls: ${tls} }`;

  it('ends where a server has certificates, each host with its own, and asks for the server name', () => {
    const servers = `${https('a', 'shop.example.com')}, ${https('b', "'*.example.com'")}`;
    const resources = translated(yamls(gateway(servers), virtualService(toShop)));
    const listener = resources.listeners.get('gateway|8443');
    expect(listener?.listenerFilters?.map(({ name }) => name)).toEqual(['envoy.filters.listener.tls_inspector']);
    expect(listener?.filterChains?.map(({ filterChainMatch }) => filterChainMatch?.serverNames)).toEqual([
      ['shop.example.com'],
      ['*.example.com'],
    ]);
    expect(listener?.filterChains?.[0]?.transportSocket?.typedConfig).toMatchObject({
      requireClientCertificate: false,
      commonTlsContext: {
        tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_2' },
        tlsCertificates: [{ certificateChain: { filename: '/c/tls.crt' }, privateKey: { filename: '/c/tls.key' } }],
        alpnProtocols: ['h2', 'http/1.1'],
      },
    });
    expect(split(resources, { ...at, routes: 'https.8443.a.front.default' })).toEqual({ '': 1 });
  });

  it.each([
    ['MUTUAL', true],
    ['OPTIONAL_MUTUAL', false],
  ])('asks clients for a certificate in mode %s', (mode, isRequired) => {
    const tls = `{ mode: ${mode}, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl, subjectAltNames: [spiffe://a/b], verifyCertificateHash: [aa], minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256] }`;
    const [chain] = chainsOf(translated(yamls(gateway(https('a', "'*'", tls)), virtualService(toShop))), 8443);
    expect(chain?.filterChainMatch).toBeUndefined();
    expect(chain?.transportSocket?.typedConfig).toMatchObject({
      requireClientCertificate: isRequired,
      commonTlsContext: {
        tlsParams: {
          tlsMinimumProtocolVersion: 'TLSv1_3',
          tlsMaximumProtocolVersion: 'TLSv1_3',
          cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256'],
        },
        validationContext: {
          trustedCa: { filename: '/ca' },
          crl: { filename: '/crl' },
          verifyCertificateHash: ['aa'],
          matchTypedSubjectAltNames: [
            { sanType: 'DNS', matcher: { exact: 'spiffe://a/b' } },
            { sanType: 'URI', matcher: { exact: 'spiffe://a/b' } },
          ],
        },
      },
    });
  });

  it('takes callers by certificates of the mesh, and nobody where the instance has none', () => {
    const yaml = yamls(services, gateway(https('a', "'*'", '{ mode: ISTIO_MUTUAL }')), virtualService(toShop));
    const certified = translate(world({ yaml }), { ...scope, certificates: '/etc/ssl/edge' });
    expect(certified.problems).toEqual([]);
    expect(chainsOf(certified, 8443)[0]?.transportSocket?.typedConfig).toMatchObject({
      requireClientCertificate: true,
      commonTlsContext: { validationContext: { trustedCa: { filename: '/etc/ssl/edge/root-cert.pem' } } },
    });
    const bare = translate(world({ yaml }), scope);
    expect(bare.listeners.has('gateway|8443')).toBe(false);
    expect(bare.problems.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
      expect.stringMatching(/^Gateway: server "a" is left out: it says ISTIO_MUTUAL/),
    ]);
  });

  it('is passed through by server name, each rule to its own destinations, and a release moves its share', () => {
    const passing =
      "{ port: { number: 8443, name: tls, protocol: TLS }, hosts: ['*.example.com'], tls: { mode: PASSTHROUGH } }";
    const rules = `tls: [
      { match: [{ sniHosts: [shop.example.com, shop.example.com] }], route: [{ destination: { host: shop } }] },
      { match: [{ sniHosts: [shop.example.com, db.example.com], port: 8443 }], route: [{ destination: { host: db } }] },
      { match: [{ sniHosts: [x.example.com], port: 1 }], route: [{ destination: { host: db } }] }]`;
    const yaml = yamls(gateway(passing), virtualService(rules, "['*.example.com']"));
    const resources = translated(yaml, [release({ service: 'shop', weight: 25 })]);
    const chains = chainsOf(resources, 8443).map(({ filterChainMatch, filters }) => [
      filterChainMatch?.serverNames,
      JSON.parse(JSON.stringify(filters?.[0]?.typedConfig)),
    ]);
    expect(chains).toMatchObject([
      [
        ['shop.example.com'],
        {
          weightedClusters: {
            clusters: [
              { name: 'outbound|9080||shop.default.svc.cluster.local', weight: 3 },
              { name: 'outbound|9080|v2|shop.default.svc.cluster.local', weight: 1 },
            ],
          },
        },
      ],
      [['db.example.com'], { cluster: 'outbound|5432||db.default.svc.cluster.local' }],
    ]);
  });

  it('ends for what is no HTTP, with tcp rules behind it', () => {
    const server = `{ port: { number: 8443, name: tls, protocol: TLS }, hosts: [db.example.com], tls: ${TLS} }`;
    const rules = 'tcp: [{ route: [{ destination: { host: db } }] }]';
    const [chain] = chainsOf(translated(yamls(gateway(server), virtualService(rules, '[db.example.com]'))), 8443);
    expect(chain).toMatchObject({
      filterChainMatch: { serverNames: ['db.example.com'] },
      filters: [{ typedConfig: { cluster: 'outbound|5432||db.default.svc.cluster.local' } }],
      transportSocket: { name: 'envoy.transport_sockets.tls' },
    });
  });

  it('sends plain requests to https, also for a host without rules', () => {
    const server =
      '{ port: { number: 8080, name: web, protocol: HTTP }, hosts: [shop.example.com], tls: { httpsRedirect: true } }';
    const resources = translated(gateway(server));
    expect(resources.routes.get('http.8080')?.virtualHosts).toMatchObject([
      { domains: ['shop.example.com'], requireTls: 'ALL', routes: [] },
    ]);
  });
});

describe('TCP at the edge', () => {
  const server = "{ port: { number: 8443, name: db, protocol: TCP }, hosts: ['*'] }";

  it('is weighed, and parted by the address that was called', () => {
    const rules = `tcp: [
      { match: [{ destinationSubnets: [10.1.0.0/16, 10.2.0.1] }], route: [{ destination: { host: db } }] },
      { route: [{ destination: { host: shop, subset: v1 }, weight: 1 }, { destination: { host: shop, subset: v2 }, weight: 3 }] },
      { route: [{ destination: { host: db } }] }]`;
    expect(chainsOf(translated(yamls(gateway(server), virtualService(rules))), 8443)).toMatchObject([
      {
        filterChainMatch: {
          prefixRanges: [
            { addressPrefix: '10.1.0.0', prefixLen: 16 },
            { addressPrefix: '10.2.0.1', prefixLen: 32 },
          ],
        },
        filters: [{ typedConfig: { cluster: 'outbound|5432||db.default.svc.cluster.local' } }],
      },
      { filters: [{ typedConfig: { weightedClusters: { clusters: [{ weight: 1 }, { weight: 3 }] } } }] },
    ]);
  });

  it('does not listen where no rule says where to', () => {
    expect([...translated(yamls(gateway(server), virtualService(toShop))).listeners.keys()]).toEqual([]);
  });
});

describe('what cannot stand together at one port', () => {
  it('is a problem of the later server, and the earlier one works', () => {
    const plain = '{ port: { number: 8443, name: web, protocol: HTTP }, hosts: [shop.example.com] }';
    const tls = `{ port: { number: 8443, name: tls, protocol: HTTPS }, hosts: [shop.example.com], tls: ${TLS} }`;
    const resources = translated(
      yamls(gateway(plain, 'a'), gateway(tls, 'b'), virtualService(toShop, undefined, 'shop', '[a, b]')),
    );
    expect(chainsOf(resources, 8443)).toHaveLength(1);
    expect(resources.problems).toEqual([
      {
        kind: 'Gateway',
        namespace: 'default',
        name: 'b',
        message: 'server "tls" is left out: port 8443 speaks HTTP already, by Gateway default/a',
      },
    ]);
  });

  it('is so too for one server name with two certificates', () => {
    const tls = (name: string): string =>
      `{ port: { number: 8443, name: ${name}, protocol: HTTPS }, hosts: [shop.example.com], tls: ${TLS} }`;
    const resources = translated(yamls(gateway(`${tls('a')}, ${tls('b')}`), virtualService(toShop)));
    expect(chainsOf(resources, 8443)).toHaveLength(1);
    expect(resources.problems.map(({ message }) => message)).toEqual([
      'server "b" does not get shop.example.com: an earlier server of port 8443 has it',
    ]);
  });
});

describe('what a user is told at once', () => {
  it.each([
    [
      gateway(HTTP, 'front', '{ app: nobody }'),
      'no Service with gateway: true has a Version with these labels: nobody serves it',
    ],
    [
      gateway('{ port: { number: 99, name: web, protocol: HTTP }, hosts: [a.b] }'),
      'none of edge has port 99: nobody listens there',
    ],
    [
      gateway(
        `{ port: { number: 8443, name: a, protocol: HTTPS }, hosts: [a.b], tls: ${TLS.replace('}', ', caCertificates: /ca }')} }`,
      ),
      'SIMPLE asks no client for a certificate: nobody looks at caCertificates',
    ],
    [virtualService(toShop), 'there is no Gateway "default/front": until there is, nobody serves these rules there'],
  ])('warns: %s', (yaml, message) => {
    expect(problemsIn(yamls(services, yaml)).map((problem) => problem.message)).toEqual([message]);
  });

  it.each([
    [
      'an app at a gateway',
      edgeService.replace('version: v1,', 'version: v1, container: { image: a },'),
      'a gateway has no app, but its Version "edge-v1" has a container',
    ],
    [
      'no app elsewhere',
      serviceYaml('a', ['v1']).replace(', container: { image: demo }', ''),
      'its Version "a-v1" has no container',
    ],
    [
      'upstreams',
      edgeService.replace('gateway: true,', 'gateway: true, upstreams: [{ domain: shop }],'),
      'a gateway has no app',
    ],
    [
      'start-first',
      edgeService.replace('gateway: true,', 'gateway: true, replace: start-first,'),
      'the ports of a gateway are fixed',
    ],
    [
      'secrets',
      gateway(
        '{ port: { number: 1, name: a, protocol: HTTPS }, hosts: [a.b], tls: { mode: SIMPLE, credentialName: x } }',
      ),
      'secrets of Kubernetes do not exist here',
    ],
    [
      'files beside those of the mesh',
      gateway(
        '{ port: { number: 1, name: a, protocol: HTTPS }, hosts: [a.b], tls: { mode: ISTIO_MUTUAL, caCertificates: /a } }',
      ),
      'ISTIO_MUTUAL has its own files',
    ],
    [
      'no certificate',
      gateway('{ port: { number: 1, name: a, protocol: HTTPS }, hosts: [a.b], tls: { mode: SIMPLE } }'),
      'SIMPLE needs serverCertificate and privateKey',
    ],
    [
      'no CA',
      gateway(
        '{ port: { number: 1, name: a, protocol: HTTPS }, hosts: [a.b], tls: { mode: MUTUAL, serverCertificate: /c, privateKey: /k } }',
      ),
      'MUTUAL needs caCertificates',
    ],
    [
      'certificates that nobody reads',
      gateway('{ port: { number: 1, name: a, protocol: TLS }, hosts: [a.b], tls: { serverCertificate: /c } }'),
      'with PASSTHROUGH, TLS ends at the service',
    ],
    [
      'TLS on a plain port',
      gateway(`{ port: { number: 1, name: a, protocol: HTTP }, hosts: [a.b], tls: ${TLS} }`),
      'HTTP is plain',
    ],
    [
      'no TLS on a port for it',
      gateway('{ port: { number: 1, name: a, protocol: HTTPS }, hosts: [a.b] }'),
      'HTTPS needs tls',
    ],
    [
      'a short host',
      gateway('{ port: { number: 1, name: a, protocol: HTTP }, hosts: [shop] }'),
      'a host is a full name',
    ],
    [
      'two ports of one name',
      gateway(
        '{ port: { number: 1, name: a, protocol: HTTP }, hosts: [a.b] }, { port: { number: 2, name: a, protocol: HTTP }, hosts: [a.b] }',
      ),
      'a port name stands twice',
    ],
    [
      'a socket',
      gateway('{ bind: "unix:///a", port: { number: 1, name: a, protocol: HTTP }, hosts: [a.b] }'),
      'a socket would stand in the container',
    ],
  ])('refuses %s', (_what, yaml, message) => {
    const errors = problemsIn(yamls(yaml.includes('edge') ? '' : edgeService, serviceYaml('shop', ['v1']), yaml))
      .filter((problem) => problem.severity === 'error')
      .map((problem) => `${problem.message} (${problem.hint})`);
    expect(errors).toEqual(expect.arrayContaining([expect.stringContaining(message)]));
  });
});
