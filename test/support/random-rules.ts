/**
 * Random definitions that are right: rules of all kinds for a few services and outside hosts, in few words, so that random
 * requests meet them often. Seeded by whoever draws.
 */
import fc from 'fast-check';
import type { Endpoint } from '../../src/model/instance.js';
import { endpoint } from './mesh-world.js';

export interface Definition {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: object;
}

export const yamlOf = (definitions: readonly Definition[]): string =>
  definitions.map((one) => JSON.stringify(one)).join('\n---\n');

/** A host that rules name, as each namespace may write it. */
interface Host {
  readonly full: string;
  /** For a service of ours: what its own namespace may write. */
  readonly short?: string;
  readonly namespace: string;
  readonly ports: readonly number[];
  readonly versions: readonly string[];
}

const VERSIONS = ['v1', 'v2'] as const;
export const NAMESPACES = ['default', 'shop'] as const;

const ours = (short: string, namespace: string, ports: readonly number[]): Host => ({
  full: `${short}.${namespace}.svc.cluster.local`,
  short,
  namespace,
  ports,
  versions: VERSIONS,
});
const outside = (full: string, ports: readonly number[]): Host => ({ full, namespace: 'default', ports, versions: [] });

const requestHosts = [
  ours('alpha', 'default', [80, 8080]),
  ours('beta', 'default', [9080]),
  ours('beta', 'shop', [80]),
  outside('one.example.com', [80]),
  outside('two.example.com', [80, 8000]),
];
const streamHosts = [ours('delta', 'default', [5432]), outside('bytes.example.com', [7000])];
const hosts = [...requestHosts, ours('gamma', 'default', [9000]), ...streamHosts];

/** Each has two instances, or endpoints, of versions v1 and v2, on addresses of its own. */
const addressOf = (host: Host, version: string): string => `127.30.${hosts.indexOf(host)}.${version.slice(1)}`;

const definition = (
  apiVersion: string,
  kind: string,
  name: string,
  spec: object,
  namespace = 'default',
): Definition => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  spec,
});
const istio = (kind: string, name: string, spec: object, namespace?: string): Definition =>
  definition('networking.istio.io/v1', kind, name, spec, namespace);

function service({ short = '', namespace }: Host, spec: object): readonly Definition[] {
  return [
    definition('mesh/v1', 'Service', short, spec, namespace),
    ...VERSIONS.map((version) =>
      definition(
        'mesh/v1',
        'Version',
        `${short}-${version}`,
        { service: short, version, container: { image: 'demo' } },
        namespace,
      ),
    ),
  ];
}

function entry(host: Host, protocol: string, resolution: string, port: number): Definition {
  return istio('ServiceEntry', host.full.replaceAll('.', '-'), {
    hosts: [host.full],
    ports: host.ports.map((number) => ({ number, name: `p-${number}`, protocol, targetPort: port })),
    resolution,
    endpoints: VERSIONS.map((version) => ({ address: addressOf(host, version), labels: { version } })),
  });
}

/** What all rules are about, with everybody behind it at one port. */
export function scenery(port: number): { readonly definitions: readonly Definition[]; readonly endpoints: Endpoint[] } {
  const [alpha, beta, betaOfShop, one, two, gamma, delta, bytes] = hosts as [
    Host,
    Host,
    Host,
    Host,
    Host,
    Host,
    Host,
    Host,
  ];
  return {
    definitions: [
      ...service({ ...alpha, short: 'productpage' }, { protocol: 'http', port: 9080 }),
      ...service(alpha, {
        ports: [
          { name: 'api', port: 8080, protocol: 'http' },
          { name: 'web', port: 80, protocol: 'http' },
        ],
      }),
      ...service(beta, { protocol: 'http', port: 9080, stable: 'v1' }),
      ...service(betaOfShop, { protocol: 'http', port: 80 }),
      ...service(gamma, { protocol: 'grpc', port: 9000 }),
      ...service(delta, { protocol: 'tcp', port: 5432, stable: 'v2' }),
      definition('mesh/v1', 'Service', 'edge', {
        gateway: true,
        ports: [{ name: 'http', port: 80, protocol: 'http' }],
      }),
      istio('Gateway', 'edge', {
        selector: { app: 'edge' },
        servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
      }),
      entry(one, 'HTTP', 'STATIC', port),
      entry(two, 'HTTP', 'DNS', port),
      entry(bytes, 'TCP', 'STATIC', port),
      istio('ServiceEntry', 'wild', {
        hosts: ['*.wild.example.com'],
        ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        resolution: 'DYNAMIC_DNS',
      }),
    ],
    endpoints: hosts.flatMap((host) =>
      host.short === undefined
        ? []
        : host.versions.flatMap((version) =>
            host.ports.map((_, i) =>
              endpoint(`${host.short}.${host.namespace}/${version}@${addressOf(host, version)}:${port}`, 'HEALTHY', {
                portName: host === alpha ? (['web', 'api'][i] ?? '') : '',
              }),
            ),
          ),
    ),
  };
}

