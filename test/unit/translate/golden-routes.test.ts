/**
 * Istio's own VirtualService tests as data, 132 of them: what our rules become is what Istio's become. Compared by meaning; what
 * the normaliser takes away is written there, and cases that differ are listed with their reason.
 */
import { describe, expect, it } from 'vitest';
import { type VirtualServiceSpec, virtualServiceSchema } from '../../../src/dsl/virtual-service-shape.js';
import { compileVirtualService } from '../../../src/pilot/translate/compile-virtual-service.js';
import type { Callee } from '../../../src/pilot/translate/envoy-clusters.js';
import type { RoutedBy } from '../../../src/pilot/translate/mesh-index.js';
import { ruleRoutes } from '../../../src/pilot/translate/routes.js';
import { rulesFor, targetsOf } from '../../../src/pilot/translate/rules.js';
import { decodeMessage, encodeMessage } from '../../../src/xds/encode.js';
import { goldenCases, isEqual, type Json, unseenMutants } from '../../support/golden.js';

interface GoldenCase {
  readonly name: string;
  readonly namespace?: string;
  readonly gatewayNames: readonly string[];
  readonly listenPort: number;
  readonly proxyLabels?: Readonly<Record<string, string>>;
  readonly proxyNamespace: string;
  readonly services?: Readonly<Record<string, { readonly ports: readonly number[] }>>;
  /** By `host|subset`. */
  readonly consistentHashByDestination?: Readonly<Record<string, object>>;
  readonly virtualService: object;
  readonly routes?: readonly Json[];
  readonly error?: string;
}

// Durations are whole milliseconds here: these cases have one of 100 ns.
const cases = goldenCases<GoldenCase>('vs-to-envoy-routes.jsonl', (line) => line.replaceAll('0.000000100s', '0.100s'));

/** By the number of its line, from 1. */
const differences: ReadonlyMap<number, string> = new Map([
  [10, 'JWT claims as conditions (@request.auth.claims) are refused: no gateway of ours reads tokens yet'],
  [33, 'redirectCode 317 is refused: Istio makes a route without an action of it, which Envoy would not take'],
]);

/** A VirtualService as Istio's test has it, which may lack what its validation demands of a user. */
function specOf({ virtualService }: GoldenCase): VirtualServiceSpec {
  // `regex: "*"` is refused for users, by Istio too, and means "present" where it gets through.
  const text = JSON.stringify(virtualService).replaceAll('{"regex":"*"}', '{}');
  return virtualServiceSchema.parse({ hosts: ['any.example.org'], ...(JSON.parse(text) as object) });
}

function ourRoutes(one: GoldenCase): readonly Json[] {
  const namespace = one.namespace ?? 'default';
  const spec = specOf(one);
  const definition = { kind: 'VirtualService', name: one.name, namespace, spec } as unknown as RoutedBy['definition'];
  const { rules } = compileVirtualService({ definition, delegates: [], fullHosts: new Map() });
  const caller = {
    namespace: one.proxyNamespace,
    service: '',
    cluster: '',
    labels: one.proxyLabels ?? {},
    gateway: inFull(one.gatewayNames[0] ?? '', namespace),
  };
  const kept = rulesFor(rules, caller, one.listenPort);
  const hosts = kept.flatMap(targetsOf).map(({ host, port }) => [host, calleeOf(one, host, port)] as const);
  const targets = new Map(hosts.flatMap(([host, callee]) => (callee === undefined ? [] : [[host, callee] as const])));
  const place = { targets, port: one.listenPort, isStreaming: false };
  return kept.flatMap((rule) => ruleRoutes(rule, place)) as readonly Json[];
}

function inFull(gateway: string, namespace: string): string {
  return gateway === 'mesh' || gateway.includes('/') ? gateway : `${namespace}/${gateway}`;
}

/** A host that the case knows: its ports, and how its DestinationRule hashes. */
function calleeOf(one: GoldenCase, host: string, port: number | undefined): Callee | undefined {
  const known = one.services?.[host];
  const hashes = Object.entries(one.consistentHashByDestination ?? {}).filter(([key]) => key.split('|')[0] === host);
  if (known === undefined && hashes.length === 0) return undefined;
  const numbers = [...new Set([...(known?.ports ?? []), ...(port === undefined ? [] : [port])])];
  const ports = numbers.map((number) => ({ name: `p${number}`, port: number, protocol: 'http' }));
  const policyOf = (consistentHash: object) => ({ loadBalancer: { consistentHash } });
  const whole = hashes.find(([key]) => key.endsWith('|'))?.[1];
  const policy = {
    policy: whole === undefined ? undefined : policyOf(whole),
    subsets: hashes
      .filter(([key]) => !key.endsWith('|'))
      .map(([key, hash]) => ({ name: key.split('|')[1], labels: {}, trafficPolicy: policyOf(hash) })),
  };
  return { entry: { host, ports, defaultPort: ports[0] }, policy } as unknown as Callee;
}

const ROUTE = 'envoy.config.route.v3.Route';

/**
 * Through Envoy's own types, so that spelling and defaults are no difference, and without
 * - names of Istio for tracing and its own tools (decorator, metadata), and a field that this Envoy warns of (maxGrpcTimeout);
 * - filters that come from labels of Kubernetes services and from extension objects, of which the cases have the result only;
 * - what Envoy does not read: how often to look for another host without a reason to, and a destination's host below the rule's;
 * - the case of header names and of hosts, and the case sensitivity of paths that is Envoy's default.
 */
