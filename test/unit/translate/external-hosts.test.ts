import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/pilot/translate/index.js';
import type { UpstreamTlsContextJson } from '../../../src/xds/envoy-json.js';
import { fencedBlocks, readPage } from '../../support/doc-commands.js';
import { endpoint, problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources, simulate, split } from '../../support/simulate.js';

function entry(name: string, spec: string, metadata = ''): string {
  return `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${name}${metadata} }\nspec: ${spec}`;
}

function translated(parts: Parameters<typeof world>[0], scope = proxy([])) {
  const resources = translate(world(parts), scope);
  checkResources(resources);
  return resources;
}

const http80 = 'ports: [{ number: 80, name: http, protocol: HTTP }]';
const payments = entry(
  'payments',
  `{ hosts: [api.example.com], addresses: [240.0.0.7, 10.9.0.0/16], resolution: STATIC,
    ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }, { number: 5432, name: db, protocol: TCP }],
    endpoints: [{ address: 10.1.0.1, labels: { version: v1 }, locality: r/z/s, weight: 3 }, { address: 10.1.0.2, labels: { version: v2 }, ports: { http: 81 } }] }`,
);

function endpointsAt(resources: ReturnType<typeof translated>, host: string): readonly string[] {
  const experience = simulate(resources, { host });
  if (experience.kind === 'answered') throw new Error(`${host}: ${experience.status}`);
  return experience.shares.flatMap((share) => share.endpoints);
}