/** Of the caller that they are all drawn for. */
export const upstreams = hosts.flatMap(({ short, namespace, ports }) =>
  short === undefined
    ? []
    : ports.map((port) => ({ service: short, namespace, name: `${short}-${namespace}-${port}`, port })),
);

const some = <Value>(values: readonly Value[]): fc.Arbitrary<Value> => fc.constantFrom(...values);
const optional = <Shape extends object>(shape: { [Key in keyof Shape]: fc.Arbitrary<Shape[Key]> }) =>
  fc.record(shape, { requiredKeys: [] });
const few = <Value>(value: fc.Arbitrary<Value>, maxLength = 2): fc.Arbitrary<Value[]> =>
  fc.array(value, { minLength: 1, maxLength });

/* What conditions and requests are made of: the same words, so that they often meet. */
const words = ['', '1', '12', 'abc', 'ABC', 'a b', 'true'] as const;
const paths = ['/', '/a', '/A', '/a/', '/a/b', '/ab', '/b/12', '/a/x.html', '/c'] as const;
const expressions = ['[0-9]+', 'a.*', '(?i)abc', 'a|b|12', '.*b.*', '.+', '.*'] as const;
const headerNames = ['x-a', 'x-b', 'X-C'] as const;

const filled = some(words.filter((word) => word !== ''));
const textMatch = fc.oneof(
  filled.map((exact) => ({ exact })),
  some(['1', 'a', 'A']).map((prefix) => ({ prefix })),
  some(expressions).map((regex) => ({ regex })),
);
const present = fc.constant({});
const prefixMatch = some(['/', '/a', '/a/', '/A', '/b/1', '']).map((prefix) => ({ prefix }));
const uriMatch = fc.oneof(
  some(paths).map((exact) => ({ exact })),
  prefixMatch,
  some(['/a.*', '/(a|b)/[0-9]+', '.*\\.html', '/[a-z]+', '(?i)/A', '/.*/.*']).map((regex) => ({ regex })),
);
const methodMatch = fc.oneof(
  some(['GET', 'POST']).map((exact) => ({ exact })),
  fc.constant({ prefix: 'P' }),
  fc.constant({ regex: 'P(OST|UT)' }),
);
const authorityMatch = fc.oneof(
  some(['alpha', 'one.example.com', 'alpha:8080']).map((exact) => ({ exact })),
  fc.constant({ prefix: 'al' }),
  fc.constant({ regex: '.*example.*' }),
);

const conditions = {
  ignoreUriCase: fc.boolean(),
  headers: fc.dictionary(some([...headerNames, ':authority', ':path']), fc.oneof(textMatch, present), { maxKeys: 2 }),
  withoutHeaders: fc.dictionary(some(headerNames), fc.oneof(textMatch, present, fc.constant({ regex: '*' })), {
    maxKeys: 1,
  }),
  queryParams: fc.dictionary(some(['q', 'r']), fc.oneof(textMatch, present), { maxKeys: 1 }),
};
const rareConditions = {
  method: methodMatch,
  authority: authorityMatch,
  scheme: some(['http', 'https', 'HTTP']).map((exact) => ({ exact })),
  port: some([80, 8080, 9080]),
  sourceLabels: some([{ version: 'v1' }, { version: 'v2' }]),
  sourceNamespace: some(NAMESPACES),
  name: some(['first', 'second']),
  statPrefix: fc.constant('counted'),
};

/** Few of them at a time: with many nothing would ever match. */
const matchOf = (uri: fc.Arbitrary<object>): fc.Arbitrary<object> =>
  fc
    .tuple(
      optional({ uri }),
      fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, optional(conditions)),
      fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, fc.oneof(...singly(rareConditions))),
    )
    .map((parts) => Object.assign({}, ...parts) as object);

