import { describe, expect, it } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import { findKind } from '../../../src/model/kind.js';
import { parseDefinitions } from '../../../src/model/parse.js';
import { problemsIn, serviceYaml, yamls } from '../../support/mesh-world.js';

const services = yamls(serviceYaml('reviews', ['v1', 'v2']), serviceYaml('ratings', ['v1']));

function virtualService(spec: string, name = 'reviews', version = 'v1'): string {
  return `apiVersion: networking.istio.io/${version}\nkind: VirtualService\nmetadata: { name: ${name} }\nspec: ${spec}`;
}

function destinationRule(spec: string, name = 'reviews'): string {
  return `apiVersion: networking.istio.io/v1alpha3\nkind: DestinationRule\nmetadata: { name: ${name} }\nspec: ${spec}`;
}

/** `code severity path: message (hint)` of each problem, the services apart from it being right. */
function found(...documents: readonly string[]): readonly string[] {
  return problemsIn(yamls(services, ...documents)).map(
    ({ code, severity, path, message, hint }) => `${code} ${severity} ${path}: ${message} (${hint})`,
  );
}

const rule = (http: string): string => virtualService(`{ hosts: [reviews], http: [{ ${http} }] }`);
const toReviews = 'route: [{ destination: { host: reviews } }]';

describe("the table of Istio's kinds", () => {
  it.each(['VirtualService', 'virtualservices', 'vs', 'DestinationRule', 'dr'])('knows %s', (word) => {
    expect(findKind(allKinds, word)).toBeDefined();
  });

  it.each(['v1', 'v1beta1', 'v1alpha3'])('accepts apiVersion networking.istio.io/%s', (version) => {
    expect(found(virtualService(`{ hosts: [reviews], http: [{ ${toReviews} }] }`, 'r', version))).toEqual([]);
  });
});

describe('a file written for kubectl', () => {
  it('may end with a separator', () => {
    expect(found(`${rule(toReviews)}\n---\n# nothing more`)).toEqual([]);
  });
});

describe('a field in the spelling of its proto', () => {
  it('is the same field, with its place', () => {
    expect(found(rule(`cors_policy: { max_age: 1.5s, allow_origins: [{ exact: a }] }, ${toReviews}`))).toEqual([
      'MESH1005 error VirtualService reviews spec.http[0].corsPolicy.maxAge: maxAge must not be "1.5s" (whole seconds)',
    ]);
    const text = 'spec:\n  hosts: [reviews]\n  http:\n  - cors_policy:\n      max_age: never\n    route: []';
    const [problem] = problemsIn(virtualService('{}').replace('spec: {}', text));
    expect(problem).toMatchObject({ line: 8, column: 16 });
    expect(found(destinationRule('{ host: reviews, traffic_policy: { load_balancer: { simple: RANDOM } } }'))).toEqual(
      [],
    );
  });

  it('is no key of a map: a header and a label may have any name', () => {
    const match = 'match: [{ headers: { x_a: { exact: b } }, source_labels: { my_label: c } }]';
    const { definitions } = parseDefinitions([{ name: 'a', text: rule(`${match}, ${toReviews}`) }], allKinds);
    expect(definitions[0]?.spec).toMatchObject({
      http: [{ match: [{ headers: { x_a: { exact: 'b' } }, sourceLabels: { my_label: 'c' } }] }],
    });
  });

  it('stands once', () => {
    expect(found(rule(`timeout: 1s, cors_policy: {}, corsPolicy: {}, ${toReviews}`))).toEqual([
      expect.stringContaining('unknown key "cors_policy"'),
    ]);
  });
});

describe('a VirtualService is accepted', () => {
  it.each([
    ['a full host', virtualService(`{ hosts: [reviews.default.svc.cluster.local], http: [{ ${toReviews} }] }`)],
    ['a wildcard host', virtualService(`{ hosts: ["*.default.svc.cluster.local"], http: [{ ${toReviews} }] }`)],
    ['the gateway mesh', virtualService(`{ hosts: [reviews], gateways: [mesh], http: [{ ${toReviews} }] }`)],
    ['an empty uri prefix', rule(`match: [{ uri: { prefix: "" } }], ${toReviews}`)],
    [
      'weights of any sum',
      rule(
        'route: [{ destination: { host: reviews, subset: v1 }, weight: 1 }, { destination: { host: ratings }, weight: 999 }]',
      ),
    ],
    ['status codes among retry words', rule(`retries: { attempts: 1, retryOn: "5xx,503" }, ${toReviews}`)],
    ['a header command', rule(`headers: { response: { set: { x-a: "%REQ(:AUTHORITY)% 100%%" } } }, ${toReviews}`)],
    [
      'regex "*" as presence in withoutHeaders',
      rule(`match: [{ withoutHeaders: { x-a: { regex: "*" } } }], ${toReviews}`),
    ],
  ])('with %s', (_what, yaml) => {
    expect(found(yaml)).toEqual([]);
  });
});

