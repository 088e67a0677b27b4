/**
 * Istio's own DestinationRule tests as data, 145 of them: the clusters that our rules become are what Istio's become. Compared by
 * meaning; what the normaliser takes away is written there, and cases that differ are listed with their reason.
 */
import { describe, expect, it } from 'vitest';
import { type DestinationRuleSpec, destinationRuleSchema } from '../../../src/dsl/destination-rule-shape.js';
import { protocolOf } from '../../../src/dsl/protocol.js';
import { localityLbSchema } from '../../../src/model/locality-lb.js';
import { clusterStatName } from '../../../src/model/names.js';
import { callerPolicy } from '../../../src/pilot/translate/caller-policy.js';
import { SYSTEM_CAS } from '../../../src/pilot/translate/client-tls.js';
import { outboundCluster, policyOf } from '../../../src/pilot/translate/clusters.js';
import { loadAssignment } from '../../../src/pilot/translate/endpoints.js';
import { selectionsOf } from '../../../src/pilot/translate/envoy-clusters.js';
import { externalCluster, namedByCaller } from '../../../src/pilot/translate/external-clusters.js';
import { discoveryOf } from '../../../src/pilot/translate/external-endpoints.js';
import type { ExternalHost, HostPort } from '../../../src/pilot/translate/mesh-index.js';
import { type MeshDefaults, withMeshDefaults } from '../../../src/pilot/translate/policy-levels.js';
import type { HostFacts } from '../../../src/pilot/translate/service-facts.js';
import { decodeMessage, encodeMessage } from '../../../src/xds/encode.js';
import type { ClusterJson } from '../../../src/xds/envoy-json.js';
import { goldenCases, isEqual, type Json, unseenMutants } from '../../support/golden.js';
import { endpoint as endpointOf } from '../../support/mesh-world.js';

interface GoldenCase {
  readonly autoMtls?: boolean;
  readonly cluster: Json;
  readonly subsetClusters?: readonly Json[];
  readonly destinationRule: object;
  readonly localityLb?: object;
  readonly meshConnectTimeout?: string;
  readonly meshTcpKeepalive?: { readonly time?: string };
  readonly originTest: string;
  readonly port: { readonly name: string; readonly port: number; readonly protocol: string };
  readonly service: { readonly host: string; readonly resolution: string };
}

