/** What a request is balanced by, where a DestinationRule wants the same caller to meet the same instance. */
import type { ConsistentHash } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs } from '../../model/fields.js';
import { fullName } from '../../model/names.js';
import type { RouteAction_HashPolicyJson } from '../../xds/envoy-json.js';
import { type Callee, subsetNameOf, targetPort } from './envoy-clusters.js';
import type { Target } from './policy.js';
import { policyAt } from './policy-levels.js';

/** Of the Envoy cluster that the target means; `port` is the one that was called. */
export function hashOf(
  target: Target,
  { targets, port }: { readonly targets: ReadonlyMap<string, Callee>; readonly port: number },
): ConsistentHash | undefined {
  const callee = targets.get(fullName(target.namespace, target.service));
  const found = callee === undefined ? undefined : targetPort(target, callee.entry, port);
  if (callee === undefined || found === undefined) return undefined;
  const { policy, subsets } = callee.policy;
  const subset = subsets.find(({ name }) => name === subsetNameOf(target.selection));
  return policyAt(policy, subset?.trafficPolicy, found.port)?.loadBalancer?.consistentHash;
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
