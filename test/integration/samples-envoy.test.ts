/** Goal: Istio's samples and test configurations load, and a real Envoy takes all that is made of them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ProxyScope } from '../../src/pilot/translate/index.js';
import { certificatesIn } from '../support/certificates.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { material, type SampleFile, type SampleObject, sampleFiles } from '../support/istio-samples.js';
import { problemsIn, proxy } from '../support/mesh-world.js';
import { startOneSidecar } from '../support/one-sidecar.js';

/** Objects of kinds that we have, with the first thing that is wrong with them here. */
const refused: Readonly<Record<string, RegExp>> = {
  'telemetry/accesslog/targetref.yaml Telemetry': /targetRef .* gateways of Kubernetes/,
  'telemetry/additional-labels.yaml Telemetry': /overrides .* no tags of requests to change/,
  'telemetry/attributegen.yaml WasmPlugin': /name must not be "istio\.attributegen"/,
  'telemetry/bad-filter.yaml WasmPlugin': /only files are loaded/,
  'telemetry/bad-wasm-envoy-filter-fail-open.yaml WasmPlugin': /only files are loaded/,
  'telemetry/gateway-wasm-filter.yaml WasmPlugin': /targetRef .* gateways of Kubernetes/,
  'telemetry/wasm-filter.yaml WasmPlugin': /only files are loaded/,
};

/** Kinds that are not ours: Kubernetes', and one of Istio's for filters in its own proxy. */
const strangers: readonly string[] = [
  'apps/v1 Deployment',
  'extensions.istio.io/v1alpha1 TrafficExtension',
  'gateway.networking.k8s.io/v1 Gateway',
  'gateway.networking.k8s.io/v1 HTTPRoute',
  'v1 ConfigMap',
  'v1 Service',
  'v1 ServiceAccount',
];

const files = sampleFiles();

describe('what others wrote for Istio', () => {
  test('loads, but for what is listed here with its reason', () => {
    const found = files.flatMap(({ name, objects }) =>
      objects.flatMap((one) => {
        const [problem] = problemsOf(one);
        return problem === undefined ? [] : [[`${name} ${one.kind}`, `${problem.path} ${problem.message}`] as const];
      }),
    );
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(Object.entries(refused).map(([what, why]) => [what, expect.stringMatching(why)])),
    );
    const others = new Set(files.flatMap((file) => file.strangers));
    expect([...others].toSorted()).toEqual(strangers);
  });

  test.skipIf(isEnvoyMissing())('is taken by a real Envoy, all of it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lightmesh-samples-'));
    certificatesIn(folder).sign('server');
    const sidecar = await startOneSidecar();
    try {
      for (const objects of worldsOf(files)) {
        const yaml = withCertificates(worldOf(objects), folder);
        for (const reader of readersOf(objects)) await sidecar.apply(yaml, [], reader);
      }
    } finally {
      await sidecar.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

/** What is wrong with an object by itself: references are another question. */
function problemsOf(one: SampleObject) {
  return problemsIn(textOf([one])).filter(({ severity, code }) => severity === 'error' && code !== 'MESH1010');
}

const textOf = (objects: readonly SampleObject[]): string => objects.map((one) => JSON.stringify(one)).join('\n---\n');

/** As few worlds as can be: files stand together unless one of them would hide a part of the other. */
function worldsOf(all: readonly SampleFile[]): readonly (readonly SampleObject[])[] {
  const worlds: { readonly objects: SampleObject[]; readonly claims: Map<string, string> }[] = [];
  for (const { name, objects } of all) {
    const right = objects.filter((one) => problemsOf(one).length === 0);
    const claims = right.flatMap((one) => claimsOf(one, name));
    let world = worlds.find((one) => claims.every(([what, whose]) => (one.claims.get(what) ?? whose) === whose));
    if (world === undefined) worlds.push((world = { objects: [], claims: new Map() }));
    world.objects.push(...right);
    for (const [what, whose] of claims) world.claims.set(what, whose);
  }
  return worlds.map(({ objects }) => objects);
}

/** What may be there once: its name and its hosts for one file, a label of the workloads that it selects with one value. */
function claimsOf(one: SampleObject, file: string): readonly (readonly [what: string, whose: string])[] {
  const { host, hosts = [] } = (one.spec ?? {}) as { readonly host?: string; readonly hosts?: readonly string[] };
  return [
    [nameOf(one), file],
    ...[...hosts, ...(host === undefined ? [] : [host])].map((each) => [`${one.kind} for ${each}`, file] as const),
    ...(one.kind === 'EnvoyFilter' ? [['filters', file] as const] : []),
    ...Object.entries(labelsOf(one)).map(([key, value]) => [`label ${key}`, value] as const),
  ];
}

const nameOf = ({ kind, metadata }: SampleObject): string => `${kind} ${namespaceOf({ metadata })}/${metadata.name}`;
const namespaceOf = ({ metadata }: Pick<SampleObject, 'metadata'>): string => metadata.namespace ?? 'default';

/** Of the workloads that it selects. */
function labelsOf({ spec = {} }: SampleObject): Readonly<Record<string, string>> {
  const { selector, workloadSelector } = spec as {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  };
  return { ...selector?.matchLabels, ...workloadSelector?.labels };
}

const base = readFileSync(path.join(material, 'live/mesh-base.yaml'), 'utf8');
const mesh: SampleObject = {
  apiVersion: 'mesh/v1',
  kind: 'Mesh',
  metadata: { name: 'mesh' },
  spec: { extensionProviders: [{ name: 'filter-state-log', envoyFileAccessLog: { path: '/dev/stdout' } }] },
};
const subsets = files.find(({ name }) => name === 'bookinfo/destination-rule-all.yaml')?.objects ?? [];

/** On top of the mesh of the live cases, with what the files take for given. */
function worldOf(objects: readonly SampleObject[]): string {
  const names = new Set(objects.map(nameOf));
  const given = [mesh, ...subsets, ...standIns, ...objects.filter(isGateway).map(ruleFor)];
  return `${base}\n---\n${textOf([...objects, ...given.filter((one) => !names.has(nameOf(one)))])}`;
}

function withCertificates(text: string, folder: string): string {
  return text
    .replaceAll(/[\w./]*\/certs\/[\w/]*(?:privatekey|key)\.pem/g, `${folder}/server.key`)
    .replaceAll(/[\w./]*\/certs\/[\w/]*root-cert\.pem/g, `${folder}/ca.pem`)
    .replaceAll(/[\w./]*\/certs\/[\w/]*(?:servercert|cert-chain)\.pem/g, `${folder}/server.pem`);
}

/** For whom something is made of them: a caller of each namespace whom all selectors select, and the edge of each Gateway. */
function readersOf(objects: readonly SampleObject[]): readonly ProxyScope[] {
  const namespaces = new Set(['default', ...objects.map(namespaceOf)]);
  const labels = Object.assign({}, ...objects.map(labelsOf)) as Record<string, string>;
  const sidecars = [...namespaces].map((namespace) => proxy([], { namespace, labels, address: '127.31.0.1' }));
  return [...sidecars, ...objects.filter(isGateway).map(edgeOf)];
}

const isGateway = ({ kind }: SampleObject): boolean => kind === 'Gateway';

interface GatewaySpec {
  readonly selector?: Readonly<Record<string, string>>;
  readonly servers: readonly { readonly port: { readonly number: number; readonly protocol: string } }[];
}

function edgeOf({ metadata: { namespace = 'default' }, spec = {} }: SampleObject): ProxyScope {
  const { selector = {}, servers } = spec as unknown as GatewaySpec;
  const ports = new Map(servers.map(({ port }) => [port.number, port.protocol === 'HTTP' ? 'http' : 'tcp'] as const));
  return proxy([], {
    namespace,
    service: selector['app'] ?? 'edge', // which is what every instance has as its label `app`
    instance: 'edge-v1-1',
    isGateway: true,
    labels: selector,
    address: '127.31.0.2',
    servicePorts: [...ports].map(([port, protocol]) => ({ name: `p-${port}`, port, protocol })),
    ports: {
      app: {},
      inbound: Object.fromEntries([...ports.keys()].map((port) => [`p-${port}`, port])),
      proxy: 1,
      metrics: 2,
      upstreams: {},
    },
  });
}

/** By its name it comes last: what a sample says wins. */
const added = (kind: string, name: string, spec: SampleObject['spec'], namespace = 'default'): SampleObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name: `zz-${name}`, namespace },
  spec: spec ?? {},
});