describe('a VirtualService is refused', () => {
  it.each([
    [
      'an unknown key',
      rule(`retrys: {}, ${toReviews}`),
      'MESH1003 error VirtualService reviews spec.http[0].retrys: unknown key "retrys"',
    ],
    [
      'a field that is not served yet',
      virtualService(
        '{ hosts: [reviews], tcp: [{ match: [{ sourceSubnet: 10.0.0.0/8 }], route: [{ destination: { host: reviews } }] }] }',
      ),
      'MESH1017 error VirtualService reviews spec.tcp[0].match[0].sourceSubnet: sourceSubnet is not supported yet: Istio ignores it too',
    ],
    ['no rules', virtualService('{ hosts: [reviews] }'), 'it has no rules: write http, tls or tcp'],
    [
      'a server name of somebody else',
      virtualService(
        '{ hosts: [reviews], tls: [{ match: [{ sniHosts: [other.com] }], route: [{ destination: { host: reviews } }] }] }',
      ),
      'spec.tls[0].match[0].sniHosts[0]: "other.com" is not within any of the hosts',
    ],
    [
      'an address that an explicit proxy does not see',
      virtualService(
        '{ hosts: [reviews], tcp: [{ match: [{ destinationSubnets: [10.0.0.0/8] }], route: [{ destination: { host: reviews } }] }] }',
      ),
      'MESH1017 error VirtualService reviews spec.tcp[0].match[0].destinationSubnets: an explicit proxy does not see',
    ],
    [
      'every host of the mesh',
      virtualService(`{ hosts: ['*'], http: [{ ${toReviews} }] }`),
      'a bare * would take every host',
    ],
    [
      'a host that another covers',
      virtualService(`{ hosts: ['*.com', '*.a.com'], http: [{ ${toReviews} }] }`),
      'host "*.a.com" is among those of "*.com"',
    ],
    [
      'two words for the host',
      rule(`rewrite: { authority: a }, headers: { request: { set: { Host: b } } }, ${toReviews}`),
      'the host is set twice',
    ],
    ['a delegate that does not exist', rule('delegate: { name: other }'), 'there is no VirtualService "default/other"'],
    [
      'itself as its delegate',
      rule('delegate: { name: reviews }'),
      'VirtualService "default/reviews" has hosts of its own',
    ],
    [
      'a delegate of a delegate',
      virtualService('{ http: [{ delegate: { name: reviews } }] }'),
      'one without hosts cannot delegate further',
    ],
    [
      'a delegate and a route',
      rule(`delegate: { name: other }, ${toReviews}`),
      'one of route, redirect, directResponse and delegate',
    ],
    [
      'a route and an answer',
      rule(`directResponse: { status: 200 }, ${toReviews}`),
      'one of route, redirect, directResponse and delegate',
    ],
    [
      'an answer with a fault',
      rule('directResponse: { status: 200 }, fault: { abort: { httpStatus: 500 } }'),
      'goes with neither rewrite nor fault',
    ],
    [
      'a body of two kinds',
      rule('directResponse: { status: 200, body: { string: a, bytes: YQ== } }'),
      'one of string and bytes',
    ],
    [
      'an abort of two kinds',
      rule(`fault: { abort: { httpStatus: 500, grpcStatus: OK } }, ${toReviews}`),
      'one of httpStatus and grpcStatus',
    ],
    [
      'a method that CORS does not know',
      rule(`corsPolicy: { allowMethods: [FETCH] }, ${toReviews}`),
      'allowMethods[0]',
    ],
    ['parts of seconds in maxAge', rule(`corsPolicy: { maxAge: 1.5s }, ${toReviews}`), 'whole seconds'],
    [
      'two ways of rewriting a path',
      rule(`rewrite: { uri: /, uriRegexRewrite: { match: a, rewrite: b } }, ${toReviews}`),
      'uri and uriRegexRewrite exclude each other',
    ],
    [
      'a gateway name that is none',
      virtualService(`{ hosts: [reviews], gateways: ['*/front'], http: [{ ${toReviews} }] }`),
      'a gateway is NAME (in the same namespace) or NAMESPACE/NAME',
    ],
    [
      'a host that is no service',
      virtualService(`{ hosts: [review], http: [{ ${toReviews} }] }`),
      'MESH1010 error VirtualService default/reviews spec.hosts[0]: host "review" is no service',
    ],
    [
      'a subset that does not exist',
      rule('route: [{ destination: { host: reviews, subset: v9 } }]'),
      'MESH1010 error VirtualService default/reviews spec.http[0].route[0].destination.subset: "reviews" has no subset or version "v9"',
    ],
    [
      'weights that are all 0',
      rule('route: [{ destination: { host: reviews } }, { destination: { host: ratings } }]'),
      'must not all be 0',
    ],
    [
      'an empty header prefix',
      rule(`match: [{ headers: { a: { prefix: "" } } }], ${toReviews}`),
      'an empty prefix matches everything',
    ],
    [
      'two ways of matching at once',
      rule(`match: [{ uri: { exact: /, prefix: / } }], ${toReviews}`),
      'one of exact, prefix, regex',
    ],
    [
      'a regular expression that RE2 does not know',
      rule(`match: [{ uri: { regex: "(?!x)" } }], ${toReviews}`),
      'RE2 has no look-around',
    ],
    [
      'regex "*" outside of withoutHeaders',
      rule(`match: [{ headers: { a: { regex: "*" } } }], ${toReviews}`),
      'MESH1005',
    ],
    [
      'attempts: 0 with conditions',
      rule(`retries: { attempts: 0, retryOn: 5xx }, ${toReviews}`),
      'attempts: 0 turns retries off',
    ],
    ['spaces in retryOn', rule(`retries: { attempts: 1, retryOn: "5xx, reset" }, ${toReviews}`), 'a comma list of'],
    [
      'a lone percent sign in a header',
      rule(`headers: { request: { set: { a: "100%" } } }, ${toReviews}`),
      'write a percent sign as %%',
    ],
    ['removing the host', rule(`headers: { request: { remove: [Host] } }, ${toReviews}`), 'the host cannot be removed'],
    ['a weight of 140 that is no number', rule('route: [{ destination: { host: reviews }, weight: a }]'), 'MESH1004'],
    [
      'route and redirect at once',
      rule(`redirect: { uri: /a }, ${toReviews}`),
      'one of route, redirect, directResponse and delegate',
    ],
    ['a bare wildcard', virtualService(`{ hosts: ["*"], http: [{ ${toReviews} }] }`), 'a bare * would take every host'],
    ['a fault without delay and abort', rule(`fault: {}, ${toReviews}`), 'a fault needs delay or abort'],
    [
      'a redirect prefix without a prefix to replace',
      rule('match: [{ uri: { exact: /b } }], redirect: { prefixRewrite: /a }'),
      'prefixRewrite goes only with',
    ],
  ])('with %s', (_what, yaml, message) => {
    expect(found(yaml).filter((problem) => problem.includes(' error '))).toEqual([expect.stringContaining(message)]);
  });

  it('shows the subsets that there are', () => {
    const problems = problemsIn(
      yamls(
        services,
        destinationRule('{ host: reviews, subsets: [{ name: next, labels: { version: v2 } }] }'),
        rule('route: [{ destination: { host: reviews, subset: v9 } }]'),
      ),
    );
    expect(problems.map(({ hint }) => hint)).toEqual(['there is: next, v1, v2']);
  });
});

