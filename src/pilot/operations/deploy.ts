/** A plan is computed from one revision and holds for that revision only; a deploy plans again and commits what it planned. */
import type { DeployRequest, DeployResponse, PlanRequest, PlanResponse } from '../../model/api.js';
import { allInstances } from '../../model/mesh-snapshot.js';
import { DEFAULT_NAMESPACE, fullName } from '../../model/names.js';
import type { Problem } from '../../model/problem.js';
import type { Change, Deployment } from '../../model/revision.js';
import { type Planned, planNodes } from '../../planner/node-plan.js';
import { type NextRevision, PLAN_KIND } from '../changes.js';
import { type MeshState, readMeshState } from '../mesh-state.js';
import { type CommandContext, type Decision, runCommand } from '../revisions.js';
import type { SnapshotOptions } from '../snapshot.js';
import { refuseErrors } from './invalid-input.js';
import { requireNode, requireService } from './known-names.js';

export async function plan(context: CommandContext, request: PlanRequest, signal?: AbortSignal): Promise<PlanResponse> {
  const options = { keys: context.store.keys, kinds: context.kinds };
  const state = await readMeshState(context.store, options, { instances: true }, signal);
  const planned = planFor(state, request, state.snapshot.revision + 1);
  return {
    basis: state.snapshot.revision,
    steps: planned.steps,
    plans: planned.plans,
    warnings: refuseErrors(planned.problems, 'plan'),
  };
}

export async function deploy(
  context: CommandContext,
  request: DeployRequest,
  signal?: AbortSignal,
): Promise<DeployResponse> {
  const options = { keys: context.store.keys, kinds: context.kinds };
  const { by, why, basis } = request;
  const command = { command: 'deploy', by, why, expectRevision: basis, instances: true, signal };
  const committed = await runCommand(context, command, (state, next) => decideDeploy(state, request, next, options));
  const { decision, revision, storeRevision } = committed;
  if (storeRevision === undefined) return { revision, steps: decision.steps };
  return { revision, id: revision, steps: decision.steps, storeRevision: String(storeRevision) };
}

export interface DeployDecision extends Decision {
  readonly steps: Planned['steps'];
  readonly warnings: readonly Problem[];
}

export function decideDeploy(
  state: MeshState,
  request: DeployRequest,
  next: NextRevision,
  options: SnapshotOptions,
): DeployDecision {
  const planned = planFor(state, request, next.revision);
  const warnings = refuseErrors(planned.problems, 'deploy');
  const changed = planned.plans.filter((one) => state.snapshot.plans.get(one.node) !== one);
  const changes = changed.map((one): Change => {
    const before = state.snapshot.plans.get(one.node);
    return { kind: PLAN_KIND, name: one.node, ...(before === undefined ? {} : { before }), after: one };
  });
  const deployment: Deployment = {
    id: next.revision,
    at: next.at,
    by: request.by,
    why: request.why ?? '',
    nodes: changed.map((one) => one.node),
    added: planned.steps.filter((step) => step.action === 'add' || step.action === 'change').length,
    removed: planned.steps.filter((step) => step.action === 'remove' || step.action === 'change').length,
  };
  const record = { key: options.keys.deploy(String(next.revision)), value: JSON.stringify(deployment) };
  return { changes, records: [record], steps: planned.steps, warnings };
}

function planFor(state: MeshState, request: PlanRequest, revision: number): Planned {
  const { definitions, releases, plans, mesh } = state.snapshot;
  const namespace = request.namespace ?? DEFAULT_NAMESPACE;
  for (const service of request.services ?? []) requireService(state.snapshot, namespace, service);
  for (const node of request.nodes ?? []) requireNode(state.snapshot, node);
  return planNodes({
    definitions,
    releases,
    lastPlans: plans,
    mesh,
    revision,
    records: allInstances(state.snapshot),
    nodes: request.nodes,
    services: request.services?.map((service) => fullName(namespace, service)),
  });
}
