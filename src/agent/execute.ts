/** Does what next-steps.ts has decided: one entry per action, so that a new action does not compile without its effect. */

import { COMPOSE_FOLDER, LABELS, type Role } from '../model/container-labels.js';
import { composeProject } from '../model/names.js';
import type { NodePlan } from '../model/node-plan.js';
import { composeServices } from '../planner/compose.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Store } from '../store/store.js';
import type { Compose } from './compose.js';
import type { Docker } from './docker.js';
import { untilAcknowledged, untilIdle } from './drain.js';
import type { News } from './news.js';
import type { NodeFiles } from './node-files.js';
import { isFromElsewhere } from './observe.js';
import type { Registration } from './registration.js';
import type { Rests } from './rests.js';
import { requestsInFlight } from './sidecar-admin.js';
import { untilSidecarReady } from './sidecar-ready.js';
import type { Action, Step, StepOf } from './steps.js';

export interface Hands {
  readonly node: string;
  readonly store: Store;
  readonly docker: Docker;
  readonly compose: Compose;
  readonly files: NodeFiles;
  readonly registration: Registration;
  readonly rests: Rests;
  readonly clock: Clock;
  readonly log: Logger;
  readonly news: News;
  /** The plan as it is now. */
  readonly plan: () => NodePlan | undefined;
  /** The files of this plan are on disk. */
  readonly filesWritten: (plan: NodePlan) => void;
  /** Sidecars know these pilots. */
  readonly pilotsWritten: (addresses: readonly string[]) => void;
  /** The instance may be stopped. */
  readonly drained: (instance: string) => void;
  /** Callers can find the instance: whatever a drain had come to does not count any more. */
  readonly listed: (instance: string) => void;
  /** Nothing of the instance is left. */
  readonly forgotten: (instance: string) => void;
}

/** `wait`: nothing has failed, but it is too early; ask again a little later. */
export type Outcome = 'done' | 'wait';

type Executors = {
  readonly [A in Action]: (step: StepOf<A>, hands: Hands, signal: AbortSignal) => Promise<Outcome>;
};

