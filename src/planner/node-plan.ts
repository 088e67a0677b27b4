/** Definitions, nodes and the last plans to the plan of each node, and to the steps between the two. Pure. */
import type { PlanStep } from '../model/api.js';
import { clusterKind } from '../model/cluster.js';
import type { DefinitionView } from '../model/definition.js';
import type { InstancePorts, InstanceRecord } from '../model/instance.js';
import type { MeshSpec } from '../model/mesh.js';
import { nodeKind, portRange } from '../model/node.js';
import type { NodePlan, PlannedInstance, PlannedUpstream } from '../model/node-plan.js';
import { type Problem, sortProblems } from '../model/problem.js';
import type { Release } from '../model/release.js';
import { fixedPortClashes } from './clashes.js';
import { type Current, type Decision, decide, type Situation } from './decide.js';
import { deniedContainers } from './deny.js';
import type { Desired, NodePlace } from './desired.js';
import { differences } from './differences.js';
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
  /** One per node that is defined or had a plan, sorted by name. An unchanged one is the very object of `lastPlans`. */
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
  const plans = assemble(input, situation, named);
  const steps = named.flatMap((decision) => stepOf(decision, input, situation) ?? []);
  return {
    plans,
    steps: sortedBy(stepKey, steps),
    problems: sortProblems([
      ...problems,
      ...fixedPortClashes(input.definitions, plans),
      ...deniedContainers(input.definitions, plans),
    ]),
  };
}

function currentsOf({ lastPlans }: PlanInput): (Current & { readonly address: string })[] {
  const plans = [...lastPlans.values()].toSorted((a, b) => (a.node < b.node ? -1 : 1));
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
    candidates: () => nodesNow.map((node) => ({ ...node, freePorts: ledger.free(node.node) })),
    mayChangeNode: (node) => nodes?.includes(node) ?? true,
    mayChangeService: (service) => services?.includes(service) ?? true,
  };
}

type Named = Decision & { readonly instance: string };

/** Ids say what and since when: `<service>-<version>-<revision>`, from the second one on with `-<k>`. */
function nameAll(decisions: readonly Decision[], taken: ReadonlySet<string>, revision: number): Named[] {
  const used = new Set(taken);
  return sortedBy(decisionKey, decisions).map((decision) => {
    if (decision.kind !== 'start') return { ...decision, instance: decision.current.planned.instance };
    const base = `${decision.desired.service}-${decision.desired.version}-${revision}`;
    let instance = base;
    for (let k = 2; used.has(instance); k++) instance = `${base}-${k}`;
    used.add(instance);
    return { ...decision, instance };
  });
}

function sortedBy<Item>(key: (item: Item) => string, items: readonly Item[]): Item[] {
  const keyed = items.map((item) => [key(item), item] as const);
  return keyed.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

/** Two new ones of one version on one node differ in their ports only. */
function decisionKey(decision: Decision): string {
  const { node, namespace, service, version } =
    decision.kind === 'start' ? { ...decision.desired, node: decision.node } : decision.current;
  const last = decision.kind === 'start' ? String(decision.ports.proxy) : decision.current.planned.instance;
  return [node, namespace, service, version, last].join('\u0000');
}

function assemble(input: PlanInput, { places, mayChangeNode }: Situation, named: readonly Named[]): NodePlan[] {
  const nodes = [...new Set([...places.keys(), ...input.lastPlans.keys()])].toSorted();
  const byNode = new Map<string, PlannedInstance[]>(nodes.map((node) => [node, []]));
  for (const decision of named) byNode.get(nodeOf(decision))?.push(...plannedInstance(decision, input.revision));
  return nodes.flatMap((node) => {
    const last = input.lastPlans.get(node);
    if (!mayChangeNode(node)) return last ?? [];
    const instances = sortedBy((planned) => planned.instance, byNode.get(node) ?? []);
    // A node that is gone has no place any more; its plan becomes empty and keeps its address.
    const place = places.get(node) ?? (last as NodePlan);
    return last !== undefined && isSame(last, place, instances) ? last : newPlan(place, instances, input.revision);
  });
}

function newPlan(place: NodePlace, instances: readonly PlannedInstance[], revision: number): NodePlan {
  const { node, address, cluster, region, zone } = place;
  return { node, address, cluster, region, zone, revision, instances };
}

function isSame(last: NodePlan, place: NodePlace, instances: readonly PlannedInstance[]): boolean {
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

function stepOf(decision: Named, input: PlanInput, { places }: Situation): PlanStep | undefined {
  const { instance } = decision;
  if (decision.kind === 'start') {
    const { node, desired, replaces } = decision;
    const { namespace, service, version } = desired;
    const step = { node, namespace, service, version, instance };
    if (replaces === undefined) return { action: 'add', ...step, reasons: [] };
    const before = { place: input.lastPlans.get(node) as NodePlan, content: replaces.planned };
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
