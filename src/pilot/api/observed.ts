/** What runs, read from the store's values. Pure. */
import type { EvictionItem, InstanceItem, NodeItem, ServiceStatus } from '../../model/api.js';
import type { Definition } from '../../model/definition.js';
import type { InstanceRecord } from '../../model/instance.js';
import type { NodeStatus } from '../../model/leased-values.js';
import { allInstances, type MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import { type NodeSpec, nodeKind } from '../../model/node.js';
import type { NodePlan } from '../../model/node-plan.js';
import { byText } from '../../model/order.js';
import { effectiveStable } from '../../model/release.js';
import { serviceKind } from '../../model/service.js';
import { servicePorts } from '../../model/service-shape.js';
import { versionKind } from '../../model/version.js';

/**
 * A record outlives its agent. What it calls healthy is so only while the instance is registered under a living lease; otherwise
 * the proxies have stopped using it, and `mesh ps` says what they see.
 */
function observed(snapshot: MeshSnapshot, record: InstanceRecord): Pick<InstanceItem, 'state' | 'reason'> {
  if (record.state !== 'healthy') return { state: record.state, reason: record.reason };
  const endpoints = snapshot.endpoints.get(fullName(record.namespace, record.service)) ?? [];
  const isRegistered = endpoints.some((e) => e.instance === record.instance && e.health === 'HEALTHY');
  return isRegistered
    ? { state: 'healthy', reason: record.reason }
    : { state: 'unhealthy', reason: 'not registered: it has just died, or the lease of its agent has ended' };
}

function instanceItem(snapshot: MeshSnapshot, record: InstanceRecord, missing: EvictionItem | undefined): InstanceItem {
  const firstPort = firstPortOf(snapshot, record.namespace, record.service);
  const inboundPort = portOf(record.ports.inbound, firstPort);
  return {
    service: record.service,
    namespace: record.namespace,
    version: record.version,
    instance: record.instance,
    node: record.node,
    ...observed(snapshot, record),
    address: `${record.address}:${inboundPort}`,
    appPort: portOf(record.ports.app, firstPort),
    inboundPort,
    proxyPort: record.ports.proxy,
    metricsPort: record.ports.metrics,
    container: record.container,
    sidecar: record.sidecar,
    startedAt: record.startedAt,
    planRevision: record.planRevision,
    ...(missing === undefined ? {} : { reason: missing.why, eviction: evictionOf(missing) }),
  };
}

function evictionOf({ state, since, until, isFrozen }: EvictionItem): NonNullable<InstanceItem['eviction']> {
  return { state, since, until, isFrozen };
}

/** Of the service's first port, as it is defined; 0 for an instance without any. */
function portOf(ports: Readonly<Record<string, number>>, first: string | undefined): number {
  return (first === undefined ? undefined : ports[first]) ?? Object.values(ports)[0] ?? 0;
}

export function firstPortOf(snapshot: MeshSnapshot, namespace: string, service: string): string | undefined {
  const definition = snapshot.definitions.get(serviceKind, namespace, service);
  return definition === undefined ? undefined : servicePorts(definition.spec)[0]?.name;
}

export function instanceItems(
  snapshot: MeshSnapshot,
  missing: readonly EvictionItem[],
  isWanted: (record: InstanceRecord) => boolean,
): readonly InstanceItem[] {
  const missingById = new Map(missing.map((item) => [item.instance, item]));
  const order = (item: InstanceItem): string =>
    [item.namespace, item.service, item.version, item.instance].join('\u0000');
  return allInstances(snapshot)
    .filter(isWanted)
    .map((record) => instanceItem(snapshot, record, missingById.get(record.instance)))
    .toSorted(byText(order));
}

/** `statuses` are the leased ones, by node: a node that has none has lost its agent, or never had one. */
export function nodeItems(snapshot: MeshSnapshot, statuses: ReadonlyMap<string, NodeStatus>): readonly NodeItem[] {
  const records = allInstances(snapshot);
  return snapshot.definitions.all(nodeKind).map((node) => {
    const own = records.filter((record) => record.node === node.name);
    const healthy = own.filter((record) => observed(snapshot, record).state === 'healthy').length;
    return nodeItem(node, snapshot.plans.get(node.name), statuses.get(node.name), { known: own.length, healthy });
  });
}

function nodeItem(
  node: Definition<NodeSpec>,
  plan: NodePlan | undefined,
  status: NodeStatus | undefined,
  instances: { readonly known: number; readonly healthy: number },
): NodeItem {
  return {
    name: node.name,
    address: node.spec.address,
    cluster: node.spec.cluster,
    labels: node.labels,
    agent: status !== undefined ? 'ready' : instances.known > 0 ? 'lost' : 'never',
    agentVersion: status?.agentVersion ?? '',
    compose: status?.compose ?? '',
    docker: status?.docker ?? '',
    planRevision: plan?.revision ?? 0,
    reachedRevision: status?.reachedRevision ?? 0,
    desired: plan?.instances.length ?? 0,
    healthy: instances.healthy,
    problems: status?.problems ?? [],
  };
}

export function serviceStatuses(snapshot: MeshSnapshot): readonly ServiceStatus[] {
  return snapshot.definitions.all(serviceKind).map((service) => {
    // The kind is namespaced.
    const namespace = service.namespace as string;
    const key = fullName(namespace, service.name);
    const endpoints = snapshot.endpoints.get(key) ?? [];
    const defined = snapshot.definitions
      .all(versionKind)
      .filter((version) => version.namespace === namespace && version.spec.service === service.name)
      .map((version) => version.spec.version);
    const versions = [...new Set([...defined, ...endpoints.map((endpoint) => endpoint.version)])].toSorted();
    const firstPort = servicePorts(service.spec)[0]?.name;
    return {
      namespace,
      name: service.name,
      ports: servicePorts(service.spec)
        .map(({ port, protocol }) => `${port}/${protocol}`)
        .join(','),
      stable: effectiveStable(service.spec, snapshot.releases.get(key)) ?? '',
      versions: versions.map((version) => {
        // One per instance, not per port.
        const own = endpoints.filter((e) => e.version === version && (e.portName === '' || e.portName === firstPort));
        return { version, healthy: own.filter((e) => e.health === 'HEALTHY').length, total: own.length };
      }),
    };
  });
}