describe('a host of a ServiceEntry', () => {
  it('is reached by every proxy, by its name and its addresses, at the port that was named', () => {
    const resources = translated({ yaml: payments });
    const expected = ['10.1.0.2:81', '10.1.0.1:8080'];
    for (const host of ['api.example.com', 'API.example.com:80', '240.0.0.7', '240.0.0.7:80'])
      expect(endpointsAt(resources, host)).toEqual(expected);
    expect(simulate(resources, { host: 'api.example.com:81' })).toMatchObject({ kind: 'answered', status: 404 });
    expect(simulate(resources, { host: 'api' })).toMatchObject({ kind: 'answered', status: 404 });
    expect(simulate(resources, { host: 'api.example.com:5432', method: 'CONNECT' })).toMatchObject({
      shares: [{ cluster: 'outbound|5432||api.example.com', endpoints: ['10.1.0.2:5432', '10.1.0.1:5432'] }],
    });
    expect(resources.endpoints.get('outbound|80||api.example.com')?.endpoints).toMatchObject([
      {},
      { locality: { region: 'r', zone: 'z', subZone: 's' }, lbEndpoints: [{ loadBalancingWeight: 3 }] },
    ]);
  });

  it('gets its bytes though a whole domain is redirected: rules for requests say nothing about them', () => {
    const rules = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: moved }
spec: { hosts: ["*.example.com"], http: [{ match: [{ uri: { prefix: / } }], redirect: { uri: /moved } }] }`;
    const resources = translated({ yaml: yamls(payments, rules) });
    expect(simulate(resources, { host: 'api.example.com:5432', method: 'CONNECT' })).toMatchObject({
      shares: [{ cluster: 'outbound|5432||api.example.com' }],
    });
  });

  it('takes the rules and subsets that are written for it', () => {
    const rules = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: payments }
spec: { host: api.example.com, subsets: [{ name: new, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: payments }
spec: { hosts: [api.example.com], http: [{ route: [{ destination: { host: api.example.com, subset: new }, weight: 30 }, { destination: { host: api.example.com }, weight: 70 }] }] }`;
    const resources = translated({ yaml: yamls(payments, rules) });
    expect(split(resources, { host: 'api.example.com' })).toEqual({ new: 0.3, '': 0.7 });
    expect(resources.endpoints.get('outbound|80|new|api.example.com')?.endpoints).toMatchObject([
      { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '10.1.0.2', portValue: 81 } } } }] },
    ]);
  });

  it('is looked up by DNS, by the names of its endpoints or by its own', () => {
    const resources = translated({
      yaml: yamls(
        entry('own', `{ hosts: [own.example.com], resolution: DNS, ${http80} }`),
        entry('exact', `{ hosts: [exact.example.com], ${http80} }`),
        entry('first', `{ hosts: [first.example.com], resolution: DNS_ROUND_ROBIN, ${http80} }`),
        entry(
          'named',
          `{ hosts: ["*.named.example.com"], resolution: DNS, ${http80}, endpoints: [{ address: lon.example.com }] }`,
        ),
      ),
    });
    const found = ['own', 'exact', 'first', 'any.named'].map((name) => {
      const experience = simulate(resources, { host: `${name}.example.com` });
      if (experience.kind === 'answered') throw new Error(name);
      const { type, edsClusterConfig } = resources.clusters.get(experience.shares[0]?.cluster ?? '') ?? {};
      expect(edsClusterConfig).toBeUndefined();
      return [type, ...(experience.shares[0]?.endpoints ?? [])];
    });
    expect(found).toEqual([
      ['STRICT_DNS', 'own.example.com:80'],
      ['STRICT_DNS', 'exact.example.com:80'],
      ['LOGICAL_DNS', 'first.example.com:80'],
      ['STRICT_DNS', 'lon.example.com:80'],
    ]);
    expect(resources.endpoints.size).toBe(0);
  });

  it('of a wildcard without endpoints is the very host that a request names, and a bare one means port 80', () => {
    const resources = translated({
      yaml: entry(
        'all',
        '{ hosts: ["*.example.com"], ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }, { number: 8080, name: alt, protocol: HTTP }] }',
      ),
    });
    for (const [host, cluster] of [
      ['a.example.com', 'outbound|80||*.example.com'],
      ['a.b.example.com:8080', 'outbound|8080||*.example.com'],
    ] as const) {
      expect(simulate(resources, { host })).toMatchObject({ shares: [{ cluster }] });
      expect(resources.clusters.get(cluster)).toMatchObject({
        lbPolicy: 'CLUSTER_PROVIDED',
        clusterType: { name: 'envoy.clusters.dynamic_forward_proxy' },
      });
    }
    expect(simulate(resources, { host: 'a.example.com:443', method: 'CONNECT' })).toMatchObject({
      shares: [{ cluster: 'outbound|443||*.example.com' }],
    });
  });

  it('is served by the WorkloadEntries and the instances of its namespace that its selector takes', () => {
    const workload = (name: string, namespace: string, labels: string): string =>
      `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { tier: old } }\nspec: { address: 10.2.0.${name.length}, labels: ${labels} }`;
    const parts = {
      yaml: yamls(
        serviceYaml('reviews', ['v1', 'v2']),
        entry(
          'mixed',
          '{ hosts: [mixed.example.com], resolution: STATIC, ports: [{ number: 9080, name: web, protocol: HTTP }], workloadSelector: { labels: { app: reviews, version: v2 } } }',
        ),
        workload('a', 'default', '{ app: reviews, version: v2 }'),
        workload('bb', 'default', '{ app: reviews, version: v1 }'),
        workload('ccc', 'other', '{ app: reviews, version: v2 }'),
      ),
      endpoints: [
        endpoint('reviews/v1@10.0.0.1:1', 'HEALTHY', { portName: 'http' }),
        endpoint('reviews/v2@10.0.0.2:1', 'UNHEALTHY', { portName: 'http' }),
      ],
    };
    const resources = translated(parts);
    expect(endpointsAt(resources, 'mixed.example.com:9080')).toEqual(['10.2.0.1:9080', '10.0.0.2:1 UNHEALTHY']);
  });

  it('is served by workloads that register themselves, as their WorkloadGroup describes them', () => {
    const group = `apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: machines }
spec:
  metadata: { labels: { tier: old } }
  template: { labels: { app: legacy, version: v7 }, ports: { http: 8081, db: 5433 }, locality: r9/z9, weight: 5 }`;
    const registered = endpoint('machines/@10.3.0.1:8000', 'HEALTHY', { region: '', zone: '', node: '' });
    const resources = translated({
      yaml: yamls(
        group,
        entry(
          'legacy',
          '{ hosts: [legacy.example.com], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }, { number: 81, name: db, protocol: HTTP }], workloadSelector: { labels: { app: legacy, tier: old } } }',
        ),
      ),
      endpoints: [registered, endpoint('machines/@10.3.0.2:8000', 'UNHEALTHY', { portName: 'http', node: '' })],
    });
    expect(endpointsAt(resources, 'legacy.example.com')).toEqual(['10.3.0.2:8000 UNHEALTHY', '10.3.0.1:8081']);
    expect(endpointsAt(resources, 'legacy.example.com:81')).toEqual(['10.3.0.1:5433']);
    expect(resources.endpoints.get('outbound|81||legacy.example.com')?.endpoints).toMatchObject([
      { locality: { region: 'r9', zone: 'z9' }, lbEndpoints: [{ loadBalancingWeight: 5 }] },
    ]);
  });

  it('leaves out workloads whose address its resolution cannot use, and says so', () => {
    const workload = (name: string, address: string): string =>
      `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: ${name} }\nspec: { address: "${address}", labels: { app: x } }`;
    const yaml = (resolution: string): string =>
      yamls(
        workload('named', 'lon.example.com'),
        workload('at', '10.0.0.1'),
        workload('socket', 'unix:///run/x.sock'),
        entry(
          'x',
          `{ hosts: [x.example.com], resolution: ${resolution}, ${http80}, workloadSelector: { labels: { app: x } } }`,
        ),
      );
    const warnings = (resolution: string) => problemsIn(yaml(resolution)).map(({ message }) => message);
    expect(endpointsAt(translated({ yaml: yaml('STATIC') }), 'x.example.com')).toEqual(['10.0.0.1:80', '/run/x.sock']);
    expect(warnings('STATIC')).toMatchObject([expect.stringContaining('WorkloadEntry named is left out')]);
    const byName = translated({ yaml: yaml('DNS_ROUND_ROBIN') });
    expect(endpointsAt(byName, 'x.example.com')).toEqual(['10.0.0.1:80', 'lon.example.com:80']);
    expect(byName.clusters.get('outbound|80||x.example.com')?.type).toBe('STRICT_DNS');
    expect(warnings('DNS_ROUND_ROBIN')).toMatchObject([expect.stringContaining('WorkloadEntry socket is left out')]);
  });

  it('is for the namespaces that it is shown to, their own before another', () => {
    const yaml = yamls(
      entry(
        'here',
        `{ hosts: [a.example.com], resolution: STATIC, ${http80}, exportTo: ["."], endpoints: [{ address: 10.0.0.1 }] }`,
      ),
      entry(
        'there',
        `{ hosts: [a.example.com], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.2 }] }`,
        ', namespace: shop',
      ),
      entry('nobody', `{ hosts: [b.example.com], resolution: STATIC, ${http80}, exportTo: ["~"] }`),
    );
    expect(endpointsAt(translated({ yaml }), 'a.example.com')).toEqual(['10.0.0.1:80']);
    const others = translated({ yaml }, proxy([], { namespace: 'bank' }));
    expect(endpointsAt(others, 'a.example.com')).toEqual(['10.0.0.2:80']);
    expect(simulate(others, { host: 'b.example.com' })).toMatchObject({ status: 404 });
  });

  it('gives way to a service of ours with the same name, and says so', () => {
    const yaml = yamls(
      serviceYaml('reviews', ['v1']),
      entry(
        'reviews',
        `{ hosts: [reviews.default.svc.cluster.local], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.9 }] }`,
      ),
    );
    expect(problemsIn(yaml).map(({ message }) => message)).toContainEqual(
      expect.stringContaining('is the Service default/reviews, which wins'),
    );
    const resources = translated(
      { yaml, endpoints: [endpoint('reviews/v1@10.0.0.1:1')] },
      proxy([{ service: 'reviews' }]),
    );
    expect(endpointsAt(resources, 'reviews:9080')).toEqual(['10.0.0.1:1']);
    expect(simulate(resources, { host: 'reviews:80' })).toMatchObject({ status: 404 });
  });

  it('is not made anew by what does not concern it', () => {
    const snapshot = world({ yaml: payments });
    const scope = proxy([]);
    const before = translate(snapshot, scope);
    expect(translate({ ...snapshot, revision: 9, endpoints: new Map([['default/x', []]]) }, scope)).toBe(before);
  });

  it('never shares a domain with another: the first has an address that two of them name', () => {
    const one = (name: string): string =>
      entry(
        name,
        `{ hosts: [${name}.example.com], addresses: [240.0.0.1], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.1 }] }`,
      );
    const resources = translated({ yaml: yamls(one('a'), one('b')) });
    const domains = (resources.routes.get('outbound')?.virtualHosts ?? []).flatMap(({ domains: own = [] }) => own);
    expect(new Set(domains).size).toBe(domains.length);
    expect(simulate(resources, { host: '240.0.0.1' })).toMatchObject({
      shares: [{ cluster: 'outbound|80||a.example.com' }],
    });
  });
});

