/** Definitions, nodes and the last plans to the plan of each node, and to the steps between the two. Pure. */
import type { PlanStep } from '../model/api.js';
import { clusterKind } from '../model/cluster.js';
import type { DefinitionView } from '../model/definition.js';
import type { InstanceRecord } from '../model/instance.js';
import type { MeshSpec } from '../model/mesh.js';
import { nodeKind, portRange } from '../model/node.js';
import type { NodePlan } from '../model/node-plan.js';
import { byText } from '../model/order.js';
import { type Problem, sortProblems } from '../model/problem.js';
import type { Release } from '../model/release.js';
import { assemble } from './assemble.js';
import { fixedPortClashes } from './clashes.js';
import { type Current, decide, type Situation } from './decide.js';
import { deniedContainers } from './deny.js';
import { nameAll } from './instance-names.js';
import { stepsOf } from './plan-steps.js';
import { type Holder, openLedger } from './ports.js';

export interface PlanInput {
  readonly definitions: DefinitionView;
  /** By service (`<ns>/<name>`), whatever their phase. */
  readonly releases: ReadonlyMap<string, Release>;
  /** By node: what the store has under `plan/`. */
  readonly lastPlans: ReadonlyMap<string, NodePlan>;
  readonly mesh: MeshSpec;
  /** The revision that this plan will be committed as. */
  readonly revision: number;
  /** What still runs although no plan names it (it drains): its ports and its id are not given away. */
  readonly records?: Iterable<Pick<InstanceRecord, 'instance' | 'address' | 'ports'>>;
  /** Only these nodes change; undefined means all. */
  readonly nodes?: readonly string[] | undefined;
  /** Only these services (`<ns>/<name>`) change; undefined means all. */
  readonly services?: readonly string[] | undefined;
}

export interface Planned {
  /** One per node that has something to run or had a plan, sorted by name. An unchanged one is the very object of `lastPlans`. */
  readonly plans: readonly NodePlan[];
  /** Empty when nothing is to change. Sorted by node, service, version, instance. */
  readonly steps: readonly PlanStep[];
  /** With an error among them the plans must not be committed. */
  readonly problems: readonly Problem[];
}

export function planNodes(input: PlanInput): Planned {
  const holders: Holder[] = [
    ...currentsOf(input).map(({ address, planned }) => ({ ...planned, address })),
    ...(input.records ?? []),
  ];
  const situation = situationOf(input, holders);
  const { decisions, problems } = decide(situation);
  const named = nameAll(decisions, new Set(holders.map((holder) => holder.instance)), input.revision);
  const plans = assemble(input.lastPlans, situation, named, input.revision);
  return {
    plans,
    steps: stepsOf(named, input.lastPlans, situation.places),
    problems: sortProblems([
      ...problems,
      ...fixedPortClashes(input.definitions, plans),
      ...deniedContainers(input.definitions, plans),
    ]),
  };
}

function currentsOf({ lastPlans }: PlanInput): (Current & { readonly address: string })[] {
  const plans = [...lastPlans.values()].toSorted(byText(({ node }) => node));
  return plans.flatMap(({ node, address, instances }) =>
    instances.map((planned) => {
      const { namespace, service, version } = planned;
      return { node, address, namespace, service, version, planned };
    }),
  );
}

function situationOf(input: PlanInput, holders: readonly Holder[]): Situation {
  const { definitions, nodes, services } = input;
  const places = new Map(
    definitions.all(nodeKind).map(({ name, spec }) => {
      const cluster = definitions.get(clusterKind, undefined, spec.cluster)?.spec;
      const place = { node: name, address: spec.address, cluster: spec.cluster };
      return [name, { ...place, region: cluster?.region ?? '', zone: cluster?.zone ?? '' }];
    }),
  );
  const ledger = openLedger(
    definitions.all(nodeKind).map(({ name, spec }) => ({ node: name, address: spec.address, range: portRange(spec) })),
    holders,
  );
  const nodesNow = definitions.all(nodeKind).map(({ name, labels, spec }) => {
    return { node: name, cluster: spec.cluster, labels, range: spec.ports };
  });
  return {
    definitions,
    releases: input.releases,
    mesh: input.mesh,
    places,
    ledger,
    currents: currentsOf(input),
    candidates: () =>
      nodesNow.map((node) => ({ ...node, freePorts: ledger.free(node.node), taken: ledger.taken(node.node) })),
    mayChangeNode: (node) => nodes?.includes(node) ?? true,
    mayChangeService: (service) => services?.includes(service) ?? true,
  };
}
