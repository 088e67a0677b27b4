/** The DestinationRule's word on what a rule sends to. */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { type Callable, calleeAt, subsetNameOf } from './envoy-clusters.js';
import type { Target } from './policy.js';
import { policyAt } from './policy-levels.js';

/** Of the Envoy cluster that the target means. */
export function targetPolicy(target: Target, place: Callable): TrafficPolicy | undefined {
  const callee = calleeAt(target, place);
  if (callee === undefined) return undefined;
  const { policy, subsets } = callee.policy;
  const subset = subsets.find(({ name }) => name === subsetNameOf(target.selection));
  return policyAt(policy, subset?.trafficPolicy, callee.port.port);
}