describe('a VirtualService is warned about', () => {
  it.each([
    [
      'a destination that is no service',
      rule('route: [{ destination: { host: nobody } }]'),
      'MESH1010 warning VirtualService default/reviews spec.http[0].route[0].destination.host: host "nobody" is no service: until it is, nothing can be sent there',
    ],
    [
      'a port that the service does not have',
      rule('route: [{ destination: { host: reviews, port: { number: 81 } } }]'),
      'MESH1010 warning VirtualService default/reviews spec.http[0].route[0].destination.port.number: reviews has no port 81: until it has, nothing can be sent there',
    ],
    [
      'a second one for its host',
      yamls(rule(toReviews), virtualService(`{ hosts: [reviews.default], http: [{ ${toReviews} }] }`, 'z')),
      'VirtualService default/reviews already routes "reviews.default" and wins, whole',
    ],
    [
      'a Route of its service',
      yamls(
        rule(toReviews),
        'apiVersion: mesh/v1\nkind: Route\nmetadata: { name: r }\nspec: { service: reviews, rules: [{ split: [{ version: v1, weight: 100 }] }] }',
      ),
      'reviews also has the Route "r", which this VirtualService replaces',
    ],
    [
      'no hosts, and nobody who delegates to it',
      virtualService(`{ http: [{ ${toReviews} }] }`),
      'it has no hosts, and no VirtualService delegates to it: it routes nothing',
    ],
    [
      'a rule behind one that takes everything',
      virtualService(`{ hosts: [reviews], http: [{ ${toReviews} }, { name: late, ${toReviews} }] }`),
      'no request reaches this rule: spec.http[0] takes them all',
    ],
    [
      'a fault without a percentage',
      rule(`fault: { abort: { httpStatus: 500 } }, ${toReviews}`),
      'this abort touches no request',
    ],
    [
      'rules for connections that nothing meets',
      virtualService('{ hosts: [reviews], tcp: [{ route: [{ destination: { host: reviews } }] }] }'),
      'MESH1005 warning VirtualService default/reviews spec.tcp: none of its hosts has a port of protocol tcp',
    ],
    [
      'a gateway that is not there',
      virtualService(`{ hosts: [reviews], gateways: [mesh, front], http: [{ ${toReviews} }] }`),
      'MESH1010 warning VirtualService default/reviews spec.gateways[1]: there is no Gateway "default/front"',
    ],
  ])('for %s', (_what, yaml, message) => {
    expect(found(yaml)).toEqual([expect.stringContaining(message)]);
    expect(found(yaml)[0]).toContain(' warning ');
  });
});