/** Nobody listens where there is no rule. */
function ruleFor({ metadata }: SampleObject): SampleObject {
  const route = [{ destination: { host: 'c.foo', port: { number: 80 } } }];
  const { name } = metadata;
  const spec = { hosts: ['*'], gateways: [name], http: [{ route }], tcp: [{ route }] };
  return added('VirtualService', name, spec, namespaceOf({ metadata }));
}

/** Hosts that samples speak of and that Kubernetes would know. */
const standIns: readonly SampleObject[] = [
  'c.foo',
  'c.testns.svc.cluster.local',
  'c-weighted.extsvc.com',
  'cert-manager-resolver.istio-system.svc.cluster.local',
  'destall.default.svc.cluster.local',
  'eu.bookinfo.com',
  'helloworld.default.svc.cluster.local',
  'httpbin.com',
  'istio-egressgateway.istio-system.svc.cluster.local',
  'istio-egressgateway.testns.svc.cluster.local',
  'locality.cluster.local',
  'random.webinf.info',
  'regex.extsvc.com',
  'service3.default.svc.cluster.local',
  'ssl1.webinf.info',
  'tcp-echo.default.svc.cluster.local',
  'tornado.default.svc.cluster.local',
  'websocket.test.istio.io',
  'www.webinf.info',
].flatMap((host, i) => [
  added('ServiceEntry', `host-${i}`, {
    hosts: [host],
    ports: [80, 81, 443, 5000, 8089, 8888, 9000].map((number) => ({
      number,
      name: `p-${number}`,
      protocol: number === 9000 ? 'TCP' : 'HTTP',
    })),
    resolution: 'STATIC',
    endpoints: [{ address: '127.31.0.3', labels: { version: 'v1' } }],
  }),
  added('DestinationRule', `host-${i}`, {
    host,
    subsets: ['v1', 'v2', 'v3'].map((name) => ({ name, labels: { version: name } })),
  }),
]);
