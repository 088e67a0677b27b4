/** What really is on the node, read afresh each round: the other side of the NodePlan. Plain data, times in milliseconds. */
import type { InstanceRecord } from '../model/instance.js';
import type { NodePlan, PlannedInstance } from '../model/node-plan.js';
import { byText } from '../model/order.js';

/** `stopped` is there and does not run; `restarting` waits for Docker's own restart policy. */
export type ContainerState = 'running' | 'restarting' | 'stopped' | 'absent';

export interface ActualContainer {
  readonly state: ContainerState;
  /** Empty when absent. */
  readonly id: string;
  readonly name: string;
  /** When it was started last, milliseconds since the epoch; 0 when it has never run. */
  readonly startedAt: number;
  /** Of its first process; 0 when it does not run. */
  readonly pid: number;
  /** Made from the files of another data directory, which it mounts: nobody keeps those up, and they may be gone. */
  readonly isFromElsewhere: boolean;
}

export const absentContainer: ActualContainer = {
  state: 'absent',
  id: '',
  name: '',
  startedAt: 0,
  pid: 0,
  isFromElsewhere: false,
};

/** Of the app and its sidecar together: healthy means that the app passes its probe and the sidecar is ready. */
export type HealthVerdict = 'starting' | 'healthy' | 'unhealthy';

export interface ActualInstance {
  readonly instance: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  /** As it was planned when it was created; undefined when neither the plan nor the data directory knows it. */
  readonly planned: PlannedInstance | undefined;
  readonly app: ActualContainer;
  readonly sidecar: ActualContainer;
  readonly health: HealthVerdict;
  /** Why it is not healthy, for people. */
  readonly reason: string;
  readonly record: InstanceRecord | undefined;
  /** Naming keys that this agent holds for it, with their values. */
  readonly registered: ReadonlyMap<string, string>;
  /** A drain has come to its end and nothing was asked of it since. */
  readonly isDrained: boolean;
  /** Bringing it up has failed: try it by itself, so that it does not spoil its neighbours. */
  readonly startsAlone: boolean;
  /** It was tried, or died, a moment ago: not yet again. */
  readonly isResting: boolean;
}

export interface ActualNode {
  /** By instance id: all that have a container, a record or a key. */
  readonly instances: ReadonlyMap<string, ActualInstance>;
  /** The files of the plan are on disk. */
  readonly hasFiles: boolean;
  /** The live pilots, `host:port`, sorted. */
  readonly pilots: readonly string[];
  /** What this process has written into the sidecars' file of pilots; undefined before it has written any. */
  readonly writtenPilots: readonly string[] | undefined;
  /** That file is there, be it from a process before: without it no sidecar would start. */
  readonly hasPilotsFile: boolean;
  /** By `<ns>/<service>`: the version that plain traffic gets, undefined for all versions. Unknown services are absent. */
  readonly stable: ReadonlyMap<string, string | undefined>;
}

/** Both containers run, as far as Docker knows. */
export function isUp(instance: Pick<ActualInstance, 'app' | 'sidecar'> | undefined): boolean {
  return instance?.app.state === 'running' && instance.sidecar.state === 'running';
}

export function hasContainers(instance: ActualInstance): boolean {
  return instance.app.state !== 'absent' || instance.sidecar.state !== 'absent';
}

/** Compose has made both from our files and has started both before: they can be started again without it. */
export function isWhole({ app, sidecar }: Pick<ActualInstance, 'app' | 'sidecar'>): boolean {
  return [app, sidecar].every(
    ({ state, startedAt, isFromElsewhere }) => state !== 'absent' && startedAt > 0 && !isFromElsewhere,
  );
}

/** It serves and callers can find it. */
export function isServing(instance: ActualInstance | undefined): boolean {
  return (
    isUp(instance) &&
    instance?.health === 'healthy' &&
    instance.registered.size > 0 &&
    instance.record?.state === 'healthy'
  );
}

/** Instances that the plan does not name, sorted. Without any plan nothing is superfluous: a lost plan must not stop a node. */
export function superfluous(plan: NodePlan | undefined, actual: ActualNode): readonly ActualInstance[] {
  if (plan === undefined) return [];
  const planned = new Set(plan.instances.map((instance) => instance.instance));
  return [...actual.instances.values()]
    .filter((instance) => !planned.has(instance.instance))
    .toSorted(byText(({ instance }) => instance));
}