const cases = goldenCases<GoldenCase>('dr-to-envoy-clusters.jsonl', (line) =>
  // Names with blanks, which no user can write, and a connect timeout of the mesh that is no whole millisecond.
  line
    .replaceAll(/(roundrobin|leastrequest|empty lb type) (with(?:out)? [a-z ]+)(?=[|";])/g, (name) =>
      name.replaceAll(' ', '-'),
    )
    .replaceAll('empty lb type', 'empty-lb-type')
    .replaceAll(/Subset (\d)/g, 'subset-$1')
    .replaceAll('10.000000001s', '10s'),
);

/** By the number of its line, from 1. */
const differences: ReadonlyMap<number, string> = new Map([
  [62, "files in the metadata of a proxy, which take the place of a rule's: they are written in the rule"],
  [63, 'the same'],
  [
    96,
    'the case has lost the setting of the mesh that it is about: an empty failover, which Istio answers with weights by place',
  ],
  [97, 'the same'],
]);

/** Objects that Istio's own validation refuses as well: its tests of translation go round it. */
const refusedByBoth: ReadonlySet<number> = new Set([20, 23, 26, 36, 37, 40, 41, 76, 77]);

const endpoint = { ...endpointOf('a/@192.168.1.1:10001'), labels: { foo: 'bar' } };

const FOLDER = '/etc/certs';
const resolutions: Readonly<Record<string, string>> = {
  ClientSide: 'STATIC',
  DNS: 'DNS',
  DNSRoundRobin: 'DNS_ROUND_ROBIN',
  Passthrough: 'NONE',
  '5': 'DYNAMIC_DNS',
};

function ourClusters(one: GoldenCase): readonly ClusterJson[] {
  const { host } = one.service;
  const spec: DestinationRuleSpec = destinationRuleSchema.parse(one.destinationRule);
  const identity = { namespace: 'bar', name: host, key: `bar/${host}.`, host };
  const entry = {
    kind: 'external',
    ...identity,
    identity,
    spec: { resolution: resolutions[one.service.resolution] },
    destinationRules: [{ kind: 'DestinationRule', name: 'acme', namespace: 'bar', spec }],
  } as unknown as ExternalHost;
  const facts: HostFacts = { entry, stable: undefined, versions: [] };
  const protocol = protocolOf(one.port.protocol);
  const port: HostPort = {
    name: one.port.name,
    port: one.port.port,
    protocol: protocol ?? 'http',
    isUnknown: protocol === undefined,
  };
  const rules = callerPolicy(entry, { namespace: 'bar', labels: {} }, 'istio-system');
  return selectionsOf(facts, rules).map((selection) => {
    const policy = withMeshDefaults(policyOf(selection, port), meshDefaultsOf(one));
    const cluster = outboundCluster(identity, port, selection, policy, FOLDER);
    const assignment = loadAssignment(facts, port, selection, [endpoint], undefined);
    return externalCluster(cluster, discoveryOf(entry, policy), assignment);
  });
}

/** What of these cases is said for the whole mesh. */
function meshDefaultsOf(one: GoldenCase): MeshDefaults {
  const isOfTest = one.originTest === 'TestDefaultTrafficPolicy';
  const tcp = {
    ...(one.meshConnectTimeout === undefined ? {} : { connectTimeout: one.meshConnectTimeout }),
    ...(one.meshTcpKeepalive === undefined ? {} : { tcpKeepalive: one.meshTcpKeepalive }),
    ...(isOfTest ? { maxConnections: 33 } : {}),
  };
  return {
    connectionPool: { tcp },
    ...(isOfTest ? { outlierDetection: { consecutive5xxErrors: 7 } } : {}),
    ...(one.localityLb === undefined ? {} : { localityLbSetting: localityLbSchema.parse(one.localityLb) }),
  };
}

const CLUSTER = 'envoy.config.cluster.v3.Cluster';
const HTTP = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** JSON of an Envoy cluster, of which only parts are named. */
type Loose = Record<string, unknown>;

/** The object there, if there is one; of a list the first. */
function part(json: Loose, ...path: readonly string[]): Loose | undefined {
  let found: unknown = json;
  for (const key of path) {
    const holder: unknown = Array.isArray(found) ? found[0] : found;
    found = (holder as Loose | undefined)?.[key];
  }
  return (Array.isArray(found) ? found[0] : found) as Loose | undefined;
}

const httpOf = (json: Loose): Loose | undefined => part(json, 'typedExtensionProtocolOptions', HTTP);
const tlsOf = (json: Loose): Loose | undefined => part(json, 'transportSocket', 'typedConfig', 'commonTlsContext');

function drop(holder: Loose | undefined, key: string, value: unknown): void {
  if (holder !== undefined && isEqual(holder[key], value)) delete holder[key];
}

/** Through Envoy's own types, so that spelling and defaults are no difference. */
function typed(cluster: object): Loose {
  return decodeMessage(CLUSTER, encodeMessage(CLUSTER, cluster)) as Loose;
}

/**
 * What is the same thing in both, said in two ways, and what a cluster is not about:
 * - hosts that callers name: Istio asks the kernel for the address that was meant, or looks the name up; we look it up. Envoy chooses
 *   among no endpoints there, so how it would choose is nothing;
 * - the endpoints that look-ups begin with, which golden-localities compares;
 * - HTTP/1.1 to instances is Envoy's default; numbers that are Envoy's defaults for an outlier detection and a warm-up,
 *   and how many answers in a row where they do not eject.
 */
function normal(cluster: Loose): Loose {
  const { loadAssignment: _, ...rest } = cluster;
  const json = structuredClone(rest) as Loose;
  if (json['type'] === 'ORIGINAL_DST' || json['clusterType'] !== undefined) {
    for (const key of ['clusterType', 'commonLbConfig', 'outlierDetection']) delete json[key];
    json['type'] = 'NAMED_BY_CALLER';
  }
  const http = httpOf(json);
  drop(http, 'explicitHttpConfig', { httpProtocolOptions: {} });
  drop(http, 'commonHttpProtocolOptions', {});
  if (http !== undefined && Object.keys(http).join() === '@type') delete json['typedExtensionProtocolOptions'];
  drop(tlsOf(json), 'validationContext', {});
  const outlier = part(json, 'outlierDetection');
  if (outlier?.['enforcingConsecutive5xx'] === 0) delete outlier['consecutive5xx'];
  if (outlier?.['enforcingConsecutiveGatewayFailure'] === 0) delete outlier['consecutiveGatewayFailure'];
  for (const [key, value] of Object.entries(envoyOutlier)) drop(outlier, key, value);
  for (const key of ['leastRequestLbConfig', 'roundRobinLbConfig']) {
    const warmup = part(json, key, 'slowStartConfig');
    drop(warmup, 'minWeightPercent', { value: 10 });
    // The name by which an operator could change it at run time.
    delete part(json, key, 'slowStartConfig', 'aggression')?.['runtimeKey'];
    drop(warmup, 'aggression', { defaultValue: 1 });
  }
  return json;
}

const envoyOutlier = {
  consecutive5xx: 5,
  enforcingConsecutive5xx: 100,
  enforcingConsecutiveGatewayFailure: 0,
  interval: '10s',
  baseEjectionTime: '30s',
};

const UNLIMITED = 4_294_967_295;

/**
 * Our defaults stand where nothing is written; where Istio has none of its own they are Envoy's, or no limit at all. One that is
 * not there, or is another, stays in sight.
 */
function inIstiosWords(cluster: ClusterJson, one: GoldenCase): Loose {
  const json = typed(cluster);
  const { host } = one.service;
  const take = (holder: Loose | undefined, key: string, value: unknown, word?: unknown): void => {
    if (holder === undefined) return;
    if (holder[key] === undefined) holder[key] = 'missing';
    else if (isEqual(holder[key], value)) {
      if (word === undefined) delete holder[key];
      else holder[key] = word;
    }
  };
  take(json, 'altStatName', clusterStatName('bar', host, String(json['name']).split('|')[2] ?? ''));
  take(json, 'perConnectionBufferLimitBytes', 32_768);
  if (one.meshConnectTimeout === undefined) take(json, 'connectTimeout', '1s');
  take(part(json, 'edsClusterConfig', 'edsConfig'), 'initialFetchTimeout', '5s', '0s');
  const common = part(json, 'commonLbConfig');
  take(common, 'updateMergeWindow', '0.500s');
  if (isEqual(json['outlierDetection'], ourOutlier)) {
    delete json['outlierDetection'];
    const isHalf = isEqual(common?.['healthyPanicThreshold'], { value: 50 });
    if (common !== undefined) common['healthyPanicThreshold'] = isHalf ? {} : 'other';
  } else take(part(json, 'outlierDetection'), 'maxEjectionPercent', 50);
  const limits = part(json, 'circuitBreakers', 'thresholds');
  take(limits, 'maxConnections', 1024, UNLIMITED);
  take(limits, 'maxPendingRequests', 256, UNLIMITED);
  take(limits, 'maxRequests', 1024, UNLIMITED);
  take(limits, 'trackRemaining', true);
  if (limits?.['retryBudget'] !== undefined) limits['maxRetries'] ??= UNLIMITED;
  drop(limits, 'retryBudget', { budgetPercent: { value: 20 }, minRetryConcurrency: 20 });
  take(part(json, 'circuitBreakers'), 'perHostThresholds', [{ maxConnections: 256 }]);
  for (const key of ['leastRequestLbConfig', 'roundRobinLbConfig']) {
    take(part(json, key), 'slowStartConfig', { slowStartWindow: '30s', minWeightPercent: { value: 10 } });
    if (key === 'leastRequestLbConfig') take(part(json, key), 'choiceCount', 2);
    drop(json, key, {});
  }
  const http = httpOf(json) ?? {};
  take(part(http, 'commonHttpProtocolOptions'), 'idleTimeout', '60s');
  take(part(http, 'commonHttpProtocolOptions'), 'maxConnectionDuration', '1800s');
  for (const holder of ['explicitHttpConfig', 'useDownstreamProtocolConfig']) {
    const http2 = part(http, holder, 'http2ProtocolOptions');
    take(http2, 'maxConcurrentStreams', 100);
    take(http2, 'initialStreamWindowSize', 65_536);
    take(http2, 'initialConnectionWindowSize', 1_048_576);
  }
  const tls = tlsOf(json);
  // A server that does not know Istio's word finds one that it speaks.
  if (tls !== undefined && isEqual(tls['alpnProtocols'], ['istio', 'http/1.1'])) tls['alpnProtocols'] = ['istio'];
  if (json['clusterType'] !== undefined) {
    json['type'] = isEqual(json['clusterType'], byCaller) ? 'ORIGINAL_DST' : 'other';
    delete json['clusterType'];
  }
  if (String(json['type']).endsWith('_DNS')) {
    take(json, 'dnsLookupFamily', 'V4_PREFERRED');
    take(json, 'dnsRefreshRate', '30s');
    take(json, 'dnsFailureRefreshRate', { baseInterval: '1s', maxInterval: '10s' });
    take(json, 'respectDnsTtl', true);
    // An exact host that is nobody's: the address that a caller means is the one of its name.
    if (one.service.resolution === 'Passthrough')
      Object.assign(json, { type: 'ORIGINAL_DST', lbPolicy: 'CLUSTER_PROVIDED' });
  }
  return normal(json);
}

const byCaller = typed(namedByCaller({}))['clusterType'] as object;

const ourOutlier = typed(
  outboundCluster(
    { namespace: '', name: '', key: '', host: '' },
    { name: 'http', port: 80, protocol: 'http' },
    { subset: '', by: { kind: 'plain' }, policy: undefined, subsetPolicy: undefined, version: '' },
    undefined,
    undefined,
  ),
)['outlierDetection'] as object;

/**
 * Istio's words in ours:
 * - how it looks names up: which addresses of a name, and how often again;
 * - its metadata, names for statistics and its agent's SDS: a secret stands for the files that it is made of;
 * - automatic mTLS, which comes with certificates that the mesh issues: without a word on TLS there is none;
 * - a protocol for Istio's own metadata exchange;
 * - `foo` and types without a source of endpoints, which only its tests have.
 */
function theirs(cluster: Json, { destinationRule, port, service }: GoldenCase): Loose {
  const text = JSON.stringify(cluster);
  const { metadata: _, altStatName: __, transportSocketMatches: ___, ...known } = cluster;
  const { typedDnsResolverConfig: ____, dnsJitter: _____, ...lookup } = known;
  const { dnsLookupFamily: ______, dnsRefreshRate: _______, respectDnsTtl: ________, ...rest } = lookup;
  const json = structuredClone(rest) as Loose;
  if (json['name'] === 'foo') json['name'] = `outbound|${port.port}||${service.host}`;
  if (json['type'] === 'STATIC') json['type'] = 'EDS';
  if (json['type'] === 'EDS') {
    const edsConfig = { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '0s' };
    json['edsClusterConfig'] = { serviceName: json['name'], edsConfig };
  }
  if (!JSON.stringify(destinationRule).includes('"tls"')) delete json['transportSocket'];
  const tls = tlsOf(json);
  if (tls !== undefined) withFiles(tls, text);
  return normal(typed(json));
}

function withFiles(tls: Loose, text: string): void {
  const [, root = ''] = /"name":"(ROOTCA|file-root:[^"]*)"/.exec(text.replaceAll(' ', '')) ?? [];
  const ca =
    root === 'ROOTCA' ? `${FOLDER}/root-cert.pem` : root.replace('file-root:', '').replace('system', SYSTEM_CAS);
  const checks = part(tls, 'combinedValidationContext');
  delete tls['combinedValidationContext'];
  if (checks !== undefined && root !== '') {
    const names = (part(checks, 'defaultValidationContext')?.['matchSubjectAltNames'] ?? []) as { exact: string }[];
    tls['validationContext'] = {
      trustedCa: { filename: ca },
      ...(names.length === 0
        ? {}
        : {
            matchTypedSubjectAltNames: names.flatMap(({ exact }) =>
              ['DNS', 'URI'].map((sanType) => ({ sanType, matcher: { exact } })),
            ),
          }),
    };
  }
  const [secret] = (tls['tlsCertificateSdsSecretConfigs'] ?? []) as { name: string }[];
  delete tls['tlsCertificateSdsSecretConfigs'];
  if (secret !== undefined) {
    const files =
      secret.name === 'default' ? `${FOLDER}/cert-chain.pem~${FOLDER}/key.pem` : secret.name.replace('file-cert:', '');
    const [certificate, key] = files.split('~');
    tls['tlsCertificates'] = [{ certificateChain: { filename: certificate }, privateKey: { filename: key } }];
  }
  const protocols = (tls['alpnProtocols'] ?? []) as string[];
  if (protocols.length > 0) tls['alpnProtocols'] = protocols.filter((name) => name !== 'istio-peer-exchange');
}