function singly(shape: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object>[] {
  return Object.entries(shape).map(([key, value]) => value.map((one) => ({ [key]: one })));
}

const edits = optional({
  request: optional({
    set: some([{ 'x-set': 'yes' }, { host: 'other.example.com' }]),
    add: fc.constant({ 'x-added': '%DOWNSTREAM_REMOTE_ADDRESS%' }),
    remove: fc.constant(['x-b']),
  }),
  response: optional({ set: fc.constant({ 'x-answer': '100%%' }), remove: fc.constant(['x-backend-too']) }),
});

type Subsets = ReadonlyMap<Host, readonly string[]>;

function written(host: Host, namespace: string): string {
  return host.short !== undefined && host.namespace === namespace ? host.short : host.full;
}

function destination(among: readonly Host[], subsets: Subsets, namespace: string): fc.Arbitrary<object> {
  return some(among).chain((host) => {
    const names = [...host.versions, ...(subsets.get(host) ?? [])];
    return fc
      .tuple(fc.option(some(host.ports)), names.length === 0 ? fc.constant(null) : fc.option(some(names)))
      .map(([number, subset]) => ({
        host: written(host, namespace),
        ...(number === null ? {} : { port: { number } }),
        ...(subset === null ? {} : { subset }),
      }));
  });
}

function split(one: fc.Arbitrary<object>, withHeaders: boolean): fc.Arbitrary<object[]> {
  const extras = withHeaders ? fc.option(edits, { nil: undefined, freq: 4 }) : fc.constant(undefined);
  const shares = fc.array(fc.tuple(one, some([0, 1, 20, 100]), extras), { minLength: 1, maxLength: 3 });
  return shares.map((parts) =>
    parts.map(([target, weight, headers], i) => ({
      destination: target,
      weight: i === 0 ? weight + 1 : weight,
      ...(headers === undefined ? {} : { headers }),
    })),
  );
}

const retries = fc.oneof(
  fc.constant({ attempts: 0 }),
  fc.record(
    {
      attempts: fc.integer({ min: 1, max: 3 }),
      perTryTimeout: fc.constant('2s'),
      retryOn: some(['5xx,503', 'connect-failure,refused-stream', 'gateway-error']),
      backoff: fc.constant('1ms'),
      retryRemoteLocalities: fc.boolean(),
      retryIgnorePreviousHosts: fc.boolean(),
    },
    { requiredKeys: ['attempts'] },
  ),
);
const percentage = some([0, 50, 100]).map((value) => ({ value }));
const abort = fc.record({ httpStatus: some([418, 503]), percentage });
const delay = fc.record({ fixedDelay: fc.constant('1ms'), percentage });
const cors = fc.record(
  {
    allowOrigins: few(fc.oneof(textMatch, fc.constant({ exact: '*' }))),
    allowMethods: fc.constant(['GET', 'POST']),
    maxAge: fc.constant('10s'),
    unmatchedPreflights: some(['FORWARD', 'IGNORE']),
  },
  { requiredKeys: ['allowOrigins'] },
);

function forwarding(target: fc.Arbitrary<object>): fc.Arbitrary<object> {
  const extras = optional({
    timeout: some(['0s', '5s']),
    retries,
    fault: fc.oneof(fc.record({ abort }), fc.record({ delay }), fc.record({ abort, delay })),
    mirrors: few(fc.record({ destination: target, percentage })),
    rewrite: fc.oneof(
      some([{ uri: '/new' }, { uri: '/' }, { authority: 'other.example.com' }]),
      fc.constant({ uriRegexRewrite: { match: '/(a|b)', rewrite: '/x\\1' } }),
    ),
    corsPolicy: cors,
  });
  return fc
    .tuple(split(target, true), fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, extras))
    .map(([route, more]) => ({ route, ...more }));
}

const redirect = optional({
  uri: some(['/moved', '/a']),
  authority: fc.constant('elsewhere.example.com'),
  scheme: some(['http', 'https']),
  redirectCode: some([302, 307, 308]),
}).filter(({ uri, authority, scheme }) => uri !== undefined || authority !== undefined || scheme !== undefined);
const directResponse = fc.record({ status: some([200, 404, 503]), body: fc.constant({ string: 'made here' }) });

/** A rule of requests; the headers' edits of the rule stand beside any action but must not set the host twice. */
function requestRule(target: fc.Arbitrary<object>): fc.Arbitrary<object> {
  const action = fc.oneof(
    { weight: 4, arbitrary: forwarding(target) },
    { weight: 1, arbitrary: redirect.map((one) => ({ redirect: one })) },
    { weight: 1, arbitrary: directResponse.map((one) => ({ directResponse: one })) },
  );
  const prefixed = fc
    .tuple(few(matchOf(prefixMatch)), some(['/moved', '/a']))
    .map(([match, prefixRewrite]) => ({ match, redirect: { prefixRewrite } }));
  const plain = fc
    .tuple(fc.option(few(matchOf(uriMatch), 3), { nil: undefined, freq: 4 }), action)
    .map(([match, what]) => ({ ...(match === undefined ? {} : { match }), ...what }));
  return fc.oneof({ weight: 9, arbitrary: plain }, { weight: 1, arbitrary: prefixed });
}

