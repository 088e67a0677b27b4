/** Which Envoy clusters a service has for the callers of one namespace: plain, one per version, one per subset. */
import type { Subset, TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { type Labels, selects } from '../../model/labels.js';
import { outboundClusterName } from '../../model/names.js';
import { byText } from '../../model/order.js';
import type { ServicePort } from '../../model/service-shape.js';
import type { CallerPolicy } from './caller-policy.js';
import type { HostIdentity, MeshHost } from './mesh-index.js';
import type { Selection, Target } from './policy.js';
import { remember, sameList } from './remember.js';
import type { HostFacts } from './service-facts.js';

/** What an Envoy cluster takes of a service's endpoints. */
export interface EndpointSelection {
  /** Third part of the cluster's name; empty for plain traffic. */
  readonly subset: string;
  /** `plain`: the stable version and what registered without a version, or everything when nothing is stable. */
  readonly by:
    | { readonly kind: 'plain' }
    | { readonly kind: 'version' }
    | { readonly kind: 'labels'; readonly labels: Labels };
  /** Of the host, and of the subset over it: policy-levels.ts makes one of them, by port. */
  readonly policy: TrafficPolicy | undefined;
  readonly subsetPolicy: TrafficPolicy | undefined;
  /** The one version that is selected, for statistics; empty when it is not one. */
  readonly version: string;
}

/** A service as a destination, with the DestinationRules that hold for who calls. The same object while neither changes. */
export interface Callee {
  readonly entry: MeshHost;
  readonly policy: CallerPolicy;
}

export const calleeOf: (entry: MeshHost, policy: CallerPolicy) => Callee = remember(
  (entry: MeshHost, policy: CallerPolicy): Callee => ({ entry, policy }),
);

/** Hosts that rules can send to, by their full name, and the port that was called. */
export interface Callable {
  readonly targets: ReadonlyMap<string, Callee>;
  readonly port: number;
}

/** Undefined when the host, or its port, does not exist any more. */
export function calleeAt(
  target: Target,
  { targets, port }: Callable,
): (Callee & { readonly port: ServicePort }) | undefined {
  const callee = targets.get(target.host);
  const found = callee && targetPort(target, callee.entry, port);
  return callee && found && { ...callee, port: found };
}

/** Sorted by subset. A subset with the name of a version stands for it: they select the same, and the subset may have a policy. */
export const selectionsOf: (facts: HostFacts, rules: CallerPolicy) => readonly EndpointSelection[] = remember(
  (facts: HostFacts, { policy, subsets }: CallerPolicy): readonly EndpointSelection[] => {
    const found = new Map<string, EndpointSelection>();
    for (const { version } of facts.versions)
      found.set(version, versionSelection(facts.entry.identity, version, policy));
    for (const subset of subsets) {
      const versions = versionsOfSubset(facts, subset);
      const only = versions.length === 1 ? versions[0] : undefined;
      found.set(subset.name, subsetSelection(subset, policy, only ?? ''));
    }
    const sorted = [...found.values()].toSorted(byText(({ subset }) => subset));
    return sameList([plainSelection(facts.entry.identity, policy), ...sorted]);
  },
);

const plainSelection = remember(
  (_owner: HostIdentity, policy: TrafficPolicy | undefined): EndpointSelection => ({
    subset: '',
    by: { kind: 'plain' },
    policy,
    subsetPolicy: undefined,
    version: '',
  }),
);

const versionSelection = remember(
  (_owner: HostIdentity, version: string, policy: TrafficPolicy | undefined): EndpointSelection => ({
    subset: version,
    by: { kind: 'version' },
    policy,
    subsetPolicy: undefined,
    version,
  }),
);

const subsetSelection = remember(
  (subset: Subset, policy: TrafficPolicy | undefined, version: string): EndpointSelection => ({
    subset: subset.name,
    by: { kind: 'labels', labels: subset.labels },
    policy,
    subsetPolicy: subset.trafficPolicy,
    version,
  }),
);

function versionsOfSubset(facts: HostFacts, subset: Subset): readonly string[] {
  return facts.versions.filter((known) => selects(subset.labels, known.labels)).map((known) => known.version);
}

/** The versions that a destination can reach, for `overlay.ts`. */
export function versionsOf(facts: HostFacts, rules: CallerPolicy, selection: Selection): readonly string[] {
  switch (selection.kind) {
    case 'plain':
      return facts.stable === undefined ? facts.versions.map((known) => known.version) : [facts.stable];
    case 'version':
      return [selection.version];
    case 'subset': {
      const subset = rules.subsets.find((candidate) => candidate.name === selection.subset);
      if (subset !== undefined) return versionsOfSubset(facts, subset);
      return facts.versions.some((known) => known.version === selection.subset) ? [selection.subset] : [];
    }
  }
}

export function subsetNameOf(selection: Selection): string {
  switch (selection.kind) {
    case 'plain':
      return '';
    case 'version':
      return selection.version;
    case 'subset':
      return selection.subset;
  }
}

/** Port of a destination: the one it names, else the target's only one, else the one that the caller named, else the default. */
export function targetPort(target: Target, entry: MeshHost, calledPort: number): ServicePort | undefined {
  const { ports } = entry;
  if (target.port !== undefined) return ports.find((port) => port.port === target.port);
  if (ports.length === 1) return ports[0];
  return ports.find((port) => port.port === calledPort) ?? entry.defaultPort;
}

export function clusterNameOf({ host }: HostIdentity, port: ServicePort, subset: string): string {
  return outboundClusterName(port.port, subset, host);
}
