/**
 * The door of an instance: filters that ask who somebody is and whether they may come in, before anything else is done for a request
 * or a connection. They stand in all listeners that others reach: of a service's own ports, of a Sidecar's ingress, and of the edge.
 */
import { authorizationPolicyKind } from '../../dsl/authorization-policy.js';
import { peerOf } from '../../dsl/provider.js';
import { requestAuthenticationKind } from '../../dsl/request-authentication.js';
import { sidecarKind } from '../../dsl/sidecar.js';
import { findProvider } from '../../model/extension-provider.js';
import { defaultMesh, MESH_NAME, type MeshSpec, meshKind } from '../../model/mesh.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName, outboundClusterName } from '../../model/names.js';
import type { ClusterJson, FilterJson, HttpConnectionManagerJson, ListenerJson } from '../../xds/envoy-json.js';
import { audienceOf } from './audience.js';
import {
  type AuthorizationPolicy,
  customGuards,
  type DoorScene,
  type Guards,
  judgesOf,
  policiesFor,
  ruleGuards,
} from './authorization.js';
import { byName } from './by-name.js';
import type { Callee } from './envoy-clusters.js';
import { noConnect } from './http-connection.js';
import { keyCluster, keyClusterName } from './key-cluster.js';
import { indexOf } from './mesh-index.js';
import type { ProxyScope } from './proxy.js';
import { findPeer, reaching } from './reaching.js';
import { remember, sameContent, sameList } from './remember.js';
import { jwtRulesFor, keyHostOf, tokenGuard } from './request-authentication.js';
import { requestLimit } from './request-limit.js';
import type { TranslatedResources } from './resources.js';
import { type Sidecar, sidecarOf } from './sidecar-scope.js';

export type { Guards };

export function guarded(
  snapshot: MeshSnapshot,
  scope: ProxyScope,
  resources: TranslatedResources,
): TranslatedResources {
  const policies = policiesOf(snapshot, scope);
  const tokens = tokensOf(snapshot, scope);
  const { services } = indexOf(snapshot.definitions);
  const route = services.get(fullName(scope.namespace, scope.service))?.route;
  const limit = route === undefined ? [] : requestLimit(route);
  if (policies.length + tokens.http.length + limit.length === 0) return resources;
  const { rules, custom, judges } = authorizationOf(snapshot, scope, policies);
  // Istio's order: a judge of the user's own, the tokens, and then the rules, which may ask for what the tokens say. Who may come in is counted.
  const http = sameList([...custom.http, ...tokens.http, ...rules.http, ...limit]);
  const network = sameList([...custom.network, ...rules.network]);
  const asked = [...new Set([...judges, ...tokens.keyHosts])];
  return reaching(snapshot, audienceOf(scope), withGuards(resources, http, network), asked, tokens.clusters);
}

interface Tokens {
  readonly http: Guards['http'];
  /** Hosts of the mesh that have keys. */
  readonly keyHosts: readonly Callee[];
  /** Of hosts outside that have keys. */
  readonly clusters: readonly ClusterJson[];
}

const noTokens: Tokens = { http: [], keyHosts: [], clusters: [] };

function tokensOf(snapshot: MeshSnapshot, scope: ProxyScope): Tokens {
  const all = snapshot.definitions.all(requestAuthenticationKind);
  if (all.length === 0) return noTokens;
  const audience = audienceOf(scope);
  const rules = jwtRulesFor(all, audience.caller, indexOf(snapshot.definitions).rootNamespace);
  const keyHosts = new Map<string, Callee>();
  const clusters: ClusterJson[] = [];
  const clusterOf: Record<string, string> = {};
  for (const uri of new Set(rules.flatMap(({ jwksUri }) => jwksUri ?? []))) {
    const { host, port, isTls } = keyHostOf(uri);
    const callee = findPeer(snapshot, audience, { host, namespace: scope.namespace, port });
    if (callee === undefined) clusters.push(keyCluster({ host, port, isTls }));
    else keyHosts.set(callee.entry.host, callee);
    clusterOf[uri] =
      callee === undefined ? keyClusterName({ host, port, isTls }) : outboundClusterName(port, '', callee.entry.host);
  }
  return { http: tokenGuard(rules, sameContent(clusterOf)), keyHosts: [...keyHosts.values()], clusters };
}