/** Of the hosts that requests go to; one that nobody has made known; and whole domains. */
const routedHosts = (namespace: string): fc.Arbitrary<string[]> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .uniqueArray(some(requestHosts), { minLength: 1, maxLength: 2 })
        .map((all) => all.map((host) => written(host, namespace))),
    },
    some([['own.example.org'], ['*.example.com'], ['*.wild.example.com'], ['*.org', 'one.example.com']]),
  );

const rareFields = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  some([['.'], ['*'], ['shop']]).map((exportTo) => ({ exportTo })),
  some([['mesh', 'default/edge'], ['default/edge']]).map((gateways) => ({ gateways })),
);

function virtualService(name: string, subsets: Subsets): fc.Arbitrary<Definition> {
  return some(NAMESPACES).chain((namespace) => {
    const rule = requestRule(destination(requestHosts, subsets, namespace));
    return fc
      .tuple(routedHosts(namespace), few(rule, 4), rareFields)
      .map(([names, http, more]) => istio('VirtualService', name, { hosts: names, http, ...more }, namespace));
  });
}

/** One that others delegate to, and one that does. */
function delegation(subsets: Subsets): fc.Arbitrary<Definition[]> {
  const rule = requestRule(destination(requestHosts, subsets, 'default'));
  return fc
    .tuple(few(rule, 2), fc.option(few(matchOf(uriMatch)), { nil: undefined }), rule)
    .map(([own, match, last]) => [
      istio('VirtualService', 'part', { http: own }),
      istio('VirtualService', 'whole', {
        hosts: ['beta'],
        http: [{ ...(match === undefined ? {} : { match }), delegate: { name: 'part' } }, last],
      }),
    ]);
}

function streams(subsets: Subsets): fc.Arbitrary<Definition[]> {
  const route = split(destination(streamHosts, subsets, 'default'), false);
  const tcp = fc.tuple(fc.option(few(fc.record({ port: some([5432, 7000]) })), { nil: undefined }), route);
  const tls = fc.tuple(some(streamHosts.map(({ full }) => full)), route);
  return fc.tuple(few(tcp), fc.array(tls, { maxLength: 2 })).map(([ofBytes, ofTls]) => [
    istio('VirtualService', 'streams', {
      hosts: streamHosts.map(({ full }) => full),
      tcp: ofBytes.map(([match, to]) => ({ ...(match === undefined ? {} : { match }), route: to })),
      tls: ofTls.map(([name, to]) => ({ match: [{ sniHosts: [name] }], route: to })),
    }),
  ]);
}

const shortPolicy = optional({
  loadBalancer: fc.oneof(
    some(['LEAST_REQUEST', 'ROUND_ROBIN', 'RANDOM']).map((simple) => ({ simple })),
    some([
      { httpHeaderName: 'x-a' },
      { useSourceIp: true },
      { httpQueryParameterName: 'q' },
      { httpCookie: { name: 'user', ttl: '60s' } },
    ]).map((consistentHash) => ({ consistentHash })),
    fc.constant({ localityLbSetting: { failoverPriority: ['topology.kubernetes.io/region'] } }),
  ),
  connectionPool: fc.record({ tcp: fc.record({ maxConnections: fc.integer({ min: 100, max: 1000 }) }) }),
  outlierDetection: fc.record({ consecutive5xxErrors: fc.constant(50), interval: fc.constant('60s') }),
});
const policy = fc
  .tuple(shortPolicy, fc.option(fc.tuple(some([80, 9080, 5432]), shortPolicy), { nil: undefined, freq: 3 }))
  .map(([blocks, ofPort]) => ({
    ...blocks,
    ...(ofPort === undefined ? {} : { portLevelSettings: [{ port: { number: ofPort[0] }, ...ofPort[1] }] }),
  }))
  .filter((blocks) => Object.keys(blocks).length > 0);

