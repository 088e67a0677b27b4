/** What becomes of hosts that nobody knows. */
import type { SidecarSpec } from '../../dsl/sidecar-shape.js';
import type { ClusterJson, VirtualHostJson } from '../../xds/envoy-json.js';
import { defaultRule } from './compile-route.js';
import type { Callee } from './envoy-clusters.js';
import { namedByCaller } from './external-clusters.js';
import type { Rule } from './policy.js';
import { remember } from './remember.js';
import { clusterName } from './route-action.js';
import { ruleRoutes, unknownHost } from './routes.js';

/** Istio's names. */
const PASSTHROUGH = 'PassthroughCluster';
const ALLOW_ANY = 'allow_any';

/** They go to the very host and port that the caller names. */
export const passthroughCluster: ClusterJson = namedByCaller({ name: PASSTHROUGH, connectTimeout: '5s' });

const allowAny: VirtualHostJson = {
  name: ALLOW_ANY,
  domains: ['*'],
  routes: [
    {
      name: ALLOW_ANY,
      match: { connectMatcher: {} },
      route: {
        cluster: PASSTHROUGH,
        timeout: '0s',
        idleTimeout: '0s',
        upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }],
      },
    },
    { name: ALLOW_ANY, match: { prefix: '/' }, route: { cluster: PASSTHROUGH, timeout: '0s' } },
  ],
};

type Policy = SidecarSpec['outboundTrafficPolicy'];

export function isPassthrough(policy: Policy): boolean {
  return policy?.mode === 'ALLOW_ANY' && policy.egressProxy === undefined;
}

/** `proxy` is the egress proxy, as far as there is one: where it is gone, unknown hosts are unknown again. */
export function catchAllHost(policy: Policy, proxy: Callee | undefined): VirtualHostJson {
  if (isPassthrough(policy)) return allowAny;
  return policy?.egressProxy === undefined || proxy === undefined ? unknownHost : toProxy(proxy, policy.egressProxy);
}

/** CONNECT goes on as CONNECT: whom to reach is then for the proxy to say. */
const toProxy = remember(
  (callee: Callee, { subset, port }: NonNullable<NonNullable<Policy>['egressProxy']>): VirtualHostJson => {
    const base = defaultRule(callee.entry.identity);
    const target = {
      host: callee.entry.host,
      selection: subset === undefined ? ({ kind: 'plain' } as const) : ({ kind: 'subset', subset } as const),
      port: port.number,
    };
    const rule: Rule = {
      ...base,
      name: ALLOW_ANY,
      action: {
        ...base.action,
        kind: 'forward',
        destinations: [{ ...target, weight: 1, edits: undefined }],
      } as Rule['action'],
    };
    const place = {
      entry: callee.entry,
      port: port.number,
      isStreaming: false,
      targets: new Map([[target.host, callee]]),
    };
    return {
      name: ALLOW_ANY,
      domains: ['*'],
      routes: [
        {
          name: ALLOW_ANY,
          match: { connectMatcher: {} },
          route: {
            cluster: clusterName(target, place),
            timeout: '0s',
            idleTimeout: '0s',
            upgradeConfigs: [{ upgradeType: 'CONNECT' }],
          },
        },
        ...ruleRoutes(rule, place),
      ],
    };
  },
);
