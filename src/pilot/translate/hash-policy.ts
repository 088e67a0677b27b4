/** What a request is balanced by, where a DestinationRule wants the same caller to meet the same instance. */
import type { ConsistentHash } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs } from '../../model/fields.js';
import type { RouteAction_HashPolicyJson } from '../../xds/envoy-json.js';
import { type Callable, calleeAt, subsetNameOf } from './envoy-clusters.js';
import type { Target } from './policy.js';
import { policyAt } from './policy-levels.js';

/** Of the Envoy cluster that the target means. */
export function hashOf(target: Target, place: Callable): ConsistentHash | undefined {
  const callee = calleeAt(target, place);
  if (callee === undefined) return undefined;
  const { policy, subsets } = callee.policy;
  const subset = subsets.find(({ name }) => name === subsetNameOf(target.selection));
  return policyAt(policy, subset?.trafficPolicy, callee.port.port)?.loadBalancer?.consistentHash;
}

export function hashPolicy(hash: ConsistentHash): RouteAction_HashPolicyJson {
  const { httpHeaderName, httpCookie, httpQueryParameterName } = hash;
  if (httpHeaderName !== undefined) return { header: { headerName: httpHeaderName } };
  if (httpQueryParameterName !== undefined) return { queryParameter: { name: httpQueryParameterName } };
  if (httpCookie === undefined) return { connectionProperties: { sourceIp: true } };
  const { name, path, ttl, attributes } = httpCookie;
  return {
    cookie: {
      name,
      ...(path === undefined ? {} : { path }),
      ...(ttl === undefined ? {} : { ttl: protoDuration(durationMs(ttl)) }),
      ...(attributes === undefined
        ? {}
        : { attributes: attributes.map(({ name: key, value }) => ({ name: key, value })) }),
    },
  };
}