function withoutEndpoints(cluster: ClusterJson): ClusterJson {
  const { loadAssignment: _, ...rest } = cluster;
  return rest;
}

/** A subset that nobody is in: Istio leaves it out where it looks names up, we keep it empty. */
function ours(one: GoldenCase): readonly Loose[] {
  return ourClusters(one)
    .filter(
      ({ name, type, loadAssignment }) =>
        type === 'EDS' || name?.split('|')[2] === '' || loadAssignment?.endpoints?.length !== 0,
    )
    .map((cluster) => inIstiosWords(cluster, one));
}

const ofIstio = (one: GoldenCase): readonly Loose[] => {
  const [plain, ...subsets] = [one.cluster, ...(one.subsetClusters ?? [])].map((cluster) => theirs(cluster, one));
  return [plain as Loose, ...subsets.toSorted((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1))];
};

describe("Istio's clusters", () => {
  it('are 145, and nearly all are equal', () => {
    expect(cases).toHaveLength(145);
    expect(differences.size).toBeLessThanOrEqual(0.03 * cases.length);
  });

  it.each(cases.map((one, i) => [i + 1, one] as const))('case %i', (line, one) => {
    if (refusedByBoth.has(line)) expect(() => ourClusters(one)).toThrow();
    else if (differences.has(line)) expect(() => expect(ours(one)).toEqual(ofIstio(one))).toThrow();
    else expect(ours(one)).toEqual(ofIstio(one));
  });

  it('would be seen to differ in nearly every field: each one changed, and taken away', () => {
    const equal = cases.flatMap((one, i) => {
      if (refusedByBoth.has(i + 1) || differences.has(i + 1)) return [];
      return ourClusters(one).map((cluster, j) => [`${i}/${j}`, withoutEndpoints(cluster)] as const);
    });
    const caseOf = (name: string): GoldenCase => cases[Number(name.split('/')[0])] as GoldenCase; // named by its place
    const { mutants, unseen } = unseenMutants(equal, (cluster, name) => inIstiosWords(cluster, caseOf(name)));
    expect(mutants).toBeGreaterThan(2500);
    expect(unseen.length / mutants, unseen.slice(0, 40).join('\n')).toBeLessThan(0.05);
    // Some 2,700 comparisons, on a machine that others use too.
  }, 60_000);
});
