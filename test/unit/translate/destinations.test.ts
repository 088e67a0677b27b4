import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localityAt, translate } from '../../../src/pilot/translate/index.js';
import { steadyWeights } from '../../../src/pilot/translate/weights.js';
import { fencedBlocks, readPage } from '../../support/doc-commands.js';
import { endpoint, problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources } from '../../support/simulate.js';

const reviews = serviceYaml('reviews', ['v1', 'v2']);
const productpage = (more = ''): string =>
  serviceYaml('productpage', ['v1'], `protocol: http, port: 9080, stable: v1${more}`);
const PLAIN = 'outbound|9080||reviews.default.svc.cluster.local';

function rule(spec: string, metadata = 'name: reviews'): string {
  return `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { ${metadata} }\nspec: ${spec}`;
}

const policy = (text: string): string => rule(`{ host: reviews, trafficPolicy: ${text} }`);
const callers = proxy([{ service: 'reviews' }]);

function translated(yaml: string, scope = callers, endpoints: Parameters<typeof world>[0]['endpoints'] = []) {
  const resources = translate(world({ yaml: yamls(productpage(), reviews, yaml), endpoints }), scope);
  checkResources(resources);
  return resources;
}

describe('TLS towards a destination', () => {
  it('is asked by the host of each request, and by the host itself where bytes are passed on', () => {
    const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db }
spec: { hosts: [db.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }, { number: 5432, name: tcp, protocol: TCP }] }`;
    const { clusters } = translated(
      yamls(entry, rule('{ host: db.example.com, trafficPolicy: { tls: { mode: SIMPLE } } }')),
    );
    const requests = clusters.get('outbound|80||db.example.com');
    const bytes = clusters.get('outbound|5432||db.example.com');
    expect(JSON.stringify(requests)).toContain('"autoSni":true,"autoSanValidation":true');
    expect(requests?.transportSocket?.typedConfig).not.toHaveProperty('sni');
    expect(bytes?.transportSocket?.typedConfig).toMatchObject({
      sni: 'db.example.com',
      commonTlsContext: {
        validationContext: {
          trustedCa: { filename: '/etc/ssl/certs/ca-certificates.crt' },
          matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'db.example.com' } }, { sanType: 'URI' }],
        },
      },
    });
    expect(bytes?.typedExtensionProtocolOptions).toBeUndefined();
  });

  it('by the certificates of the mesh reaches nobody from a Service that has none, and says so', () => {
    const resources = translated(policy('{ tls: { mode: ISTIO_MUTUAL } }'));
    expect(resources.clusters.get(PLAIN)).toMatchObject({ type: 'STATIC', loadAssignment: { clusterName: PLAIN } });
    expect(resources.problems).toEqual([
      expect.objectContaining({
        kind: 'Service',
        name: 'productpage',
        message: expect.stringContaining('ISTIO_MUTUAL'),
      }),
    ]);
  });

  it('by the certificates of the mesh shows those of the calling Service', () => {
    const yaml = yamls(
      productpage(', certificates: /etc/mesh/productpage'),
      reviews,
      policy('{ tls: { mode: ISTIO_MUTUAL } }'),
    );
    const { clusters, problems } = translate(world({ yaml }), callers);
    expect(problems).toEqual([]);
    expect(clusters.get(PLAIN)?.transportSocket?.typedConfig).toMatchObject({
      sni: `outbound_.9080_._.reviews.default.svc.cluster.local`,
      commonTlsContext: { tlsCertificates: [{ privateKey: { filename: '/etc/mesh/productpage/key.pem' } }] },
    });
  });

  it('stands inside of the PROXY protocol', () => {
    const { clusters } = translated(policy('{ tls: { mode: SIMPLE }, proxyProtocol: { version: V2 } }'));
    expect(clusters.get(PLAIN)?.transportSocket).toMatchObject({
      name: 'envoy.transport_sockets.upstream_proxy_protocol',
      typedConfig: { config: { version: 'V2' }, transportSocket: { name: 'envoy.transport_sockets.tls' } },
    });
  });
});

describe('a rule for chosen callers', () => {
  const chosen = rule(
    '{ host: reviews, workloadSelector: { matchLabels: { app: productpage, tier: web } }, trafficPolicy: { loadBalancer: { simple: RANDOM } } }',
    'name: chosen',
  );
  const others = policy('{ loadBalancer: { simple: ROUND_ROBIN } }');
  const balancing = (yaml: string, scope = callers): unknown => translated(yaml, scope).clusters.get(PLAIN)?.lbPolicy;
  const web = proxy([{ service: 'reviews' }], { labels: { tier: 'web' } });

  it('holds before those for all, and for nobody else', () => {
    expect(balancing(yamls(chosen, others), web)).toBe('RANDOM');
    expect(balancing(yamls(chosen, others))).toBe('ROUND_ROBIN');
    expect(balancing(chosen)).toBe('LEAST_REQUEST');
  });

  it('holds in its own namespace only', () => {
    const elsewhere = chosen
      .replace('name: chosen', 'name: chosen, namespace: shop')
      .replace('host: reviews', 'host: reviews.default.svc.cluster.local');
    expect(balancing(yamls(elsewhere, others), web)).toBe('ROUND_ROBIN');
  });
});

describe('places', () => {
  const at = (region: string, zone: string) => proxy([{ service: 'reviews' }], { locality: localityAt(region, zone) });
  const endpoints = [
    endpoint('reviews/v1@10.0.0.1:1', 'HEALTHY', { region: 'r1', zone: 'z1' }),
    endpoint('reviews/v1@10.0.0.2:1', 'HEALTHY', { region: 'r1', zone: 'z2' }),
    endpoint('reviews/v1@10.0.0.3:1', 'HEALTHY', { region: 'r2', zone: 'z1' }),
  ];
  const order = (yaml: string, scope: ReturnType<typeof at>) =>
    translated(yaml, scope, endpoints)
      .endpoints.get(PLAIN)
      ?.endpoints?.map(({ locality, priority = 0, loadBalancingWeight: weight }) => [
        locality?.region,
        locality?.zone,
        priority,
        ...(weight === undefined ? [] : [weight]),
      ]);

  it('are alike where nobody has said anything, and the nearer comes first where failures are watched', () => {
    expect(order('', at('r1', 'z1'))).toEqual([
      ['r1', 'z1', 0],
      ['r1', 'z2', 0],
      ['r2', 'z1', 0],
    ]);
    const watched = policy('{ outlierDetection: {} }');
    expect(order(watched, at('r1', 'z2'))).toEqual([
      ['r1', 'z1', 1],
      ['r1', 'z2', 0],
      ['r2', 'z1', 2],
    ]);
    expect(order(watched, at('r2', 'z9'))).toEqual([
      ['r1', 'z1', 1],
      ['r1', 'z2', 1],
      ['r2', 'z1', 0],
    ]);
    const off = policy('{ outlierDetection: {}, loadBalancer: { localityLbSetting: { enabled: false } } }');
    expect(order(off, at('r1', 'z2'))).toEqual([
      ['r1', 'z1', 0],
      ['r1', 'z2', 0],
      ['r2', 'z1', 0],
    ]);
  });

  it('have fixed shares; a caller of another place meets all of them as many as they are', () => {
    const shares = policy(
      '{ loadBalancer: { localityLbSetting: { distribute: [{ from: r1, to: { r1/z1: 80, r2: 20 } }] } } }',
    );
    expect(order(shares, at('r1', 'z1'))).toEqual([
      ['r1', 'z1', 0, 80],
      ['r2', 'z1', 0, 20],
    ]);
    expect(order(shares, at('r2', 'z1'))).toEqual([
      ['r1', 'z1', 0, 1],
      ['r1', 'z2', 0, 1],
      ['r2', 'z1', 0, 1],
    ]);
  });

  it('are found in labels as well', () => {
    const byZone = policy(
      '{ loadBalancer: { localityLbSetting: { failoverPriority: [topology.kubernetes.io/zone, version=v1] } } }',
    );
    expect(order(byZone, at('r1', 'z1'))).toEqual([
      ['r1', 'z1', 0],
      ['r1', 'z2', 1],
      ['r2', 'z1', 0],
    ]);
  });

  it('cost nothing where nobody asks: callers of all places share their endpoints, else those of one place do', () => {
    const yaml = yamls(productpage(), reviews);
    const [plain, watched] = [yaml, yamls(yaml, policy('{ outlierDetection: {} }'))].map((text) =>
      world({ yaml: text, endpoints }),
    );
    const of = (snapshot: ReturnType<typeof world>, scope: ReturnType<typeof at>) =>
      translate(snapshot, scope).endpoints.get(PLAIN);
    const elsewhere = { ...at('r1', 'z1'), service: 'other' };
    expect(of(plain as never, at('r1', 'z1'))).toBe(of(plain as never, at('r2', 'z1')));
    expect(of(watched as never, at('r1', 'z1'))).not.toBe(of(watched as never, at('r2', 'z1')));
    expect(of(watched as never, at('r1', 'z1'))).toBe(of(watched as never, elsewhere));
  });
});

describe("the mesh's defaults", () => {
  const mesh =
    'apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { defaultTrafficPolicy: { connectionPool: { tcp: { maxConnections: 7, connectTimeout: 3s } }, outlierDetection: { consecutive5xxErrors: 2 } } }';

  it('stand where a rule leaves a block out, and connect timeouts within one as well', () => {
    const plain = translated(mesh).clusters.get(PLAIN);
    expect(plain).toMatchObject({ connectTimeout: '3s', outlierDetection: { consecutive5xx: 2 } });
    expect(plain?.circuitBreakers?.thresholds?.[0]?.maxConnections).toBe(7);
    const own = translated(yamls(mesh, policy('{ connectionPool: { http: { maxRetries: 1 } } }'))).clusters.get(PLAIN);
    expect(own).toMatchObject({ connectTimeout: '3s', outlierDetection: { consecutive5xx: 2 } });
    expect(own?.circuitBreakers?.thresholds?.[0]).toMatchObject({ maxConnections: 1024, maxRetries: 1 });
  });
});

describe('a sticky split', () => {
  const split = (weight: number): string => `apiVersion: mesh/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [{ split: [{ version: v1, weight: ${100 - weight} }, { version: v2, weight: ${weight} }] }] }`;
  const hashed = policy('{ loadBalancer: { consistentHash: { httpHeaderName: x-user } } }');
  const routeOf = (yaml: string) =>
    translated(yaml)
      .routes.get('outbound')
      ?.virtualHosts?.[0]?.routes?.find(({ name }) => name?.startsWith('Route/'))?.route;

  it('is parted by the hash, which is made once, of a sum that never changes', () => {
    for (const weight of [1, 10, 50]) {
      expect(routeOf(yamls(hashed, split(weight)))).toMatchObject({
        hashPolicy: [{ header: { headerName: 'x-user' } }],
        weightedClusters: {
          useHashPolicy: true,
          clusters: [{ weight: (100 - weight) * 10_000 }, { weight: weight * 10_000 }],
        },
      });
    }
    expect(routeOf(split(50))?.weightedClusters).not.toHaveProperty('useHashPolicy');
  });

  it('moves callers only to the part that grows', () => {
    const partOf = (weights: readonly number[], hash: number): number => {
      let rest = hash % 1_000_000;
      return weights.findIndex((weight) => (rest -= weight) < 0);
    };
    const weight = fc.integer({ min: 0, max: 10_000 });
    fc.assert(
      fc.property(weight, weight, fc.nat(), (a, b, hash) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const [before, after] = [less, more].map((one) => partOf(steadyWeights([10_000 - one, one]), hash));
        expect(before === 1 ? after : 1).toBe(1);
      }),
    );
  });
});

describe('a tunnel', () => {
  const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: proxy }
spec: { hosts: [proxy.example.com], resolution: DNS, ports: [{ number: 3128, name: tcp, protocol: TCP }] }`;
  const connect = (tunnel: string) =>
    translated(yamls(entry, rule(`{ host: proxy.example.com, trafficPolicy: { tunnel: ${tunnel} } }`)))
      .routes.get('outbound')
      ?.virtualHosts?.find(({ name }) => name === 'proxy.example.com:3128')?.routes?.[0];

  it('passes CONNECT on for the other host, and cannot make POST of it', () => {
    expect(connect('{ targetHost: db.example.com, targetPort: 443 }')?.route).toMatchObject({
      hostRewriteLiteral: 'db.example.com:443',
      upgradeConfigs: [{ upgradeType: 'CONNECT' }],
    });
    expect(connect('{ protocol: POST, targetHost: db.example.com, targetPort: 443 }')).toMatchObject({
      directResponse: { status: 501 },
    });
  });
});

