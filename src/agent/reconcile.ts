/** The loop: look, decide, begin what is to be done; again whenever anything has changed. It keeps nothing that it could read. */
import type { NodePlace, NodePlan } from '../model/node-plan.js';
import { Latest } from '../runtime/latest.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { ActualNode } from './actual.js';
import type { DockerView } from './docker-view.js';
import { execute, type Hands } from './execute.js';
import type { HealthWatch } from './health.js';
import { type Lanes, openLanes } from './lanes.js';
import { nextSteps } from './next-steps.js';
import { actualInstances, probeTargets } from './observe.js';
import { hasReached, obstacles } from './progress.js';
import type { LastGood } from './serve-last-good.js';
import type { Step } from './steps.js';
import type { StoreView } from './store-view.js';

/** Rounds at least this far apart: events come in bursts. */
const ROUND_INTERVAL_MS = 20;
const ROUND_RETRY_MS = 1000;
/** Lines of NodeStatus.problems. */
const MAX_PROBLEMS = 20;

export interface Progress {
  /** Of the last plan that the node has reached, 0 before the first. */
  readonly reachedRevision: number;
  /** Of the plan as it is now, 0 while there is none. */
  readonly planRevision: number;
  readonly problems: readonly string[];
}

export interface Reconciler {
  /** Something may have changed. */
  note(): void;
  /** A container has died: callers must hear of it before anything else. */
  noteDeath(): void;
  progress(): Progress;
  close(): Promise<void>;
}

export interface ReconcilerOptions {
  readonly storeView: StoreView;
  readonly dockerView: DockerView;
  readonly health: HealthWatch;
  readonly hands: Omit<Hands, 'plan' | 'filesWritten' | 'pilotsWritten' | 'drained' | 'listed' | 'forgotten'>;
  readonly lastGood: Pick<LastGood, 'problems'>;
  readonly hasPilotsFile: boolean;
  readonly onProgress: (progress: Progress) => void;
}

export function openReconciler(options: ReconcilerOptions): Reconciler {
  const { storeView, dockerView, health, lastGood, onProgress } = options;
  const { clock, log, node, registration, files, rests } = options.hands;
  const drained = new Set<string>();
  let filesOf: NodePlan | undefined;
  let writtenPilots: readonly string[] | undefined;
  let progress: Progress = { reachedRevision: 0, planRevision: 0, problems: [] };

  const hands: Hands = {
    ...options.hands,
    plan: () => storeView.plan(),
    filesWritten: (plan) => {
      filesOf = plan;
    },
    pilotsWritten: (addresses) => {
      writtenPilots = addresses;
    },
    drained: (instance) => drained.add(instance),
    listed: (instance) => {
      drained.delete(instance);
      rests.succeeded(instance);
    },
    forgotten: (instance) => {
      drained.delete(instance);
      rests.forget(instance);
    },
  };
  const observe = (plan: NodePlan | undefined): ActualNode => ({
    instances: actualInstances({
      plan,
      containers: dockerView.containers(),
      folder: files.folder,
      planned: files.planned(),
      records: registration.records(),
      keysOf: (instance) => registration.keysOf(instance),
      healthOf: (instance, generation) => health.of(instance, generation),
      isDrained: (instance) => drained.has(instance),
      startsAlone: (instance) => rests.startsAlone(instance),
      isResting: (instance) => rests.isResting(instance),
      failureOf: (instance) => rests.reason(instance),
    }),
    hasFiles: plan !== undefined && filesOf === plan,
    pilots: storeView.pilots(),
    writtenPilots,
    hasPilotsFile: options.hasPilotsFile || writtenPilots !== undefined,
    stable: storeView.stable(),
  });
  /** A pair that is still planned may come up in peace; anything else is called off when the decision changes. */
  const mayGoOn = (step: Step): boolean => {
    if (step.action !== 'bring-up') return false;
    const planned = new Set(storeView.plan()?.instances.map((instance) => instance.instance));
    return step.instances.every((instance) => planned.has(instance));
  };
  const lanes: Lanes = openLanes({
    clock,
    log,
    mayGoOn,
    run: (step, signal) => execute(step, hands, signal),
    onFailure: (reason) => hands.news.node('plan-hindered', reason, 'warning'),
    onProgress: () => rounds.note(),
  });
  const round = (): void => {
    const plan = storeView.plan();
    const place = plan ?? placeInRecords(options.hands);
    if (place === undefined) return; // neither a plan nor anything of an earlier one
    const actual = observe(plan);
    health.watch(probeTargets(place, actual.instances));
    lanes.follow(nextSteps(place, plan, actual));
    if (plan !== undefined) tell(plan, actual);
  };
  const tell = (plan: NodePlan, actual: ActualNode): void => {
    const views = [storeView.problem(), dockerView.problem()].filter((text) => text !== undefined);
    const problems = [...views, ...lastGood.problems(), ...obstacles(plan, actual), ...lanes.problems()].slice(
      -MAX_PROBLEMS,
    );
    const reachedRevision = hasReached(plan, actual) ? plan.revision : progress.reachedRevision;
    if (reachedRevision !== progress.reachedRevision) {
      hands.news.node(
        'plan-reached',
        `runs what revision ${reachedRevision} planned: ${plan.instances.length} instances`,
      );
    }
    progress = { reachedRevision, planRevision: plan.revision, problems };
    onProgress(progress);
  };
  // The one catch of the loop: a defect in a round must not end the agent, and must be seen.
  const guarded = (): void => {
    try {
      round();
    } catch (error) {
      log.error({ node, error }, 'a round of the agent failed');
      progress = { ...progress, problems: [`a round of the agent failed: ${messageOf(error)}`] };
      onProgress(progress);
      void clock.sleep(ROUND_RETRY_MS).then(() => rounds.note());
    }
  };
  const rounds = new Latest(clock, ROUND_INTERVAL_MS, guarded);
  rounds.note();
  return {
    note: () => rounds.note(),
    noteDeath: () => rounds.noteUrgent(),
    progress: () => progress,
    async close() {
      await rounds.close();
      await lanes.close();
    },
  };
}

/** Without a plan the node stands where its instances were recorded. */
function placeInRecords({ registration }: Pick<Hands, 'registration'>): NodePlace | undefined {
  const [own] = registration.records().values();
  return own?.record;
}
