/** What the sidecar of a caller is served, whether there is such a sidecar or not: for `resolve`, which then decides as Envoy does. Pure. */
import { findKnownHost, fullHostIn } from '../dsl/known-host.js';
import type { CallerView, CallerViewRequest, ResourceItem } from '../model/api.js';
import { clusterKind } from '../model/cluster.js';
import { hostOfAuthority } from '../model/host-port.js';
import { labelsOfVersion } from '../model/labels.js';
import type { MeshSnapshot } from '../model/mesh-snapshot.js';
import { proxyId } from '../model/names.js';
import { nodeKind } from '../model/node.js';
import { isGateway, type NodePlan, type PlannedInstance } from '../model/node-plan.js';
import { serviceKind } from '../model/service.js';
import { servicePorts, splitServiceName } from '../model/service-shape.js';
import { suggestion } from '../model/suggestion.js';
import { versionKind } from '../model/version.js';
import { proxyMetadata } from '../planner/bootstrap.js';
import { desiredUpstream } from '../planner/desired.js';
import { MeshError } from '../runtime/mesh-error.js';
import { localityAt, type ProxyScope, translate } from './translate/index.js';
import { leftOut } from './translate/left-out.js';

/** Throws a MeshError when there is no such caller. */
export function callerView(snapshot: MeshSnapshot, request: CallerViewRequest): CallerView {
  const scope = request.from === undefined ? anybody(snapshot, request) : callerOf(snapshot, request.from, request);
  const { clusters, endpoints, routes } = translate(snapshot, scope);
  const host = fullHostIn(snapshot.definitions, hostOfAuthority(request.host), scope.namespace);
  return {
    revision: snapshot.revision,
    caller: request.from === undefined ? '' : scope.id,
    resources: { clusters: items(clusters), endpoints: items(endpoints), routes: items(routes) },
    leftOut: leftOut(snapshot, scope, host),
  };
}

function items(resources: ReadonlyMap<string, object>): readonly ResourceItem[] {
  return [...resources].map(([name, resource]) => ({ name, resource }));
}

const noPorts: ProxyScope['ports'] = { app: {}, inbound: {}, proxy: 1, metrics: 1, upstreams: {} };

/** A caller without a name, who may call that one host: no rule is for it alone. */
function anybody({ definitions }: MeshSnapshot, { host, namespace }: CallerViewRequest): ProxyScope {
  const service = findKnownHost(definitions, hostOfAuthority(host), namespace)?.service;
  const upstreams =
    service === undefined
      ? []
      : servicePorts(service.spec).map(({ port, protocol, name }) => {
          return {
            mode: 'proxy' as const,
            name,
            namespace: service.namespace as string,
            service: service.name,
            port,
            protocol,
            listener: undefined,
          };
        });
  return { ...nobody, namespace, upstreams };
}

const nobody: Omit<ProxyScope, 'namespace' | 'upstreams'> = {
  id: 'anybody',
  service: '-',
  version: '',
  instance: '-',
  node: '-',
  cluster: '',
  address: '127.0.0.1',
  labels: {},
  locality: localityAt('', ''),
  ports: noPorts,
  isGateway: false,
  isProxyless: false,
  servicePorts: [],
};

/** `SERVICE[.NAMESPACE][@NODE]`: the first of its instances as planned, else as its definition would be. */
function callerOf(snapshot: MeshSnapshot, from: string, { namespace: own }: CallerViewRequest): ProxyScope {
  const [name = '', node] = from.split('@');
  const { service, namespace } = splitServiceName(name, own);
  const planned = [...snapshot.plans.values()]
    .flatMap((plan) => plan.instances.map((instance) => ({ plan, instance })))
    .find(
      ({ plan, instance }) =>
        instance.service === service && instance.namespace === namespace && (node === undefined || plan.node === node),
    );
  return planned === undefined
    ? unplanned(snapshot, { service, namespace, node })
    : scopeOfInstance(planned.plan, planned.instance);
}

/** The proxy of an instance, as the node's plan has it. */
export function scopeOfInstance(plan: NodePlan, instance: PlannedInstance): ProxyScope {
  const { upstreams, ...proxy } = proxyMetadata(plan, instance);
  return {
    ...proxy,
    locality: localityAt(plan.region, plan.zone),
    id: proxyId(proxy.namespace, proxy.service, proxy.instance, proxy.node),
    isGateway: isGateway(instance),
    isProxyless: false,
    upstreams: upstreams.filter((upstream) => upstream.mode === 'proxy'),
  };
}

interface Wanted {
  readonly namespace: string;
  readonly service: string;
  readonly node: string | undefined;
}

function unplanned({ definitions }: MeshSnapshot, { namespace, service, node = '-' }: Wanted): ProxyScope {
  const definition = definitions.get(serviceKind, namespace, service);
  if (definition === undefined) {
    throw new MeshError('MESH2005', `there is no Service ${namespace}/${service} to call from`, {
      hint: suggestion(service, definitions.names('Service', namespace)),
    });
  }
  const place = definitions.get(nodeKind, undefined, node)?.spec;
  if (place === undefined && node !== '-') {
    throw new MeshError('MESH2005', `there is no Node "${node}"`, {
      hint: suggestion(node, definitions.names('Node', undefined)),
    });
  }
  const cluster = place && definitions.get(clusterKind, undefined, place.cluster)?.spec;
  const versions = definitions.all(versionKind).filter((v) => v.namespace === namespace && v.spec.service === service);
  const version = versions.find(({ spec }) => spec.version === definition.spec.stable) ?? versions[0];
  return {
    ...nobody,
    id: proxyId(namespace, service, '-', node),
    namespace,
    service,
    version: version?.spec.version ?? '',
    node,
    cluster: place?.cluster ?? '',
    locality: localityAt(cluster?.region ?? '', cluster?.zone ?? ''),
    labels: version === undefined ? {} : labelsOfVersion(version),
    isGateway: definition.spec.gateway,
    servicePorts: servicePorts(definition.spec),
    upstreams: definition.spec.upstreams.flatMap((upstream) => {
      const desired = desiredUpstream(definitions, namespace, upstream);
      // Its port is the plan's to choose; what is reached there is the same as through the proxy port.
      return desired.mode === 'proxy' ? [{ ...desired, listener: undefined }] : [];
    }),
  };
}
