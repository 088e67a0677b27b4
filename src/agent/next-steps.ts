/**
 * What the node must do next, as data. The agent asks again after every step and every event, so a step may fail, be cut
 * off or be done twice, and an agent that was killed goes on where it stands: all there is to know is in the plan, in
 * Docker and in the store.
 *
 * The order it keeps: files before containers; a healthy app beside a ready sidecar before a naming key; keys away before
 * anything is stopped; and (start-first) no old instance leaves before its successors serve.
 */
import type { InstanceRecord, InstanceState } from '../model/instance.js';
import { fullName } from '../model/names.js';
import type { NodePlace, NodePlan, PlannedInstance } from '../model/node-plan.js';
import { byText } from '../model/order.js';
import { type ActualInstance, type ActualNode, hasContainers, isUp, isWhole, superfluous } from './actual.js';
import { namingPuts } from './naming-keys.js';
import { isSameRecord, observedState, recordOf } from './record.js';
import type { Step } from './steps.js';
import { mayGo, mayStart } from './successors.js';

/** At most one step per lane (steps.ts). Sorted: files, compose, then instances by name. */
export function nextSteps(place: NodePlace, plan: NodePlan | undefined, actual: ActualNode): readonly Step[] {
  const planned = plan?.instances ?? knownInstances(actual);
  return [
    ...(plan === undefined ? [] : fileSteps(plan, actual)),
    ...pilotSteps(actual),
    ...(plan === undefined ? [] : bringUpSteps(plan, actual)),
    ...planned.flatMap((instance) => keepSteps(place, instance, actual, plan !== undefined)),
    ...superfluous(plan, actual).flatMap((old) => leaveSteps(place, plan, old, actual)),
  ];
}

/** Without a plan (not written yet, or the store lost it) the node goes on with what it has. */
function knownInstances(actual: ActualNode): readonly PlannedInstance[] {
  return [...actual.instances.values()]
    .flatMap((instance) => (instance.planned === undefined ? [] : [instance.planned]))
    .toSorted(byText(({ instance }) => instance));
}

function fileSteps(plan: NodePlan, actual: ActualNode): readonly Step[] {
  return actual.hasFiles ? [] : [{ action: 'write-files', revision: plan.revision }];
}

/** With no pilot alive the file keeps those that were: one of them may come back, and Envoy must never read an empty list. */
function pilotSteps({ pilots, writtenPilots }: ActualNode): readonly Step[] {
  if (pilots.length === 0 || pilots.join() === writtenPilots?.join()) return [];
  return [{ action: 'write-pilots', addresses: pilots }];
}

/** All pairs in one call, since a call costs a second; but those that failed before one by one, so that each fails alone. */
function bringUpSteps(plan: NodePlan, actual: ActualNode): readonly Step[] {
  if (!actual.hasFiles || !actual.hasPilotsFile) return [];
  const down = plan.instances.filter((planned) => {
    const instance = actual.instances.get(planned.instance);
    return needsCompose(instance) && instance?.isResting !== true && mayStart(plan, actual, planned);
  });
  const startsAlone = (planned: PlannedInstance): boolean =>
    actual.instances.get(planned.instance)?.startsAlone === true;
  const together = down.filter((planned) => !startsAlone(planned));
  const next = together.length > 0 ? together : down.filter(startsAlone).slice(0, 1);
  return next.length === 0 ? [] : [{ action: 'bring-up', instances: next.map((planned) => planned.instance) }];
}

/** Not for what is whole: a slow pull for another instance must not keep it from coming back. */
function needsCompose(instance: ActualInstance | undefined): boolean {
  return instance === undefined || (!isWhole(instance) && !isUp(instance));
}

/** Record and naming keys of an instance that shall go on running. */
function keepSteps(place: NodePlace, planned: PlannedInstance, node: ActualNode, isPlanned: boolean): readonly Step[] {
  const actual = node.instances.get(planned.instance);
  if (actual === undefined) return [];
  const { instance } = planned;
  if (isUp(actual) && actual.health === 'healthy') return serveSteps(place, planned, actual, node);
  // After a restart of the agent the record is right until a probe or Docker says otherwise.
  const isAdopted = isUp(actual) && actual.health === 'starting' && actual.registered.size === 0;
  if (isAdopted && (actual.record?.state === 'healthy' || actual.record?.state === 'unhealthy')) return [];
  // Only planned: its record is written when the first container is there, or when it has been tried in vain.
  if (!hasContainers(actual) && actual.record === undefined && !actual.startsAlone) return [];
  const { state, reason } = observedState(actual);
  const record = recordOf(place, planned, actual, state, reason);
  const isListed = actual.registered.size > 0 || actual.record?.state === 'healthy';
  if (isListed) return [{ action: 'mark-down', instance, record }];
  // A container that Docker is about to restart needs nothing from us.
  const hasStopped = actual.app.state === 'stopped' || actual.sidecar.state === 'stopped';
  if (isPlanned && hasStopped && isWhole(actual) && !actual.isResting) return [{ action: 'restart', instance }];
  return isSameRecord(actual.record, record) ? [] : [{ action: 'write-record', instance, record }];
}

function serveSteps(
  place: NodePlace,
  planned: PlannedInstance,
  actual: ActualInstance,
  node: ActualNode,
): readonly Step[] {
  const { instance, namespace, service } = planned;
  const keys = namingPuts(place, planned, node.stable);
  const record = recordOf(place, planned, actual, 'healthy');
  if (keys.some(({ key, value }) => actual.registered.get(key) !== value)) {
    return [{ action: 'register', instance, keys, record }];
  }
  if (actual.record?.state !== 'healthy') return [{ action: 'register', instance, keys, record }];
  if (!isSameRecord(actual.record, record)) return [{ action: 'write-record', instance, record }];
  const wanted = new Set(keys.map(({ key }) => key));
  const extra = [...actual.registered.keys()].filter((key) => !wanted.has(key)).toSorted();
  const stable = node.stable.get(fullName(namespace, service));
  if (extra.length === 0 || stable === undefined) return [];
  return [{ action: 'leave-plain-traffic', instance, keys: extra, namespace, service, stable }];
}

/** An instance that the plan no longer names: it goes on serving until it may go, then it drains, stops and is forgotten. */
function leaveSteps(
  place: NodePlace,
  plan: NodePlan | undefined,
  old: ActualInstance,
  node: ActualNode,
): readonly Step[] {
  if (plan === undefined) return [];
  const { instance, planned } = old;
  if (!hasContainers(old)) return [{ action: 'remove-record', instance }];
  if (!mayGo(plan, node, old)) return planned === undefined ? [] : keepSteps(place, planned, node, false);
  const isRunning = old.app.state === 'running';
  const leaving = lastRecord(place, old, isRunning ? 'draining' : 'stopped', 'the plan no longer names it');
  const isListed = isRunning || old.registered.size > 0;
  const isDrained = old.isDrained && old.registered.size === 0;
  if (leaving === undefined || isDrained || !isListed) return [{ action: 'stop-and-remove', instance }];
  return [{ action: isRunning ? 'drain' : 'mark-down', instance, record: leaving }];
}

/** When the data directory has lost how it was planned, the record knows enough for the way out. */
function lastRecord(
  place: NodePlace,
  old: ActualInstance,
  state: InstanceState,
  reason: string,
): InstanceRecord | undefined {
  if (old.planned !== undefined) return recordOf(place, old.planned, old, state, reason);
  return old.record === undefined ? undefined : { ...old.record, state, reason };
}