describe('the names of a ServiceEntry', () => {
  const named = entry(
    'named',
    `{ hosts: [pay.example.com], resolution: DNS, subjectAltNames: [pay.internal], ${http80} }`,
  );
  const checked = (tls: string): unknown => {
    const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: named }
spec: { host: pay.example.com, trafficPolicy: { tls: ${tls} } }`;
    const { clusters } = translated({ yaml: yamls(named, rule) });
    const socket = clusters.get('outbound|80||pay.example.com')?.transportSocket?.typedConfig as UpstreamTlsContextJson;
    const names = socket.commonTlsContext?.validationContext?.matchTypedSubjectAltNames;
    return [...new Set(names?.map(({ matcher }) => matcher?.exact))];
  };

  it('are asked of its certificate, where a DestinationRule names none itself', () => {
    expect(checked('{ mode: SIMPLE }')).toEqual(['pay.internal']);
    expect(checked('{ mode: SIMPLE, subjectAltNames: [other] }')).toEqual(['other']);
    expect(checked('{ mode: SIMPLE, insecureSkipVerify: true }')).toEqual([]);
  });
});

describe('a VirtualService', () => {
  const route = (hosts: string, destination: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: v }\nspec: { hosts: [${hosts}], http: [{ route: [{ destination: { host: ${destination} } }] }] }`;

  it('makes a host of its own of a name that nobody has, on port 80', () => {
    const resources = translated({
      yaml: yamls(payments, route('shop.example.com, "*.old.example.com"', 'api.example.com')),
    });
    for (const host of ['shop.example.com', 'shop.example.com:80', 'x.old.example.com'])
      expect(endpointsAt(resources, host)).toHaveLength(2);
    expect(simulate(resources, { host: 'shop.example.com:81' })).toMatchObject({ status: 404 });
    expect(problemsIn(yamls(payments, route('shop.example.com', 'api.example.com')))).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('carries bytes') },
      { severity: 'warning', message: expect.stringContaining('routed as a name of its own') },
    ]);
  });

  it('means services of ours by short names, and else what a ServiceEntry lists', () => {
    const yaml = yamls(
      serviceYaml('reviews', ['v1']),
      entry(
        'ratings',
        `{ hosts: [ratings.default.svc.cluster.local], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.5 }] }`,
      ),
      entry('word', `{ hosts: [word], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.6 }] }`),
    );
    const to = (destination: string) =>
      endpointsAt(
        translated({ yaml: yamls(yaml, route('reviews', destination)) }, proxy([{ service: 'reviews' }])),
        'reviews:9080',
      );
    expect(to('ratings')).toEqual(['10.0.0.5:80']);
    expect(to('ratings.default')).toEqual(['10.0.0.5:80']);
    expect(to('word')).toEqual(['10.0.0.6:80']);
  });
});