const executors: Executors = {
  'write-files': async (step, { plan, files, filesWritten }) => {
    const current = plan();
    if (current?.revision !== step.revision) return 'done'; // a newer plan asks for itself
    await files.write(current);
    filesWritten(current);
    return 'done';
  },

  'write-pilots': async ({ addresses }, { node, files, log, pilotsWritten }) => {
    await files.writePilots(addresses);
    pilotsWritten(addresses);
    log.info({ node, pilots: addresses }, 'sidecars know the pilots');
    return 'done';
  },

  'bring-up': async ({ instances }, hands, signal) => {
    const { node, plan, compose, files, rests, log, news } = hands;
    const planned = plan()?.instances.filter(({ instance }) => instances.includes(instance)) ?? [];
    const services = planned.flatMap(composeServices);
    if (services.length === 0) return 'done'; // not wanted any more
    // Before, since the first of them may serve before compose is done with the last.
    for (const instance of instances) news.instance(instance, 'started', 'compose brings up its containers');
    try {
      await removeFromElsewhere(instances, hands);
      await compose.up(composeProject(node), files.composeFile, services, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = messageOf(error);
      for (const instance of instances) rests.failed(instance, reason, instances.length === 1);
      log.warn({ node, instances, reason }, 'could not bring up instances');
      news.node('plan-hindered', `could not bring up ${instances.join(', ')}: ${reason}`, 'warning');
      return 'wait';
    }
    for (const instance of instances) rests.succeeded(instance);
    log.info({ node, instances }, 'brought up instances');
    return 'done';
  },

  restart: async ({ instance }, { node, docker, plan, clock, log, news }, signal) => {
    const current = plan();
    const planned = current?.instances.find((one) => one.instance === instance);
    if (current === undefined || planned === undefined) return 'done'; // not wanted any more
    const containers = await docker.list({ [LABELS.node]: node, [LABELS.instance]: instance });
    const start = async (role: Role): Promise<void> => {
      const container = containers.find((one) => one.labels[LABELS.role] === role);
      // Whatever the list says: it may still show a dead one as running, and to one that runs a start does nothing.
      if (container !== undefined) await docker.start(container.id);
    };
    await start('sidecar');
    // Docker does not know that the app depends on its sidecar: only compose does.
    await untilSidecarReady(current.address, planned.ports.metrics, clock, signal);
    await start('app');
    log.info({ node, instance }, 'instance started again');
    if (containers.some(({ state }) => state !== 'running')) {
      news.instance(instance, 'started', 'its containers were started again');
    }
    return 'done';
  },

  'write-record': async ({ record }, { registration }, signal) => {
    await registration.write(record, signal);
    return 'done';
  },

  register: async ({ instance, keys, record }, { node, registration, log, listed, news }, signal) => {
    listed(instance);
    const wasHealthy = registration.records().get(instance)?.record.state === 'healthy';
    await registration.put(instance, keys, signal);
    await registration.write(record, signal);
    log.info({ node, instance, keys: keys.map(({ key }) => key) }, 'instance registered');
    if (!wasHealthy) news.instance(instance, 'healthy', `serves ${record.version} at ${record.address}`);
    return 'done';
  },

  'leave-plain-traffic': async ({ instance, keys, namespace, service, stable }, { registration }, signal) => {
    if (!(await registration.isStableListed(namespace, service, stable, signal))) return 'wait';
    await registration.remove(instance, keys, signal);
    return 'done';
  },

  'mark-down': async ({ instance, record }, { node, registration, log, news }, signal) => {
    await registration.removeAll(record, signal);
    await registration.write(record, signal);
    log.info({ node, instance, state: record.state, reason: record.reason }, 'instance out of the registry');
    const reason = record.state === 'unhealthy' ? 'unhealthy' : 'died';
    news.instance(instance, reason, record.reason === '' ? 'it was restarted' : record.reason, 'warning');
    return 'done';
  },

  drain: async ({ instance, record }, hands, signal) => {
    const { node, registration, store, files, clock, log, news, drained } = hands;
    const own = registration.records().get(instance);
    // An agent that was cut off here goes on waiting for the write that it finds.
    const isMarked = own?.record.state === 'draining';
    const storeRevision = isMarked ? own.storeRevision : await registration.write(record, signal);
    await registration.removeAll(record, signal);
    if (!isMarked) news.instance(instance, 'draining', record.reason);
    const laggards = await untilAcknowledged(store, storeRevision, clock, signal);
    if (laggards.length > 0) log.warn({ node, instance, laggards }, 'not every proxy has acknowledged the drain');
    const ask = (askSignal: AbortSignal): Promise<number> => requestsInFlight(files.adminSocket(instance), askSignal);
    const inFlight = await untilIdle(ask, clock, signal).catch((error: unknown) => {
      if (signal.aborted) throw error;
      log.warn({ node, instance, error }, 'could not see whether requests are in flight');
      return 0;
    });
    if (inFlight > 0) log.warn({ node, instance, inFlight }, 'stopping with requests in flight');
    drained(instance);
    return 'done';
  },

  'stop-and-remove': async ({ instance }, { node, docker, log, news }) => {
    const containers = await docker.list({ [LABELS.node]: node, [LABELS.instance]: instance });
    const byRole = (role: string) => containers.filter((container) => container.labels[LABELS.role] === role);
    // The app first: what it still has to say to others goes through its sidecar.
    for (const container of [...byRole('app'), ...byRole('sidecar')]) {
      await docker.stop(container.id);
      await docker.remove(container.id);
    }
    log.info({ node, instance }, 'instance stopped and removed');
    news.instance(instance, 'stopped', 'the plan no longer names it: stopped and removed');
    return 'done';
  },

  'remove-record': async ({ instance }, { registration, files, forgotten }, signal) => {
    const own = registration.records().get(instance);
    if (own !== undefined) {
      await registration.removeAll(own.record, signal);
      await registration.forget(instance, signal);
    }
    await files.forget(instance);
    forgotten(instance);
    return 'done';
  },
};

/** Compose leaves alone what has the right name, and would start it again with the files of a data directory that is gone. */
async function removeFromElsewhere(instances: readonly string[], { node, docker, files, log }: Hands): Promise<void> {
  for (const { id, name, labels } of await docker.list({ [LABELS.node]: node })) {
    const isWanted = instances.includes(labels[LABELS.instance] ?? '');
    if (!isWanted || !isFromElsewhere(labels, files.folder)) continue;
    log.warn({ node, container: name, folder: labels[COMPOSE_FOLDER] }, 'made from another data directory: made anew');
    await docker.stop(id);
    await docker.remove(id);
  }
}

export function execute(step: Step, hands: Hands, signal: AbortSignal): Promise<Outcome> {
  // The table is keyed by the union: the entry for this action takes just this member of it.
  const executor = executors[step.action] as (step: Step, hands: Hands, signal: AbortSignal) => Promise<Outcome>;
  return executor(step, hands, signal);
}
