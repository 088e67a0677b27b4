/** Who takes over from an instance that the plan no longer names, and what that means for the order of things. Pure. */
import type { NodePlan, PlannedInstance } from '../model/node-plan.js';
import { type ActualInstance, type ActualNode, hasContainers, isServing, superfluous } from './actual.js';

/**
 * The planned instances that stand in for it on this node: those of the same service and version, or, when that version
 * is not planned here any more, those of the service.
 */
export function successorsOf(plan: NodePlan, old: ActualInstance): readonly PlannedInstance[] {
  const ofService = plan.instances.filter(
    (planned) => planned.namespace === old.namespace && planned.service === old.service,
  );
  const ofVersion = ofService.filter((planned) => planned.version === old.version);
  return ofVersion.length > 0 ? ofVersion : ofService;
}

/**
 * Start-first: not before every successor serves. Stop-first, or nobody who could take over: at once. So too when the app
 * does not run: there is nothing to protect.
 */
export function mayGo(plan: NodePlan, actual: ActualNode, old: ActualInstance): boolean {
  if (old.app.state === 'stopped' || old.app.state === 'absent') return true;
  const successors = successorsOf(plan, old);
  if (successors.some((successor) => successor.replace === 'stop-first')) return true;
  return successors.every((successor) => isServing(actual.instances.get(successor.instance)));
}

/** Stop-first: not while a predecessor has a container, whose ports it may need. */
export function mayStart(plan: NodePlan, actual: ActualNode, planned: PlannedInstance): boolean {
  if (planned.replace === 'start-first') return true;
  return !superfluous(plan, actual).some(
    (old) => hasContainers(old) && successorsOf(plan, old).some((s) => s.instance === planned.instance),
  );
}
