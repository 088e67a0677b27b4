/** What is to happen to each instance: the plan before anything has a name. */
import type { DefinitionView } from '../model/definition.js';
import type { InstancePorts } from '../model/instance.js';
import type { MeshSpec } from '../model/mesh.js';
import { fullName } from '../model/names.js';
import type { NodePlace, PlannedInstance } from '../model/node-plan.js';
import type { Problem } from '../model/problem.js';
import type { Release } from '../model/release.js';
import { type Dangling, type Demand, demandsOf, versionKey } from './demand.js';
import { type Desired, desiredInstance } from './desired.js';
import { type Candidate, refusals, starting } from './filters.js';
import { claim, openLoad, type Placed } from './place.js';
import type { PortLedger } from './ports.js';
import { problemAt } from './problem-at.js';

/** An instance of the last plans. */
export interface Current extends Placed {
  readonly planned: PlannedInstance;
}

export type Decision =
  | { readonly kind: 'keep'; readonly current: Current; readonly reason?: string }
  | { readonly kind: 'remove'; readonly current: Current; readonly reason: string }
  | {
      readonly kind: 'start';
      readonly node: string;
      readonly desired: Desired;
      readonly ports: InstancePorts;
      readonly replaces: Current | undefined;
    };

export interface Situation {
  readonly definitions: DefinitionView;
  readonly releases: ReadonlyMap<string, Release>;
  readonly mesh: MeshSpec;
  readonly places: ReadonlyMap<string, NodePlace>;
  /** Every defined node with its free ports as they are now, sorted by name. */
  candidates(): readonly Candidate[];
  readonly ledger: PortLedger;
  /** Sorted by node and id. */
  readonly currents: readonly Current[];
  readonly mayChangeNode: (node: string) => boolean;
  readonly mayChangeService: (service: string) => boolean;
}

export interface Decisions {
  readonly decisions: readonly Decision[];
  readonly problems: readonly Problem[];
}

export function decide(situation: Situation): Decisions {
  const { definitions, releases, currents, mayChangeNode, mayChangeService } = situation;
  const { demands: all, dangling } = demandsOf(definitions, releases, situation.candidates());
  const demands = all.filter(({ service }) => mayChangeService(fullName(service.namespace as string, service.name)));
  const danglingKeys = new Set(dangling.map(({ key }) => key));
  const isOpen = (c: Current): boolean =>
    mayChangeService(fullName(c.namespace, c.service)) &&
    !danglingKeys.has(versionKey(c.namespace, c.service, c.version));

  const claims = claim(demands, currents.filter(isOpen));
  const demandOf = new Map([...claims].flatMap(([demand, own]) => own.map((current) => [current, demand] as const)));
  const leaving = new Set(currents.filter((c) => isOpen(c) && !demandOf.has(c) && mayChangeNode(c.node)));
  const staying = currents.filter((c) => !leaving.has(c));

  const replaced = staying.map((current) => keepOrReplace(situation, current, demandOf.get(current)));
  const added = startMissing(situation, demands, claims, staying, leaving);
  return {
    decisions: [
      ...replaced.map(({ decision }) => decision),
      ...added.decisions,
      ...[...leaving].map((current) => remove(situation, current)),
    ],
    problems: [
      ...dangling.map(danglingProblem),
      ...replaced.flatMap(({ problem }) => problem ?? []),
      ...added.problems,
    ],
  };
}

function keepOrReplace(
  situation: Situation,
  current: Current,
  demand: Demand | undefined,
): { decision: Decision; problem?: Problem } {
  const { node, planned } = current;
  if (demand === undefined || !situation.mayChangeNode(node)) return { decision: { kind: 'keep', current } };
  const desired = desiredOn(situation, node, demand);
  if (desired.digest === planned.digest) return { decision: { kind: 'keep', current } };
  const heirOf = desired.replace === 'stop-first' ? planned.instance : undefined;
  const ports = situation.ledger.take(node, desired, heirOf);
  if (ports !== undefined) return { decision: { kind: 'start', node, desired, ports, replaces: current } };
  const reason = `no room for its successor: ${roomText(situation, demand, node)}`;
  return {
    decision: { kind: 'keep', current, reason },
    problem: placementProblem(demand, `${planned.instance} on ${node} cannot be changed, ${reason}`),
  };
}

function roomText({ ledger }: Situation, { wish }: Demand, node: string): string {
  const fixed = wish.fixedPorts.length === 0 ? '' : `, and ${wish.fixedPorts.join(', ')} for itself`;
  return `${wish.ports} ports needed, ${ledger.free(node)} free${fixed}`;
}