it('the mesh of the conformance cases is served as it stands', () => {
  const file = path.resolve(import.meta.dirname, '../../../fixtures/conformance/istio/live/mesh-base.yaml');
  const documents = readFileSync(file, 'utf8').split(/^---$/m);
  const entries = documents.filter((text) => text.includes('kind: ServiceEntry'));
  const resources = translated({ yaml: yamls(...entries) });
  for (const host of ['reviews:9080', 'reviews.default.svc.cluster.local:9080', '240.240.0.3', 'reviews'])
    expect(endpointsAt(resources, host)).toEqual(['127.10.3.1:9080', '127.10.3.2:9080', '127.10.3.3:9080']);
});

it('the page about external services is told as it is', () => {
  const yaml = yamls(...fencedBlocks(readPage('docs/how-to/external-services.md'), 'yaml').map(({ text }) => text));
  expect(problemsIn(yaml)).toEqual([]);
  const resources = translated({ yaml }, proxy([], { service: 'orders' }));
  expect(split(resources, { host: 'billing.example.com' })).toEqual({ new: 0.1, '': 0.9 });
  expect(endpointsAt(resources, 'billing.example.com')).toContain('10.1.0.2:8081');
  // A rule that asks nothing of requests holds for connections too.
  expect(resources.listeners.get('egress|127.0.0.2|5432')?.filterChains?.[0]?.filters?.[0]?.typedConfig).toMatchObject({
    weightedClusters: { clusters: [{ name: 'outbound|5432|new|billing.example.com' }, {}] },
  });
  expect(translated({ yaml }).listeners.has('egress|127.0.0.2|5432')).toBe(false);
});

it('of two ServiceEntries of a namespace with one host the first by name has it, and the other is told', () => {
  const yaml = yamls(
    entry('a', `{ hosts: [x.example.com], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.1 }] }`),
    entry('b', `{ hosts: [x.example.com], resolution: STATIC, ${http80}, endpoints: [{ address: 10.0.0.2 }] }`),
  );
  expect(endpointsAt(translated({ yaml }), 'x.example.com')).toEqual(['10.0.0.1:80']);
  expect(problemsIn(yaml)).toMatchObject([
    {
      path: 'ServiceEntry default/b spec.hosts[0]',
      message: expect.stringContaining('default/a already has the host'),
    },
  ]);
});
