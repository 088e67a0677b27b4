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
import { remember, sameList } from './remember.js';
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
  const outbound = outboundOf(snapshot, audience);
  return together(ownOf(scope, audience.caller, outbound, peersOf(snapshot, scope)), outbound);
}

/** What is made for one proxy alone. */
type Own = Pick<TranslatedResources, 'clusters' | 'listeners' | 'routes' | 'problems'>;

const together = remember(
  (own: Own, { clusters, endpoints, routes, problems }: Outbound): TranslatedResources => ({
    clusters: withShared(own.clusters, clusters),
    endpoints,
    listeners: own.listeners,
    routes: withShared(own.routes, routes),
    runtime: runtimeLayers,
    extensions: noExtensions,
    problems: [...problems, ...own.problems],
  }),
);

/** From what its audience shares only as far as it must be: most changes then make nothing of it anew. */
function ownOf(scope: ProxyScope, caller: Caller, outbound: Outbound, peers: Peers): Own {
  const { sidecar, listeners, absent } = outbound;
  return makeOwn(scope, peers, sidecar, sameList(listeners), ofUpstreams(scope, caller, outbound), absent.join(' '));
}

const makeOwn = remember(
  (
    scope: ProxyScope,
    peers: Peers,
    sidecar: Sidecar | undefined,
    egress: readonly ListenerJson[],
    upstreams: OfUpstreams,
    absent: string,
  ): Own => {
    const ingress = ingressOf(scope, sidecar, peers);
    const inbound = inboundClusters(scope, sidecar?.spec.inboundConnectionPool);
    const requests = (sidecar === undefined ? [] : ownEgress(sidecar)).filter(({ port }) =>
      isRequestPort(port?.protocol),
    );
    const listeners = [
      ...fixedListeners(scope, peers),
      ...upstreams.listeners,
      ...ingress.listeners,
      ...requests.map((one) => egressHttp(scope, one)),
      ...egress,
    ];
    const routes = [
      ...scope.servicePorts.filter((port) => port.protocol !== 'tcp').map(inboundRoutes),
      ...ingress.routes,
      ...upstreams.routes,
    ];
    return {
      clusters: byName([...inbound, ...ingress.clusters, tunnelCluster(scope)], (cluster) => cluster.name),
      listeners: byName(listeners, (listener) => listener.name),
      routes: byName(routes, (one) => one.name),
      problems: [...missingUpstreams(scope, absent), ...peerProblems(scope, sidecar, peers)],
    };
  },
);

/** Of upstreams with a listener of their own. */
interface OfUpstreams {
  /** For bytes; those for requests depend on nothing that changes. */
  readonly listeners: readonly ListenerJson[];
  readonly routes: readonly RouteConfigurationJson[];
}

const ofNoUpstreams: OfUpstreams = { listeners: [], routes: [] };

function ofUpstreams(scope: ProxyScope, caller: Caller, outbound: Outbound): OfUpstreams {
  const isAny = scope.upstreams.some((upstream) => upstream.listener !== undefined);
  return isAny ? makeOfUpstreams(scope, caller, outbound) : ofNoUpstreams;
}

const makeOfUpstreams = remember((scope: ProxyScope, caller: Caller, outbound: Outbound): OfUpstreams => {
  const upstreams = ownListeners(scope, outbound);
  const listeners = upstreams.flatMap(({ upstream, found }) => {
    if (upstream.protocol !== 'tcp' || found === undefined) return [];
    const { entry, port, rules } = found;
    const place = { targets: outbound.reachable, port: port.port };
    const streams = streamsOfHost(entry, rulesFor(rules, caller, port.port));
    return [
      tcpUpstreamListener(
        upstream,
        streams.map((stream) => passedOn(stream, place)),
      ),
    ];
  });
  const routes = upstreams
    .filter(({ upstream }) => upstream.protocol !== 'tcp')
    .map(({ upstream, found }) => {
      const name = upstreamListenerName(upstream);
      if (found === undefined) return absentRoutes(upstream, name);
      const { port, rules } = found;
      return upstreamRoutes(port, rulesFor(rules, caller, port.port), targetsIn(outbound, found), name);
    });
  return { listeners, routes };
});

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

/** `absent` are names, `<ns>/<name>` each. */
function missingUpstreams({ namespace, service }: ProxyScope, absent: string): readonly TranslationProblem[] {
  return absent
    .split(' ')
    .filter((key) => key !== '')
    .map((key) => ({ kind: 'Service', namespace, name: service, message: `its upstream ${key} does not exist` }));
}
