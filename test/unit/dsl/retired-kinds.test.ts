/** The kinds of 2017: refused, and what the hint says is itself right. */
import { describe, expect, it } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import { parseDefinitions } from '../../../src/model/parse.js';
import { problemsIn, serviceYaml, yamls } from '../../support/mesh-world.js';

/** The hint without its first line. */
function modern(yaml: string): string {
  const { problems } = parseDefinitions(
    [{ name: 'old.yaml', text: `apiVersion: config.istio.io/v1alpha2\n${yaml}` }],
    allKinds,
  );
  expect(problems).toMatchObject([{ code: 'MESH1017', line: 2, column: 7 }]);
  return problems[0]?.hint?.split('\n').slice(1).join('\n') ?? '';
}

const specs = (text: string): readonly unknown[] =>
  parseDefinitions([{ name: 'new.yaml', text }], allKinds).definitions.map(({ document }) => document.spec);

describe('a RouteRule', () => {
  const text = modern(`kind: RouteRule
metadata: { name: reviews-test }
spec:
  destination: { name: reviews, namespace: default }
  precedence: 2
  match:
    source: { name: productpage, labels: { version: v1 } }
    request: { headers: { cookie: { regex: "user=jason" }, uri: { prefix: /api } } }
  route: [{ labels: { version: v1 }, weight: 90 }, { labels: { version: v2, env: test }, weight: 10 }]
  httpReqTimeout: { simpleTimeout: { timeout: 10s } }
  httpReqRetries: { simpleRetry: { attempts: 3, perTryTimeout: 2s } }
  httpFault: { delay: { percent: 50, fixedDelay: 7s } }
  appendHeaders: { x-a: b }
  mirror: { name: ratings }
  websocketUpgrade: true
`);

  it('is a VirtualService, with a DestinationRule for what is no version', () => {
    const host = 'reviews.default.svc.cluster.local';
    expect(specs(text)).toEqual([
      {
        hosts: [host],
        http: [
          {
            match: [
              {
                uri: { prefix: '/api' },
                headers: { cookie: { regex: 'user=jason' } },
                sourceLabels: { version: 'v1' },
              },
            ],
            route: [
              { destination: { host, subset: 'v1' }, weight: 90 },
              { destination: { host, subset: 'v2-test' }, weight: 10 },
            ],
            timeout: '10s',
            retries: { attempts: 3, perTryTimeout: '2s' },
            fault: { delay: { fixedDelay: '7s', percentage: { value: 50 } } },
            mirror: { host: 'ratings' },
            headers: { request: { add: { 'x-a': 'b' } } },
          },
        ],
      },
      { host, subsets: [{ name: 'v2-test', labels: { version: 'v2', env: 'test' } }] },
    ]);
    const services = yamls(serviceYaml('reviews', ['v1', 'v2']), serviceYaml('ratings', ['v1']));
    expect(problemsIn(yamls(services, text)).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('tells which of its fields are not carried over', () => {
    expect(text).toContain('# not carried over: websocketUpgrade, match.source.name');
  });
});

it('a DestinationPolicy is a DestinationRule', () => {
  const text = modern(`kind: DestinationPolicy
metadata: { name: ratings-cb }
spec:
  destination: { name: ratings, labels: { version: v1 } }
  loadBalancing: { name: LEAST_CONN }
  circuitBreaker: { simpleCb: { maxConnections: 100, httpMaxRequests: 9, httpConsecutiveErrors: 1, sleepWindow: 15m } }
`);
  const trafficPolicy = {
    loadBalancer: { simple: 'LEAST_REQUEST' },
    connectionPool: { tcp: { maxConnections: 100 }, http: { http2MaxRequests: 9 } },
    outlierDetection: { consecutive5xxErrors: 1, baseEjectionTime: '15m' },
  };
  expect(specs(text)).toEqual([
    { host: 'ratings', subsets: [{ name: 'v1', labels: { version: 'v1' }, trafficPolicy }] },
  ]);
  expect(text).not.toContain('not carried over');
});

it.each([
  ['"*.foo.com"', { hosts: ['*.foo.com'], resolution: 'NONE' }],
  ['foo.com', { hosts: ['foo.com'], resolution: 'DNS' }],
  ['10.0.0.0/8', { hosts: ['foo.external'], addresses: ['10.0.0.0/8'], resolution: 'NONE' }],
])('an EgressRule to %s is a ServiceEntry', (service, expected) => {
  const text = modern(`kind: EgressRule
metadata: { name: foo }
spec: { destination: { service: ${service} }, ports: [{ port: 443, protocol: https }] }
`);
  expect(specs(text)).toMatchObject([
    { ...expected, location: 'MESH_EXTERNAL', ports: [{ number: 443, name: 'https-443', protocol: 'HTTPS' }] },
  ]);
});

it('an IngressRule is a Gateway and a VirtualService', () => {
  const text = modern(`kind: IngressRule
metadata: { name: web }
spec: { port: 80, destination: { name: web }, destinationServicePort: 8080, match: { request: { headers: { uri: { exact: / } } } } }
`);
  expect(specs(text)).toEqual([
    { selector: { app: 'edge' }, servers: [{ port: { number: 80, name: 'http-80', protocol: 'HTTP' }, hosts: ['*'] }] },
    {
      hosts: ['*'],
      gateways: ['web'],
      http: [{ match: [{ uri: { exact: '/' } }], route: [{ destination: { host: 'web', port: { number: 8080 } } }] }],
    },
  ]);
});

it.each(['RouteRule', 'DestinationPolicy', 'EgressRule', 'IngressRule'])('a %s of any shape is no surprise', (kind) => {
  for (const spec of [
    '[]',
    '3',
    '{ destination: 1, match: [], route: {}, ports: [1], circuitBreaker: { simpleCb: 1 } }',
  ]) {
    expect(modern(`kind: ${kind}\nmetadata: { name: a }\nspec: ${spec}\n`)).toContain(
      'apiVersion: networking.istio.io/v1',
    );
  }
});