function policiesOf({ definitions }: MeshSnapshot, scope: ProxyScope): readonly AuthorizationPolicy[] {
  const all = definitions.all(authorizationPolicyKind);
  if (all.length === 0) return [];
  return policiesFor(all, audienceOf(scope).caller, indexOf(definitions).rootNamespace);
}

interface Authorization {
  readonly custom: Guards;
  readonly rules: Guards;
  /** Who is asked by CUSTOM. */
  readonly judges: readonly Callee[];
}

function authorizationOf(
  snapshot: MeshSnapshot,
  scope: ProxyScope,
  policies: readonly AuthorizationPolicy[],
): Authorization {
  const { definitions } = snapshot;
  const mesh = definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
  const audience = audienceOf(scope);
  const judges = new Map<string, Callee>();
  const clusters: Record<string, string> = {};
  for (const name of judgesOf(policies)) {
    const provider = findProvider(mesh.extensionProviders, name);
    const peer = provider && peerOf(provider);
    if (peer === undefined) continue;
    const callee = findPeer(snapshot, audience, peer);
    if (callee === undefined) continue;
    judges.set(callee.entry.host, callee);
    clusters[name] = outboundClusterName(peer.port, '', callee.entry.host);
  }
  const sidecar = sidecarOf(definitions.all(sidecarKind), audience.caller, indexOf(definitions).rootNamespace);
  const scene = doorScene(scope, sidecar, trustDomainsOf(mesh));
  return {
    custom: customGuards(policies, scene, mesh.extensionProviders, sameContent(clusters)),
    rules: ruleGuards(policies, scene),
    judges: [...judges.values()],
  };
}

const trustDomainsOf = remember(({ trustDomain, trustDomainAliases }: MeshSpec): readonly string[] => [
  trustDomain,
  ...trustDomainAliases,
]);

/** The planner has chosen where the ports of a service are bound. */
const doorScene = remember(
  ({ servicePorts, ports }: ProxyScope, sidecar: Sidecar | undefined, trustDomains: readonly string[]): DoorScene => {
    const ingress = sidecar?.spec.ingress.map(({ port }) => port.number) ?? [];
    const boundPorts: Record<number, number[]> = {};
    for (const { name, port } of servicePorts)
      boundPorts[port] = [...new Set([ports.inbound[name] ?? port, ...ingress.filter((number) => number === port)])];
    return sameContent({ trustDomains, boundPorts });
  },
);

const withGuards = remember(
  (resources: TranslatedResources, http: Guards['http'], network: Guards['network']): TranslatedResources => ({
    ...resources,
    listeners: guardedListeners(resources.listeners, { http, network }),
  }),
);

/** The same listeners for the same guards. */
export function guardedListeners(
  listeners: TranslatedResources['listeners'],
  { http, network }: Guards,
): TranslatedResources['listeners'] {
  const guard = (listener: ListenerJson): ListenerJson =>
    listener.trafficDirection === 'INBOUND' ? guardedListener(listener, sameList(http), sameList(network)) : listener;
  return byName([...listeners.values()].map(guard), ({ name }) => name);
}

const guardedListener = remember(
  (listener: ListenerJson, http: Guards['http'], network: Guards['network']): ListenerJson => ({
    ...listener,
    filterChains:
      listener.filterChains?.map((chain) => ({
        ...chain,
        filters: guardedFilters(chain.filters ?? [], http, network).map(sameContent),
      })) ?? [],
  }),
);

const HTTP = 'envoy.filters.network.http_connection_manager';

function guardedFilters(
  filters: readonly FilterJson[],
  http: Guards['http'],
  network: Guards['network'],
): readonly FilterJson[] {
  const isHttp = filters.some(({ name }) => name === HTTP);
  return isHttp
    ? filters.map((filter) => (filter.name === HTTP ? guardedManager(filter, http) : filter))
    : [...network, ...filters];
}

/** CONNECT is refused without asking. */
function guardedManager(filter: FilterJson, guards: Guards['http']): FilterJson {
  const { typedConfig } = filter;
  if (typedConfig === undefined) return filter;
  const { httpFilters = [] } = typedConfig as HttpConnectionManagerJson; // its name says so
  const at = httpFilters.indexOf(noConnect) + 1;
  const all = [...httpFilters.slice(0, at), ...guards, ...httpFilters.slice(at)];
  return { ...filter, typedConfig: { ...typedConfig, httpFilters: all } as typeof typedConfig };
}
