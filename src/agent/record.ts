/** The durable record of an instance, made from what was planned and what is. Pure. */
import { canonicalJson } from '../model/canonical-json.js';
import type { InstanceRecord, InstanceState } from '../model/instance.js';
import type { NodePlace, PlannedInstance } from '../model/node-plan.js';
import { type ActualInstance, isUp } from './actual.js';

export function recordOf(
  place: NodePlace,
  planned: PlannedInstance,
  actual: ActualInstance | undefined,
  state: InstanceState,
  reason = '',
): InstanceRecord {
  const { instance, namespace, service, version, ports, labels } = planned;
  return {
    instance,
    namespace,
    service,
    version,
    node: place.node,
    cluster: place.cluster,
    region: place.region,
    zone: place.zone,
    address: place.address,
    ports,
    labels,
    state,
    reason,
    container: actual?.app.name ?? '',
    sidecar: actual?.sidecar.name ?? '',
    startedAt: actual?.app.startedAt ?? 0,
    planRevision: planned.revision,
  };
}

export function isSameRecord(a: InstanceRecord | undefined, b: InstanceRecord): boolean {
  return a !== undefined && canonicalJson(a) === canonicalJson(b);
}

/** What the record should say of an instance that is neither registered nor on its way out. */
export function observedState(actual: ActualInstance): { readonly state: InstanceState; readonly reason: string } {
  if (actual.health === 'unhealthy' && isUp(actual)) return { state: 'unhealthy', reason: actual.reason };
  if (isUp(actual)) return { state: 'starting', reason: actual.reason };
  const isOne = actual.app === actual.sidecar;
  const down = [
    isOne || actual.app.state === 'running' ? '' : 'app',
    actual.sidecar.state === 'running' ? '' : isOne ? 'gateway' : 'sidecar',
  ];
  const missing = down.filter((role) => role !== '').join(' and ');
  return { state: 'stopped', reason: actual.reason === '' ? `the ${missing} does not run` : actual.reason };
}
