/** Why a node does not fit. Adding a reason is one object and its place in a list. */

export interface Candidate {
  readonly node: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly range: string;
  readonly freePorts: number;
  /** Ports of its machine that are in use, and by whom. */
  readonly taken: ReadonlyMap<number, string>;
}

export interface Wish {
  readonly cluster: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** How many of the node's range. */
  readonly ports: number;
  /** These very ones. */
  readonly fixedPorts: readonly number[];
}

export interface Filter {
  readonly name: string;
  check(candidate: Candidate, wish: Wish): boolean;
  /** Of a node that does not fit, for people. */
  explain(candidate: Candidate, wish: Wish): string;
}

const cluster: Filter = {
  name: 'cluster',
  check: (candidate, wish) => candidate.cluster === wish.cluster,
  explain: (_candidate, wish) => `not in cluster ${wish.cluster}`,
};

const labels: Filter = {
  name: 'labels',
  check: (candidate, wish) => missingLabels(candidate, wish).length === 0,
  explain: (candidate, wish) => `without label ${missingLabels(candidate, wish).join(', ')}`,
};

const ports: Filter = {
  name: 'ports',
  check: (candidate, wish) => candidate.freePorts >= wish.ports,
  explain: (candidate, wish) => `${candidate.freePorts} ports free in ${candidate.range}, ${wish.ports} needed`,
};

const fixedPorts: Filter = {
  name: 'fixed ports',
  check: (candidate, wish) => wish.fixedPorts.every((port) => !candidate.taken.has(port)),
  explain: (candidate, wish) => {
    const port = wish.fixedPorts.find((wanted) => candidate.taken.has(wanted)) ?? 0;
    const holder = candidate.taken.get(port) ?? '';
    return `port ${port} is taken${holder === '' ? '' : ` by ${holder}`}`;
  },
};

function missingLabels(candidate: Candidate, wish: Wish): string[] {
  return Object.entries(wish.nodeSelector)
    .filter(([key, value]) => candidate.labels[key] !== value)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted();
}

/** What a node must have so that an instance may stay on it. */
export const standing: readonly Filter[] = [cluster, labels];
/** And so that a new one may come to it. */
export const starting: readonly Filter[] = [...standing, ports, fixedPorts];

export function fits(filters: readonly Filter[], candidate: Candidate, wish: Wish): boolean {
  return filters.every((filter) => filter.check(candidate, wish));
}

/** `without label disk=ssd (node-b, node-c); not in cluster room-1 (node-d)`: nodes with the same reason stand together. */
export function refusals(filters: readonly Filter[], candidates: readonly Candidate[], wish: Wish): string {
  const nodesByReason = new Map<string, string[]>();
  for (const candidate of candidates) {
    const filter = filters.find((f) => !f.check(candidate, wish));
    if (filter === undefined) continue;
    const reason = filter.explain(candidate, wish);
    nodesByReason.set(reason, [...(nodesByReason.get(reason) ?? []), candidate.node]);
  }
  if (nodesByReason.size === 0) return 'there is no node';
  return [...nodesByReason].map(([reason, nodes]) => `${reason} (${shortList(nodes)})`).join('; ');
}

const MAX_NAMED = 5;

function shortList(nodes: readonly string[]): string {
  const rest = nodes.length - MAX_NAMED;
  return nodes.slice(0, MAX_NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
