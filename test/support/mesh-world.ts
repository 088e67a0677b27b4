/** A MeshSnapshot and a proxy out of YAML, for translator tests. */
import { allKinds } from '../../src/dsl/kinds.js';
import { checkDefinitions } from '../../src/model/check.js';
import { indexDefinitions, viewOf } from '../../src/model/definition.js';
import type { Endpoint, EndpointHealth } from '../../src/model/instance.js';
import { defaultMesh } from '../../src/model/mesh.js';
import type { MeshSnapshot } from '../../src/model/mesh-snapshot.js';
import { fullName, proxyId } from '../../src/model/names.js';
import { parseDefinitions } from '../../src/model/parse.js';
import type { Problem } from '../../src/model/problem.js';
import type { Release } from '../../src/model/release.js';
import { localityAt, type ProxyScope, type ProxyUpstream } from '../../src/pilot/translate/index.js';

/** All problems of this text, those between objects included. */
export function problemsIn(...texts: readonly string[]): readonly Problem[] {
  const parsed = parseDefinitions(
    texts.map((text, i) => ({ name: `file-${i}.yaml`, text })),
    allKinds,
  );
  return [...parsed.problems, ...checkDefinitions(new Map(), indexDefinitions(parsed.definitions), allKinds)];
}

export interface WorldParts {
  readonly yaml: string;
  readonly endpoints?: readonly Endpoint[];
  readonly releases?: readonly Release[];
}

/** Throws when the YAML has errors: a test that wants those asks `problemsIn`. */
export function world(parts: WorldParts): MeshSnapshot {
  const errors = problemsIn(parts.yaml).filter((problem) => problem.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return snapshotOf(parts);
}

/** References may lead nowhere, as in a store whose objects were removed one by one. */
export function uncheckedWorld(yaml: string): MeshSnapshot {
  return snapshotOf({ yaml });
}

function snapshotOf({ yaml, endpoints = [], releases = [] }: WorldParts): MeshSnapshot {
  const { definitions } = parseDefinitions([{ name: 'world.yaml', text: yaml }], allKinds);
  const byService = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const key = fullName(endpoint.namespace, endpoint.service);
    byService.set(key, [...(byService.get(key) ?? []), endpoint]);
  }
  return {
    revision: 1,
    storeRevision: 1n,
    mesh: defaultMesh,
    definitions: viewOf(indexDefinitions(definitions)),
    endpoints: byService,
    instances: new Map(),
    plans: new Map(),
    releases: new Map(releases.map((release) => [fullName(release.namespace, release.service), release])),
  };
}

/** `reviews/v1@127.0.0.1:9001`, `reviews.shop/@10.0.0.1:80` for one without a version. */
export function endpoint(text: string, health: EndpointHealth = 'HEALTHY', over: Partial<Endpoint> = {}): Endpoint {
  const [name = '', at = ''] = text.split('@');
  const [owner = '', version = ''] = name.split('/');
  const [service = '', namespace = 'default'] = owner.split('.');
  const [address = '', port = ''] = at.split(':');
  return {
    namespace,
    service,
    version,
    portName: '',
    address,
    port: Number(port),
    health,
    labels: {},
    instance: version === '' ? '' : `${service}-${version}-${port}`,
    node: 'node-a',
    region: 'cn-bj',
    zone: 'cn-bj-a',
    ...over,
  };
}

export function release(over: Partial<Release> = {}): Release {
  return {
    service: 'reviews',
    namespace: 'default',
    stable: 'v1',
    gray: 'v2',
    phase: 'step',
    weight: 10,
    steps: [],
    matches: [],
    reason: '',
    startedAt: 0,
    since: 0,
    revision: 1,
    history: [],
    ...over,
  };
}

/** A proxy of `productpage` that calls these services; `port` and `protocol` default to 9080 and http. */
export function proxy(
  upstreams: readonly (Partial<ProxyUpstream> & { readonly service: string })[],
  over: Partial<ProxyScope> = {},
): ProxyScope {
  const scope = {
    namespace: 'default',
    service: 'productpage',
    version: 'v1',
    instance: 'productpage-v1-1',
    node: 'node-a',
    cluster: 'room-1',
    isGateway: false,
    isProxyless: false,
    locality: localityAt('cn-bj', 'cn-bj-a'),
    address: '127.0.0.11',
    labels: {},
    ports: { app: { http: 20000 }, inbound: { http: 20001 }, proxy: 20002, metrics: 20003, upstreams: {} },
    servicePorts: [{ name: 'http', port: 9080, protocol: 'http' as const }],
    ...over,
  };
  return {
    id: proxyId(scope.namespace, scope.service, scope.instance, scope.node),
    ...scope,
    upstreams: upstreams.map((upstream) => ({
      mode: 'proxy' as const,
      name: upstream.service,
      namespace: 'default',
      port: 9080,
      protocol: 'http' as const,
      listener: undefined,
      ...upstream,
    })),
  };
}

/** A Service with Versions; `extra` are more lines of its spec, in flow style. */
export function serviceYaml(
  name: string,
  versions: readonly string[],
  extra = 'protocol: http, port: 9080, stable: v1',
): string {
  const documents = versions.map(
    (version) =>
      `apiVersion: mesh/v1\nkind: Version\nmetadata: { name: ${name}-${version.replaceAll('.', '-')} }\n` +
      `spec: { service: ${name}, version: ${version}, container: { image: demo } }`,
  );
  return [`apiVersion: mesh/v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ${extra} }`, ...documents].join(
    '\n---\n',
  );
}

export function yamls(...documents: readonly string[]): string {
  return documents.filter((document) => document !== '').join('\n---\n');
}