describe('a route to a subset that is not there', () => {
  const named = (kind: string): string =>
    kind === 'Route'
      ? 'apiVersion: mesh/v1\nkind: Route\nmetadata: { name: reviews }\nspec: { service: reviews, rules: [{ split: [{ version: v9, weight: 100 }] }] }'
      : 'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: reviews }\nspec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: v9 } }] }] }';

  it.each(['Route', 'VirtualService'])('is refused with the list of those that are, by a %s', (kind) => {
    const subsets = rule('{ host: reviews, subsets: [{ name: tested, labels: { version: v2 } }] }');
    const [problem] = problemsIn(yamls(reviews, subsets, named(kind)));
    expect(problem).toMatchObject({ severity: 'error', code: 'MESH1010' });
    expect(`${problem?.message} ${problem?.hint}`).toMatch(kind === 'Route' ? /v1, v2/ : /tested, v1, v2/);
  });
});

it('docs/how-to/destinations.md says what is so', () => {
  const page = (name: string): string =>
    yamls(...fencedBlocks(readPage(`docs/how-to/${name}.md`), 'yaml').map(({ text }) => text));
  const billing = page('external-services').split('---')[0] ?? '';
  const orders = serviceYaml('orders', ['v1'], 'protocol: http, port: 80, certificates: /etc/ssl/orders');
  const yaml = yamls(orders, billing, page('destinations'));
  expect(problemsIn(yaml)).toEqual([]);
  const scope = proxy([], { service: 'orders', locality: localityAt('cn-bj', 'cn-bj-b') });
  const { clusters, endpoints, problems } = translate(world({ yaml }), scope);
  expect(problems).toEqual([]);
  expect(JSON.stringify(clusters.get('outbound|80||api.partner.example'))).toContain('/etc/ssl/orders/client.key');
  expect(endpoints.get('outbound|80||billing.example.com')?.endpoints).toMatchObject([
    { locality: { zone: 'cn-bj-a' }, loadBalancingWeight: 70 },
  ]);
});
