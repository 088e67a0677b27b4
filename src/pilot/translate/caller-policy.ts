/** The DestinationRules that hold for the callers of one namespace, merged as Istio merges them (reference: 1.2 "Merging"). */
import type { Subset, TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { isExportedTo } from '../../dsl/fields.js';
import { byText } from '../../model/order.js';
import type { MeshHost } from './mesh-index.js';
import { remember, sameList } from './remember.js';

export interface CallerPolicy {
  readonly policy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
}

/**
 * The first of these namespaces that has a rule for the service decides alone: the caller's (unless it is the root namespace),
 * the service's, the root. Rules of one namespace with the same host add up; the closest host wins.
 */
export const callerPolicy: (entry: MeshHost, callerNamespace: string, rootNamespace: string) => CallerPolicy = remember(
  (entry: MeshHost, callerNamespace: string, rootNamespace: string): CallerPolicy => {
    const order =
      callerNamespace === rootNamespace
        ? [entry.namespace, rootNamespace]
        : [callerNamespace, entry.namespace, rootNamespace];
    const visible = entry.destinationRules.filter(({ spec, namespace: owner = '' }) =>
      isExportedTo(spec.exportTo, owner, callerNamespace),
    );
    const namespace = order.find((candidate) => visible.some((rule) => rule.namespace === candidate));
    const inNamespace = visible.filter((rule) => rule.namespace === namespace);
    // The index has them closest first. Every spelling of an exact name is the same host.
    const isExact = inNamespace[0]?.spec.host.startsWith('*') === false;
    const closest = inNamespace.filter(({ spec }) =>
      isExact ? !spec.host.startsWith('*') : spec.host === inNamespace[0]?.spec.host,
    );
    const subsets = new Map<string, Subset>();
    for (const subset of closest.flatMap((rule) => rule.spec.subsets)) {
      if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
    }
    return {
      policy: closest.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
      subsets: sameList([...subsets.values()].toSorted(byText(({ name }) => name))),
    };
  },
);
