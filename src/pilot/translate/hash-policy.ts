/** What a request is balanced by, where a DestinationRule wants the same caller to meet the same instance. */
import type { ConsistentHash } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs } from '../../model/fields.js';
import type { RouteAction_HashPolicyJson } from '../../xds/envoy-json.js';
import type { Callable } from './envoy-clusters.js';
import type { Target } from './policy.js';
import { targetPolicy } from './target-policy.js';

export function hashOf(target: Target, place: Callable): ConsistentHash | undefined {
  return targetPolicy(target, place)?.loadBalancer?.consistentHash;
}

/** Each once: Envoy turns a hash that is made twice into another one, and callers would move as soon as a release begins. */
export function hashPolicies(targets: readonly Target[], place: Callable): RouteAction_HashPolicyJson[] {
  const all = targets.flatMap((target) => hashOf(target, place) ?? []).map(hashPolicy);
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

function hashPolicy(hash: ConsistentHash): RouteAction_HashPolicyJson {
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