function normal(route: Json): Json {
  const { decorator: _, metadata: __, typedPerFilterConfig: filters = {}, ...rest } = route;
  const ours = Object.entries(filters as Json).filter(([name]) => !/stateful_session|ext_proc/.test(name));
  const bare = JSON.stringify({
    ...rest,
    ...(ours.length === 0 ? {} : { typedPerFilterConfig: Object.fromEntries(ours) }),
  }).replaceAll(/,?"maxGrpcTimeout":"[^"]*"/g, '');
  const json = decodeMessage(ROUTE, encodeMessage(ROUTE, JSON.parse(bare) as object)) as EnvoyRoute;
  if (json.match?.caseSensitive === true) delete json.match.caseSensitive;
  for (const header of json.match?.headers ?? []) header.name = header.name.toLowerCase();
  const { route: action } = json;
  if (action !== undefined) {
    const clusters = action.weightedClusters?.clusters ?? [];
    if (action.cluster !== undefined) action.cluster = clusterOf(action.cluster);
    for (const cluster of clusters) {
      cluster.name = clusterOf(cluster.name);
      if (action.hostRewriteLiteral !== undefined) delete cluster.hostRewriteLiteral;
    }
    if (action.retryPolicy !== undefined) normalizeRetries(action.retryPolicy);
  }
  return json as Json;
}

/** What only we have: our names of routes, our retry of what a callee's sidecar could not deliver, our word for a missing cluster. */
function inIstiosWords(route: Json): Json {
  const json = JSON.parse(JSON.stringify(route).replaceAll('"missing|', '"outbound|')) as EnvoyRoute;
  const [, rule, match] = /^VirtualService\/[^/]+\/[^/]+\/([^#]+)(?:#(.+))?$/.exec(json.name ?? '') ?? [];
  if (rule === undefined) throw new Error(`a route is named ${json.name}`);
  // A number is the place of a rule or a match without a name.
  const named = [rule, match ?? ''].map((part) => (/^\d+$/.test(part) ? '' : part));
  const name = named[1] === '' ? named[0] : named.join('.');
  const policy = json.route?.retryPolicy;
  if (policy?.retryOn?.endsWith(',retriable-headers') === true) {
    policy.retryOn = policy.retryOn.replace(/,retriable-headers$/, '');
    if (isEqual(policy.retriableHeaders, undelivered)) delete policy.retriableHeaders;
  }
  const { name: _, ...unnamed } = json;
  return (name === '' ? unnamed : { ...unnamed, name }) as Json;
}

const undelivered = [{ name: 'x-mesh-undelivered', stringMatch: { exact: 'connect' } }];

interface EnvoyRoute {
  name?: string;
  match?: { caseSensitive?: boolean; headers?: { name: string }[]; prefix?: string; queryParameters?: unknown };
  route?: {
    cluster?: string;
    hostRewriteLiteral?: string;
    weightedClusters?: { clusters: { name: string; hostRewriteLiteral?: string }[] };
    retryPolicy?: RetryPolicy;
  };
}

interface RetryPolicy {
  retryOn?: string;
  retriableHeaders?: unknown;
  hostSelectionRetryMaxAttempts?: string;
  retryHostPredicate?: unknown;
}

function clusterOf(name: string): string {
  return name.toLowerCase();
}

function normalizeRetries(policy: RetryPolicy): void {
  if (policy.retryHostPredicate === undefined) delete policy.hostSelectionRetryMaxAttempts;
}

/** Behind a route that takes everything stands nothing that a request could meet: Istio leaves it out. */
function reachable(routes: readonly Json[]): readonly Json[] {
  const last = routes.findIndex(({ match }) => isEqual(match, { prefix: '/' }));
  return last === -1 ? routes : routes.slice(0, last + 1);
}

const normalRoutes = (routes: readonly Json[]): readonly Json[] => reachable(routes.map(normal));
const ourNormal = (routes: readonly Json[]): readonly Json[] => normalRoutes(routes.map(inIstiosWords));

describe("Istio's routes", () => {
  it('are 132, and nearly all are equal', () => {
    expect(cases).toHaveLength(132);
    expect(differences.size).toBeLessThanOrEqual(0.03 * cases.length);
  });

  it.each(cases.map((one, i) => [i + 1, one] as const))('case %i', (line, one) => {
    const theirs = normalRoutes(one.routes ?? []);
    if (differences.has(line)) {
      let isSame = false;
      try {
        isSame = isEqual(ourNormal(ourRoutes(one)), theirs);
      } catch {
        // Refused, as is listed.
      }
      expect(isSame, 'it is listed, and equal').toBe(false);
    } else expect(ourNormal(ourRoutes(one))).toEqual(theirs);
  });

  it('would be seen to differ in nearly every field: each one changed, and taken away', () => {
    const equal = cases.flatMap((one, i) =>
      differences.has(i + 1) ? [] : [[`case ${i + 1}`, ourRoutes(one)] as const],
    );
    const { mutants, unseen } = unseenMutants(equal, ourNormal);
    expect(mutants).toBeGreaterThan(2500);
    expect(unseen.length / mutants, unseen.slice(0, 40).join('\n')).toBeLessThan(0.05);
  });
});
