/** Puts together what Docker, the store and the probes know of each instance. Pure. */
import { COMPOSE_FOLDER, LABELS, type Role } from '../model/container-labels.js';
import type { InstanceRecord } from '../model/instance.js';
import { isGateway, type NodePlace, type NodePlan, type PlannedInstance } from '../model/node-plan.js';
import { type ActualContainer, type ActualInstance, absentContainer, type HealthVerdict, isUp } from './actual.js';
import type { SeenContainer } from './docker-view.js';
import type { ProbeTarget } from './health.js';
import type { OwnRecord } from './registration.js';

export interface Observations {
  readonly plan: NodePlan | undefined;
  readonly containers: readonly SeenContainer[];
  /** Where the node's compose file is. */
  readonly folder: string;
  /** From the data directory. */
  readonly planned: ReadonlyMap<string, PlannedInstance>;
  readonly records: ReadonlyMap<string, OwnRecord>;
  readonly keysOf: (instance: string) => ReadonlyMap<string, string>;
  /** Of this generation: an older verdict says nothing about containers that have started since. */
  readonly healthOf: (
    instance: string,
    generation: string,
  ) => { readonly verdict: HealthVerdict; readonly reason: string };
  readonly isDrained: (instance: string) => boolean;
  readonly startsAlone: (instance: string) => boolean;
  readonly isResting: (instance: string) => boolean;
  /** Why it could not be brought up; empty when it could. */
  readonly failureOf: (instance: string) => string;
}

export function actualInstances(seen: Observations): ReadonlyMap<string, ActualInstance> {
  const byInstance = containersByInstance(seen.containers);
  const fromPlan = new Map(seen.plan?.instances.map((planned) => [planned.instance, planned]));
  const tried = [...fromPlan.keys()].filter((instance) => seen.failureOf(instance) !== '');
  const names = new Set([...byInstance.keys(), ...seen.records.keys(), ...tried]);
  return new Map(
    [...names].toSorted().map((instance) => {
      const planned = fromPlan.get(instance) ?? seen.planned.get(instance);
      const containers = byInstance.get(instance) ?? [];
      return [instance, actualInstance(instance, planned, containers, seen.records.get(instance)?.record, seen)];
    }),
  );
}

function actualInstance(
  instance: string,
  planned: PlannedInstance | undefined,
  containers: readonly SeenContainer[],
  record: InstanceRecord | undefined,
  seen: Observations,
): ActualInstance {
  const label = (name: string): string => containers[0]?.labels[name] ?? '';
  const sidecar = containerOf(containers, 'sidecar', seen.folder);
  // A gateway's Envoy is all there is of it: where an app is asked for, it stands in.
  const app = planned !== undefined && isGateway(planned) ? sidecar : containerOf(containers, 'app', seen.folder);
  const health = seen.healthOf(instance, generationOf({ app, sidecar }));
  const isRunning = isUp({ app, sidecar });
  const paused = containers.filter((container) => container.isPaused).map(({ labels }) => labels[LABELS.role]);
  return {
    instance,
    namespace: planned?.namespace ?? record?.namespace ?? label(LABELS.namespace),
    service: planned?.service ?? record?.service ?? label(LABELS.service),
    version: planned?.version ?? record?.version ?? label(LABELS.version),
    planned,
    app,
    sidecar,
    ...(isRunning && paused.length > 0
      ? { health: 'unhealthy', reason: `Docker has paused the ${paused.join(' and the ')}` }
      : { health: health.verdict, reason: isRunning ? health.reason : seen.failureOf(instance) }),
    record,
    registered: seen.keysOf(instance),
    isDrained: seen.isDrained(instance),
    startsAlone: seen.startsAlone(instance),
    isResting: seen.isResting(instance),
  };
}

function containerOf(containers: readonly SeenContainer[], role: Role, folder: string): ActualContainer {
  const found = containers.find((container) => container.labels[LABELS.role] === role);
  if (found === undefined) return absentContainer;
  const { state, id, name, startedAt, pid, labels } = found;
  return { state, id, name, startedAt, pid, isFromElsewhere: isFromElsewhere(labels, folder) };
}

/** Old versions of compose do not say where they have found the file: then it was here. */
export function isFromElsewhere(labels: SeenContainer['labels'], folder: string): boolean {
  return (labels[COMPOSE_FOLDER] ?? folder) !== folder;
}

/** One life of both containers: each start of either begins another. */
function generationOf({ app, sidecar }: Pick<ActualInstance, 'app' | 'sidecar'>): string {
  return [app.id, app.startedAt, sidecar.id, sidecar.startedAt].join(' ');
}

function containersByInstance(containers: readonly SeenContainer[]): ReadonlyMap<string, readonly SeenContainer[]> {
  const byInstance = new Map<string, SeenContainer[]>();
  for (const container of containers) {
    const instance = container.labels[LABELS.instance];
    if (instance === undefined) continue;
    const own = byInstance.get(instance);
    if (own === undefined) byInstance.set(instance, [container]);
    else own.push(container);
  }
  return byInstance;
}

/** Pairs that run are probed. */
export function probeTargets(
  place: NodePlace,
  instances: ReadonlyMap<string, ActualInstance>,
): ReadonlyMap<string, ProbeTarget> {
  const targets = new Map<string, ProbeTarget>();
  for (const [name, instance] of instances) {
    const { planned } = instance;
    if (planned === undefined || !isUp(instance)) continue;
    const { id: container, pid } = instance.app;
    targets.set(name, { planned, container, pid, address: place.address, generation: generationOf(instance) });
  }
  return targets;
}
