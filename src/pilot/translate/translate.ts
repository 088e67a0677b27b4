/** MeshSnapshot and proxy to Envoy resources: what its audience shares, and what is for this proxy alone. */
import { isRequestPort } from '../../dsl/sidecar-shape.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import type { ServicePort } from '../../model/service-shape.js';
import type { ListenerJson, RouteConfigurationJson } from '../../xds/envoy-json.js';
import { audienceOf } from './audience.js';
import { byName, withShared } from './by-name.js';
import { inboundClusters } from './clusters.js';
import { translateEdge } from './edge.js';
import { guarded } from './guards.js';
import { fixedListeners, tcpUpstreamListener, upstreamListenerName } from './listeners.js';
import type { MeshHost } from './mesh-index.js';
import { type Outbound, outboundOf, targetsIn } from './outbound.js';
import { patched } from './patched.js';
import { type Peers, peerProblems, peersOf } from './peers.js';
import type { Rules } from './policy.js';
import type { ProxyScope, ProxyUpstream } from './proxy.js';
import { translateProxyless } from './proxyless.js';
import { remember } from './remember.js';
import { noExtensions, type TranslatedResources, type TranslationProblem } from './resources.js';
import { absentRoutes, inboundRoutes, upstreamRoutes } from './routes.js';
import { type Caller, rulesFor } from './rules.js';
import { runtimeLayers } from './runtime.js';
import { egressHttp, ingressOf, ownEgress } from './sidecar-listeners.js';
import type { Sidecar } from './sidecar-scope.js';
import { passedOn, streamsOfHost } from './streams.js';
import { reporting } from './telemetry-listeners.js';
import { tunnelCluster } from './tunnel.js';
import { withPlugins } from './wasm-plugins.js';

/** Pure. Never throws for what a user wrote: what cannot be translated is in `problems`, and the rest goes on. */
export function translate(snapshot: MeshSnapshot, scope: ProxyScope): TranslatedResources {
  if (scope.isProxyless) return translateProxyless(snapshot, scope);
  const resources = scope.isGateway ? translateEdge(snapshot, scope) : translateSidecar(snapshot, scope);
  const atDoor = guarded(snapshot, scope, resources);
  return patched(snapshot, scope, withPlugins(snapshot, scope, reporting(snapshot, scope, atDoor)));
}

function translateSidecar(snapshot: MeshSnapshot, scope: ProxyScope): TranslatedResources {
  const audience = audienceOf(scope);
  return own(scope, audience.caller, outboundOf(snapshot, audience), peersOf(snapshot, scope));
}

const own = remember((scope: ProxyScope, caller: Caller, outbound: Outbound, peers: Peers): TranslatedResources => {
  const upstreams = ownListeners(scope, outbound);
  return {
    clusters: withShared(ownClusters(scope, outbound.sidecar, peers), outbound.clusters),
    endpoints: outbound.endpoints,
    listeners: byName(listenersOf(scope, caller, outbound, upstreams, peers), (listener) => listener.name),
    routes: withShared(
      byName(routesOf(scope, caller, outbound, upstreams, peers), (routes) => routes.name),
      outbound.routes,
    ),
    runtime: runtimeLayers,
    extensions: noExtensions,
    problems: [
      ...outbound.problems,
      ...missingUpstreams(scope, outbound),
      ...peerProblems(scope, outbound.sidecar, peers),
    ],
  };
});

const ownClusters = remember((scope: ProxyScope, sidecar: Sidecar | undefined, peers: Peers) => {
  const inbound = inboundClusters(scope, sidecar?.spec.inboundConnectionPool);
  return byName(
    [...inbound, ...ingressOf(scope, sidecar, peers).clusters, tunnelCluster(scope)],
    (cluster) => cluster.name,
  );
});

function routesOf(
  scope: ProxyScope,
  caller: Caller,
  outbound: Outbound,
  upstreams: readonly OwnListener[],
  peers: Peers,
): readonly RouteConfigurationJson[] {
  const inbound = scope.servicePorts.filter((port) => port.protocol !== 'tcp').map(inboundRoutes);
  const listeners = upstreams
    .filter(({ upstream }) => upstream.protocol !== 'tcp')
    .map(({ upstream, found }) => {
      const name = upstreamListenerName(upstream);
      if (found === undefined) return absentRoutes(upstream, name);
      const { port, rules } = found;
      return upstreamRoutes(port, rulesFor(rules, caller, port.port), targetsIn(outbound, found), name);
    });
  return [...inbound, ...ingressOf(scope, outbound.sidecar, peers).routes, ...listeners];
}

function listenersOf(
  scope: ProxyScope,
  caller: Caller,
  { reachable, sidecar, listeners: egress }: Outbound,
  upstreams: readonly OwnListener[],
  peers: Peers,
): readonly ListenerJson[] {
  const tcp = upstreams.flatMap(({ upstream, found }) => {
    if (upstream.protocol !== 'tcp' || found === undefined) return [];
    const { entry, port, rules } = found;
    const place = { targets: reachable, port: port.port };
    const streams = streamsOfHost(entry, rulesFor(rules, caller, port.port));
    return [
      tcpUpstreamListener(
        upstream,
        streams.map((stream) => passedOn(stream, place)),
      ),
    ];
  });
  const requests = (sidecar === undefined ? [] : ownEgress(sidecar)).filter(({ port }) =>
    isRequestPort(port?.protocol),
  );
  return [
    ...fixedListeners(scope, peers),
    ...tcp,
    ...ingressOf(scope, sidecar, peers).listeners,
    ...requests.map((one) => egressHttp(scope, one)),
    ...egress,
  ];
}

interface OwnListener {
  readonly upstream: ProxyUpstream;
  /** Absent when the service or its port is gone. */
  readonly found: { readonly entry: MeshHost; readonly port: ServicePort; readonly rules: Rules } | undefined;
}

/** Upstreams with a port of their own. */
function ownListeners(scope: ProxyScope, { named }: Outbound): readonly OwnListener[] {
  return scope.upstreams
    .filter((upstream) => upstream.listener !== undefined)
    .map((upstream) => {
      const service = named.get(fullName(upstream.namespace, upstream.service));
      const port = service?.entry.ports.find((candidate) => candidate.port === upstream.port);
      return { upstream, found: service === undefined || port === undefined ? undefined : { ...service, port } };
    });
}

function missingUpstreams(scope: ProxyScope, { absent }: Outbound): readonly TranslationProblem[] {
  return absent.map((key) => ({
    kind: 'Service',
    namespace: scope.namespace,
    name: scope.service,
    message: `its upstream ${key} does not exist`,
  }));
}
