/** How far the node is on the way to its plan, for NodeStatus. Pure. */
import type { NodePlan } from '../model/node-plan.js';
import { type ActualInstance, type ActualNode, isServing, isUp, superfluous } from './actual.js';

/** Every planned instance serves, and nothing else is left. */
export function hasReached(plan: NodePlan, actual: ActualNode): boolean {
  return (
    plan.instances.every((planned) => isServing(actual.instances.get(planned.instance))) &&
    superfluous(plan, actual).length === 0
  );
}

/** One sentence for each thing that stands between the node and its plan; empty when nothing does. */
export function obstacles(plan: NodePlan | undefined, actual: ActualNode): readonly string[] {
  if (plan === undefined) return [];
  const missing = plan.instances.filter((planned) => !isServing(actual.instances.get(planned.instance)));
  const noPilot = !actual.hasPilotsFile && missing.length > 0;
  return [
    ...(noPilot ? ['no pilot has registered yet: sidecars would not know where to ask'] : []),
    ...missing.map((planned) => `${planned.instance}: ${obstacle(actual.instances.get(planned.instance))}`),
    ...superfluous(plan, actual).map((old) => `${old.instance}: on its way out`),
  ];
}

function obstacle(instance: ActualInstance | undefined): string {
  if (instance === undefined) return 'not started yet';
  if (!isUp(instance)) return instance.reason === '' ? 'not running' : instance.reason;
  if (instance.health === 'healthy') return 'about to be registered';
  return instance.reason === '' ? instance.health : `${instance.health}, ${instance.reason}`;
}
