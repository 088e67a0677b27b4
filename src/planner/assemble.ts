import type { InstancePorts } from '../model/instance.js';
import type { NodePlace, NodePlan, PlannedInstance, PlannedUpstream } from '../model/node-plan.js';
import { byText } from '../model/order.js';
import type { Decision, Situation } from './decide.js';
import type { Desired } from './desired.js';
import type { Named } from './instance-names.js';

/** The plan of each node, from what was decided for its instances. */
export function assemble(
  lastPlans: ReadonlyMap<string, NodePlan>,
  { places, mayChangeNode }: Situation,
  named: readonly Named[],
  revision: number,
): NodePlan[] {
  const nodes = [...new Set([...places.keys(), ...lastPlans.keys()])].toSorted();
  const byNode = new Map<string, PlannedInstance[]>(nodes.map((node) => [node, []]));
  for (const decision of named) byNode.get(nodeOf(decision))?.push(...plannedInstance(decision, revision));
  return nodes.flatMap((node) => {
    const last = lastPlans.get(node);
    if (!mayChangeNode(node)) return last ?? [];
    const instances = (byNode.get(node) ?? []).toSorted(byText((planned) => planned.instance));
    // A node that is gone has no place any more; its plan becomes empty and keeps its address.
    const place = places.get(node) ?? (last as NodePlan);
    if (last === undefined) return instances.length === 0 ? [] : newPlan(place, instances, revision);
    return isSame(last, place, instances) ? last : newPlan(place, instances, revision);
  });
}

function newPlan(place: NodePlace, instances: readonly PlannedInstance[], revision: number): NodePlan {
  const { node, address, cluster, region, zone } = place;
  return { node, address, cluster, region, zone, revision, instances };
}

function isSame(last: NodePlan, place: NodePlace, instances: readonly PlannedInstance[]): boolean {
  if (last.instances.length === 0 && instances.length === 0) return true;
  return (
    last.address === place.address &&
    last.cluster === place.cluster &&
    last.region === place.region &&
    last.zone === place.zone &&
    last.instances.length === instances.length &&
    last.instances.every((instance, i) => instance === instances[i])
  );
}

function nodeOf(decision: Decision): string {
  return decision.kind === 'start' ? decision.node : decision.current.node;
}

/** One, or none when it is to go. */
function plannedInstance(decision: Named, revision: number): PlannedInstance[] {
  switch (decision.kind) {
    case 'keep':
      return [decision.current.planned];
    case 'remove':
      return [];
    case 'start': {
      const { desired, ports, instance } = decision;
      return [{ ...desired, instance, revision, ports, upstreams: withListeners(desired, ports) }];
    }
  }
}

function withListeners(desired: Desired, ports: InstancePorts): PlannedUpstream[] {
  return desired.upstreams.map((upstream) =>
    upstream.mode === 'proxy' ? { ...upstream, listener: ports.upstreams[upstream.name] } : upstream,
  );
}