const destinationRules = fc.tuple(
  ...hosts.map((host) =>
    fc.option(
      fc
        .record({
          trafficPolicy: fc.option(policy, { nil: undefined }),
          subsets: fc.uniqueArray(
            fc.record({
              name: some(['v1', 's1', 's2']),
              labels: fc.constant({ version: 'v1' }),
              trafficPolicy: fc.option(policy, { nil: undefined }),
            }),
            { selector: ({ name }) => name, maxLength: 2 },
          ),
        })
        .map((spec) => ({ host, spec })),
      { nil: undefined, freq: 1 },
    ),
  ),
);

const ownMatch = optional({
  headers: fc.dictionary(
    some(['x-a', 'x-b']),
    fc.oneof(
      filled.map((exact) => ({ exact })),
      fc.constant({ prefix: 'a' }),
    ),
    {
      maxKeys: 1,
    },
  ),
  cookies: fc.dictionary(
    some(['user']),
    filled.map((exact) => ({ exact })),
    { maxKeys: 1 },
  ),
  path: some(paths).map((prefix) => ({ prefix })),
  method: fc.constant({ exact: 'GET' }),
  callers: some([['productpage'], ['nobody'], ['productpage.default']]),
});
const route = fc
  .tuple(
    some(requestHosts.filter(({ short }) => short !== undefined)),
    few(fc.tuple(few(ownMatch), some([0, 10, 100]))),
  )
  .map(([{ short, namespace }, rules]) =>
    definition(
      'mesh/v1',
      'Route',
      `route-${short}`,
      {
        service: short,
        rules: [
          ...rules.map(([match, weight]) => ({ match, split: splitOf(weight) })),
          { split: [{ version: 'v1', weight: 100 }] },
        ],
      },
      namespace,
    ),
  );

function splitOf(weight: number): object[] {
  return [
    { version: 'v1', weight },
    { version: 'v2', weight: 100 - weight },
  ];
}

/** Rules for the scenery; several may be about one host. */
export const rules: fc.Arbitrary<readonly Definition[]> = destinationRules.chain((drawn) => {
  const policies = drawn.filter((one) => one !== undefined);
  const subsets: Subsets = new Map(policies.map(({ host, spec }) => [host, spec.subsets.map(({ name }) => name)]));
  const none = fc.constant<Definition[]>([]);
  return fc
    .tuple(
      fc.tuple(
        ...[0, 1, 2, 3, 4].map((i) => fc.option(virtualService(`vs-${i}`, subsets), { nil: undefined, freq: 4 })),
      ),
      fc.oneof(none, delegation(subsets)),
      fc.oneof(none, streams(subsets)),
      fc.oneof(
        none,
        route.map((one) => [one]),
      ),
    )
    .map(([services, ...more]) => [
      ...policies.map(({ host, spec }, i) => istio('DestinationRule', `dr-${i}`, { host: host.full, ...spec })),
      ...services.filter((one) => one !== undefined),
      ...more.flat(),
    ]);
});
export interface RandomRequest {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

const spellings = requestHosts.flatMap(({ full, short, namespace, ports }) => {
  const names =
    short === undefined ? [full] : [`${short}.${namespace}`, full, ...(namespace === 'default' ? [short] : [])];
  return names.flatMap((name) => [name, name.toUpperCase(), ...ports.map((port) => `${name}:${port}`)]);
});

/** What may be asked of them, strange spellings too. */
export const requests: fc.Arbitrary<RandomRequest> = fc.record({
  host: some([
    ...spellings,
    'one.example.com.',
    'One.Example.com.:80',
    'one.example.com:081',
    'x.example.com',
    'own.example.org',
    'own.example.org:80',
    'other.org',
    'a.wild.example.com',
    'nobody',
  ]),
  path: fc
    .tuple(
      fc.oneof(
        { weight: 4, arbitrary: some(paths) },
        some([
          '/a//b',
          '//a',
          '/a/../b/7',
          '/a/./b',
          '/%61',
          '/a%2fb',
          '/a%2Fb',
          '/b\\12',
          '/a/b/..',
          '/a;x=1',
          '/c%20d',
          '/a/%2e%2e/b/12',
          '/..',
          '/.',
          '//',
          '/a/..//b',
          '/%5ca',
          '/a%',
          '/a%zz',
          '/a?b?c',
        ]),
      ),
      some(['', '', '?q=1', '?q=abc&r=12', '?r=1&r=2', '?q', '?q=', '?x=/a/b', '?q=a%20b', '?Q=1']),
    )
    .map((parts) => parts.join('')),
  method: some(['GET', 'GET', 'POST', 'PUT']),
  headers: fc.dictionary(some([...headerNames, 'cookie']), fc.oneof(some(words), some(['user=abc', 'a=1; user=12'])), {
    maxKeys: 3,
  }),
});
