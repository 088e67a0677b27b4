/** The DestinationRules that hold for one caller, merged as Istio merges them (reference: 1.2 "Merging"). */
import type { DestinationRuleSpec, Subset, TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { isExportedTo } from '../../dsl/fields.js';
import type { Definition } from '../../model/definition.js';
import { type Labels, selects } from '../../model/labels.js';
import { byKey, byText } from '../../model/order.js';
import type { MeshHost } from './mesh-index.js';
import { remember, sameList } from './remember.js';

export interface CallerPolicy {
  readonly policy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
}

/** Whom policies can tell apart. */
export interface PolicyCaller {
  readonly namespace: string;
  readonly labels: Labels;
}

type Rule = Definition<DestinationRuleSpec>;

/** The same for all callers for whom the same rules hold. */
export function callerPolicy(
  entry: MeshHost,
  { namespace, labels }: PolicyCaller,
  rootNamespace: string,
): CallerPolicy {
  return merged(rulesThatHold(entry, namespace, rootNamespace, isSelective(entry) ? labels : undefined));
}

const isSelective = remember((entry: MeshHost): boolean =>
  entry.destinationRules.some(({ spec }) => spec.workloadSelector !== undefined),
);

/**
 * The first of these namespaces that has a rule for the service decides alone: the caller's (unless it is the root namespace),
 * the service's, the root. Rules of one namespace with the same host add up; the closest host wins. Rules for chosen callers hold
 * in their namespace, and there before those for all.
 */
const rulesThatHold = remember(
  (entry: MeshHost, callerNamespace: string, rootNamespace: string, labels: Labels | undefined): readonly Rule[] => {
    const order =
      callerNamespace === rootNamespace
        ? [entry.namespace, rootNamespace]
        : [callerNamespace, entry.namespace, rootNamespace];
    const visible = entry.destinationRules.filter(({ spec, namespace: owner = '' }) =>
      spec.workloadSelector === undefined
        ? isExportedTo(spec.exportTo, owner, callerNamespace)
        : owner === callerNamespace && selects(spec.workloadSelector.matchLabels, labels ?? {}),
    );
    const namespace = order.find((candidate) => visible.some((rule) => rule.namespace === candidate));
    const inNamespace = visible.filter((rule) => rule.namespace === namespace);
    // The index has them closest first. Every spelling of an exact name is the same host.
    const isExact = inNamespace[0]?.spec.host.startsWith('*') === false;
    const closest = inNamespace.filter(({ spec }) =>
      isExact ? !spec.host.startsWith('*') : spec.host === inNamespace[0]?.spec.host,
    );
    const chosen = closest.find(({ spec }) => spec.workloadSelector !== undefined);
    return sameList(closest.filter((rule) => selectorOf(rule) === (chosen && selectorOf(chosen))));
  },
);

function selectorOf({ spec: { workloadSelector } }: Rule): string | undefined {
  return workloadSelector && JSON.stringify(Object.entries(workloadSelector.matchLabels).toSorted(byKey));
}

const merged = remember((rules: readonly Rule[]): CallerPolicy => {
  const subsets = new Map<string, Subset>();
  for (const subset of rules.flatMap((rule) => rule.spec.subsets)) {
    if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  return {
    policy: rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
    subsets: sameList([...subsets.values()].toSorted(byText(({ name }) => name))),
  };
});