describe('a DestinationRule', () => {
  it.each([
    [
      'subsets and a policy',
      '{ host: reviews, trafficPolicy: { loadBalancer: { simple: RANDOM } }, subsets: [{ name: v1, labels: { version: v1 } }] }',
    ],
    [
      'a subset by the labels of Istio on Kubernetes',
      '{ host: reviews, subsets: [{ name: v2, labels: { app: reviews, version: v2 } }] }',
    ],
    ['a wildcard host', '{ host: "*.cluster.local" }'],
  ])('is accepted with %s', (_what, spec) => {
    expect(found(destinationRule(spec))).toEqual([]);
  });

  it.each([
    [
      'a host that is no service',
      '{ host: nobody }',
      'MESH1010 error DestinationRule default/reviews spec.host: host "nobody" is no service',
    ],
    [
      'TLS by a secret of Kubernetes',
      '{ host: reviews, trafficPolicy: { tls: { mode: SIMPLE, credentialName: a } } }',
      'secrets of Kubernetes do not exist here: write caCertificates',
    ],
    [
      'MUTUAL without files',
      '{ host: reviews, trafficPolicy: { tls: { mode: MUTUAL, clientCertificate: /a.pem } } }',
      'MUTUAL needs clientCertificate and privateKey',
    ],
    [
      'files that SIMPLE does not show',
      '{ host: reviews, trafficPolicy: { tls: { mode: SIMPLE, clientCertificate: /a.pem, privateKey: /a.key } } }',
      'SIMPLE shows no certificate: write MUTUAL',
    ],
    [
      'TLS that is set and not turned on',
      '{ host: reviews, trafficPolicy: { tls: { sni: a.example.com } } }',
      'with mode DISABLE, which is the default, there is no TLS to set',
    ],
    [
      'ISTIO_MUTUAL with files',
      '{ host: reviews, trafficPolicy: { tls: { mode: ISTIO_MUTUAL, caCertificates: /a.pem } } }',
      'ISTIO_MUTUAL has its own files',
    ],
    [
      'a tunnel that begins with the PROXY protocol',
      '{ host: reviews, trafficPolicy: { tunnel: { targetHost: a.example.com, targetPort: 443 }, proxyProtocol: {} } }',
      'tunnel and proxyProtocol exclude each other',
    ],
    [
      'shares by place that are not all of it',
      '{ host: reviews, trafficPolicy: { loadBalancer: { localityLbSetting: { distribute: [{ from: a, to: { a: 80, b: 10 } }] } } } }',
      'together 100',
    ],
    [
      'places that have something in common',
      '{ host: reviews, trafficPolicy: { loadBalancer: { localityLbSetting: { distribute: [{ from: a, to: { "a/*": 80, a/b: 20 } }] } } } }',
      'two places have something in common',
    ],
    [
      'a failover to where it comes from',
      '{ host: reviews, trafficPolicy: { loadBalancer: { localityLbSetting: { failover: [{ from: a, to: a }] } } } }',
      'from and to are the same region',
    ],
    [
      'zone aware routing',
      '{ host: reviews, trafficPolicy: { loadBalancer: { zoneAwareLbSetting: {} } } }',
      'write localityLbSetting',
    ],
    [
      'chosen callers of other namespaces',
      '{ host: reviews, exportTo: ["*"], workloadSelector: { matchLabels: { app: a } } }',
      'with a workloadSelector it holds in its own namespace: leave out exportTo',
    ],
    [
      'two things to hash',
      '{ host: reviews, trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true, httpHeaderName: a } } } }',
      'one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName',
    ],
    [
      'a table whose size is no prime',
      '{ host: reviews, trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 8 } } } } }',
      'a prime number',
    ],
    ['an export to all and one', '{ host: reviews, exportTo: ["*", shop] }', '* stands alone'],
    [
      'PASSTHROUGH, for a port of a subset of a service of ours',
      '{ host: reviews, subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: PASSTHROUGH } }] } }] }',
      'spec.subsets[0].trafficPolicy.portLevelSettings[0].loadBalancer.simple: PASSTHROUGH goes to the host that the caller names',
    ],
    ['an empty policy', '{ host: reviews, trafficPolicy: {} }', 'a trafficPolicy must not be empty'],
    [
      'two subsets of one name',
      '{ host: reviews, subsets: [{ name: a, labels: { version: v1 } }, { name: a, labels: { version: v1 } }] }',
      'a second subset named "a"',
    ],
    [
      'a subset that has the name of one version and selects another',
      '{ host: reviews, subsets: [{ name: v1, labels: { version: v2 } }] }',
      'subset "v1" has the name of a version of reviews, but selects v2',
    ],
    [
      'local origin failures without the switch',
      '{ host: reviews, trafficPolicy: { outlierDetection: { consecutiveLocalOriginFailures: 3 } } }',
      'needs splitExternalLocalOriginErrors',
    ],
  ])('is refused with %s', (_what, spec, message) => {
    expect(found(destinationRule(spec))).toEqual([expect.stringContaining(message)]);
  });

  it('is warned about ISTIO_MUTUAL that looks at nothing', () => {
    const tls = '{ mode: ISTIO_MUTUAL, insecureSkipVerify: true }';
    const spec = `{ host: reviews, trafficPolicy: { portLevelSettings: [{ port: { number: 9080 }, tls: ${tls} }] } }`;
    expect(found(destinationRule(spec))).toEqual([
      'MESH1005 warning DestinationRule default/reviews spec.trafficPolicy.portLevelSettings[0].tls.insecureSkipVerify: ISTIO_MUTUAL always looks at the certificate: insecureSkipVerify does nothing (leave it out)',
    ]);
  });

  it('is warned about a warmup that nobody makes', () => {
    const spec = '{ host: reviews, trafficPolicy: { loadBalancer: { simple: RANDOM, warmup: { duration: 10s } } } }';
    expect(found(destinationRule(spec))).toEqual([
      'MESH1005 warning DestinationRule default/reviews spec.trafficPolicy.loadBalancer.warmup: RANDOM gives every instance its share at once: nobody warms up (write simple: LEAST_REQUEST or ROUND_ROBIN, or leave it out)',
    ]);
  });

  it('is warned about a subset that selects nothing', () => {
    expect(found(destinationRule('{ host: reviews, subsets: [{ name: v3, labels: { version: v3 } }] }'))).toEqual([
      'MESH1010 warning DestinationRule default/reviews spec.subsets[0].labels: subset "v3" selects no version of reviews (there is: v1, v2)',
    ]);
  });
});
