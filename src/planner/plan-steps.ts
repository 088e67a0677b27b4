import type { PlanStep } from '../model/api.js';
import type { NodePlace, NodePlan } from '../model/node-plan.js';
import { byText } from '../model/order.js';
import { differences } from './differences.js';
import type { Named } from './instance-names.js';

/** What changes, and why, for people. What stays as it is has no step. */
export function stepsOf(
  named: readonly Named[],
  lastPlans: ReadonlyMap<string, NodePlan>,
  places: ReadonlyMap<string, NodePlace>,
): PlanStep[] {
  return named.flatMap((decision) => stepOf(decision, lastPlans, places) ?? []).toSorted(byText(stepKey));
}

function stepOf(
  decision: Named,
  lastPlans: ReadonlyMap<string, NodePlan>,
  places: ReadonlyMap<string, NodePlace>,
): PlanStep | undefined {
  const { instance } = decision;
  if (decision.kind === 'start') {
    const { node, desired, replaces } = decision;
    const { namespace, service, version } = desired;
    const step = { node, namespace, service, version, instance };
    if (replaces === undefined) return { action: 'add', ...step, reasons: [] };
    const before = { place: lastPlans.get(node) as NodePlan, content: replaces.planned };
    const reasons = differences(before, { place: places.get(node) as NodePlace, content: desired });
    return { action: 'change', ...step, replaces: replaces.planned.instance, reasons };
  }
  const { current, reason, kind } = decision;
  if (reason === undefined) return undefined; // it stays as it is: no step
  const { node, namespace, service, version } = current;
  return { action: kind, node, namespace, service, version, instance, reasons: [reason] };
}

function stepKey({ node, namespace, service, version, instance }: PlanStep): string {
  return [node, namespace, service, version, instance].join('\u0000');
}