interface Started {
  readonly decisions: readonly Decision[];
  readonly problems: readonly Problem[];
}

/** Fills every demand up. Takes the predecessors that it finds out of `leaving`. */
function startMissing(
  situation: Situation,
  demands: readonly Demand[],
  claims: ReadonlyMap<Demand, readonly Current[]>,
  staying: readonly Current[],
  leaving: Set<Current>,
): Started {
  const load = openLoad();
  for (const { node, namespace, service } of staying) load.add(node, fullName(namespace, service));
  const decisions: Decision[] = [];
  const problems: Problem[] = [];
  for (const demand of demands) {
    const service = fullName(demand.service.namespace as string, demand.service.name);
    // The demand's nodes have passed the standing filters; of `starting` only the ports are left, which change as we go.
    const hasRoom = (node: string): boolean =>
      situation.ledger.free(node) >= demand.wish.ports && hasFixedPorts(situation, demand, node, leaving);
    for (let have = claims.get(demand)?.length ?? 0; have < demand.count; have++) {
      const node = load.least(demand.nodes.filter(hasRoom), service);
      if (node === undefined) {
        problems.push(unplaced(situation, demand, demand.count - have));
        break;
      }
      load.add(node, service);
      // Elsewhere the place is only reserved: the deploy of that node will fill it.
      if (situation.mayChangeNode(node)) decisions.push(start(situation, demand, node, leaving));
    }
  }
  return { decisions, problems };
}

/** Free, or to be inherited from an instance of the same service that goes. */
function hasFixedPorts(
  { ledger }: Situation,
  { wish, service }: Demand,
  node: string,
  leaving: ReadonlySet<Current>,
): boolean {
  const taken = ledger.taken(node);
  const holders = new Set(wish.fixedPorts.flatMap((port) => taken.get(port) ?? []));
  if (holders.size === 0) return true;
  const heirOf = predecessor(leaving, node, service.namespace as string, service.name)?.planned.instance;
  return [...holders].every((holder) => holder === heirOf);
}

function predecessor(
  leaving: ReadonlySet<Current>,
  node: string,
  namespace: string,
  service: string,
): Current | undefined {
  return [...leaving].find((c) => c.node === node && c.namespace === namespace && c.service === service);
}

function start(situation: Situation, demand: Demand, node: string, leaving: Set<Current>): Decision {
  const desired = desiredOn(situation, node, demand);
  const replaces = predecessor(leaving, node, desired.namespace, desired.service);
  if (replaces !== undefined) leaving.delete(replaces);
  const heirOf = desired.replace === 'stop-first' ? replaces?.planned.instance : undefined;
  const ports = situation.ledger.take(node, desired, heirOf);
  if (ports === undefined) throw new Error(`${node} had ${demand.wish.ports} free ports and now has not`);
  return { kind: 'start', node, desired, ports, replaces };
}

function desiredOn({ definitions, mesh, places }: Situation, node: string, demand: Demand): Desired {
  // A demand names defined nodes only, and each of them has its place.
  return desiredInstance(definitions, mesh, places.get(node) as NodePlace, demand.service, demand.version);
}

function remove({ places }: Situation, current: Current): Decision {
  const reason = places.has(current.node) ? 'nothing asks for it here' : `node ${current.node} is no longer defined`;
  return { kind: 'remove', current, reason };
}

function unplaced(situation: Situation, demand: Demand, missing: number): Problem {
  const name = `${demand.service.name} ${demand.version.spec.version}`;
  const what = missing === demand.count ? name : `${missing} of ${demand.count} instances of ${name}`;
  const why = refusals(starting, situation.candidates(), demand.wish);
  return placementProblem(demand, `${what} cannot be placed: ${why}`);
}

function placementProblem({ cluster, entry }: Demand, message: string): Problem {
  const hint = 'it waits until a node fits';
  return problemAt(cluster, { code: 'MESH1018', severity: 'warning', path: ['spec', 'deploy', entry], message, hint });
}

function danglingProblem({ cluster, entry, key }: Dangling): Problem {
  return problemAt(cluster, {
    code: 'MESH1018',
    severity: 'warning',
    path: ['spec', 'deploy', entry],
    message: `${key} is not defined: nothing new of it is started`,
    hint: 'what runs of it stays; apply its Service and Version, or remove the entry',
  });
}
