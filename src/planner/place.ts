/** Which node gets an instance, and which instances stay where they are. */
import { type Demand, demandKey, versionKey } from './demand.js';

export interface Placed {
  readonly node: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
}

/**
 * For each demand the instances that fulfil it already. As many as possible stay: one instance may fit several demands
 * (of one version, with different selectors), so an instance that finds its demand full asks those before it to go over
 * to another one (augmenting paths of a bipartite matching). Hence placing twice changes nothing.
 */
export function claim<Existing extends Placed>(
  demands: readonly Demand[],
  existing: readonly Existing[],
): ReadonlyMap<Demand, readonly Existing[]> {
  const claimed = new Map<Demand, Existing[]>(demands.map((demand) => [demand, []]));
  const byKey = new Map<string, Demand[]>();
  for (const demand of demands) byKey.set(demandKey(demand), [...(byKey.get(demandKey(demand)) ?? []), demand]);
  const nodesOf = new Map(demands.map((demand) => [demand, new Set(demand.nodes)]));

  const tryClaim = (instance: Existing, asked: Set<Demand>): boolean => {
    for (const demand of byKey.get(versionKey(instance.namespace, instance.service, instance.version)) ?? []) {
      if (asked.has(demand) || nodesOf.get(demand)?.has(instance.node) !== true) continue;
      asked.add(demand);
      const own = claimed.get(demand) as Existing[]; // every demand has its list
      if (own.length < demand.count) {
        own.push(instance);
        return true;
      }
      const movable = own.findIndex((other) => tryClaim(other, asked));
      if (movable !== -1) {
        own[movable] = instance;
        return true;
      }
    }
    return false;
  };
  for (const instance of evenly(existing)) tryClaim(instance, new Set());
  return claimed;
}

/** The first of each node before the second of any: what a smaller number leaves is spread over the nodes. */
function evenly<Existing extends Placed>(existing: readonly Existing[]): Existing[] {
  const seen = new Map<string, number>();
  return existing
    .map((instance) => {
      const key = [instance.node, instance.namespace, instance.service, instance.version].join('/');
      const rank = seen.get(key) ?? 0;
      seen.set(key, rank + 1);
      return { instance, rank };
    })
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ instance }) => instance);
}

/** How many instances a node has, of each service and in all. */
export interface Load {
  add(node: string, service: string): void;
  /** Of these nodes the one with the fewest of that service, then with the fewest of all, then by name. */
  least(nodes: readonly string[], service: string): string | undefined;
}

export function openLoad(): Load {
  const ofService = new Map<string, Map<string, number>>();
  const ofNode = new Map<string, number>();
  return {
    add(node, service) {
      const own = ofService.get(service) ?? new Map<string, number>();
      ofService.set(service, own.set(node, (own.get(node) ?? 0) + 1));
      ofNode.set(node, (ofNode.get(node) ?? 0) + 1);
    },
    least(nodes, service) {
      const own = ofService.get(service);
      const compare = (a: string, b: string): number =>
        (own?.get(a) ?? 0) - (own?.get(b) ?? 0) || (ofNode.get(a) ?? 0) - (ofNode.get(b) ?? 0) || (a < b ? -1 : 1);
      const [first, ...others] = nodes;
      if (first === undefined) return undefined;
      return others.reduce((best, node) => (compare(node, best) < 0 ? node : best), first);
    },
  };
}
