import type { PlanStep } from '../model/api.js';
import type { DefinitionView } from '../model/definition.js';
import type { InstanceRecord } from '../model/instance.js';
import type { MeshSpec } from '../model/mesh.js';
import type { NodePlan } from '../model/node-plan.js';
import type { Problem } from '../model/problem.js';
import type { Release } from '../model/release.js';

export interface PlanInput {
  readonly definitions: DefinitionView;
  /** By service (`<ns>/<name>`), whatever their phase. */
  readonly releases: ReadonlyMap<string, Release>;
  /** By node: what the store has under `plan/`. */
  readonly lastPlans: ReadonlyMap<string, NodePlan>;
  readonly mesh: MeshSpec;
  /** The revision that this plan will be committed as. */
  readonly revision: number;
  /** What still runs although no plan names it (it drains): its ports are not given away. */
  readonly records?: Iterable<Pick<InstanceRecord, 'node' | 'instance' | 'address' | 'ports'>>;
  /** Only these nodes change; undefined means all. */
  readonly nodes?: readonly string[] | undefined;
  /** Only these services (`<ns>/<name>`) change; undefined means all. */
  readonly services?: readonly string[] | undefined;
}

export interface Planned {
  /** One per node that is defined or had a plan, sorted by name. An unchanged one is the very object of `lastPlans`. */
  readonly plans: readonly NodePlan[];
  /** Empty when nothing is to change. Sorted by node, service, version, instance. */
  readonly steps: readonly PlanStep[];
  /** With an error among them the plans must not be committed. */
  readonly problems: readonly Problem[];
}

export function planNodes(_input: PlanInput): Planned {
  throw new Error('on its way');
}
