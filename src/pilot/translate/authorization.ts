/** AuthorizationPolicies of a proxy as filters at its door (reference: 1.10). */
import { isDryRun } from '../../dsl/authorization-policy.js';
import type { AuthorizationPolicySpec } from '../../dsl/authorization-policy-shape.js';
import { selectsInstance } from '../../dsl/selector.js';
import type { Definition } from '../../model/definition.js';
import { type ExtensionProvider, findProvider } from '../../model/extension-provider.js';
import { any } from '../../xds/envoy-any.js';
import type { FilterJson, HttpFilterJson, RbacPolicyJson, RbacRulesJson } from '../../xds/envoy-json.js';
import { type RuleScene, rbacPolicy } from './authorization-rule.js';
import { askAboutConnections, askAboutRequests, judged, SHADOW_PREFIX } from './external-authorizer.js';
import { remember, sameContent, sameList } from './remember.js';
import type { Caller } from './rules.js';

export type AuthorizationPolicy = Definition<AuthorizationPolicySpec>;
type Policies = readonly AuthorizationPolicy[];

/** Filters in the order in which they ask. */
export interface Guards {
  readonly http: readonly HttpFilterJson[];
  /** Of connections whose bytes are passed on as they are. */
  readonly network: readonly FilterJson[];
}

/** Equal filters are the same object, whatever policies they come from. */
function guardsOf(http: Guards['http'], network: Guards['network']): Guards {
  return { http: sameList(http.map(sameContent)), network: sameList(network.map(sameContent)) };
}

/** What is the same for all rules of one instance. */
export type DoorScene = Pick<RuleScene, 'trustDomains' | 'boundPorts'>;

/** All that select the instance: they add up. */
export const policiesFor: (all: Policies, instance: Caller, rootNamespace: string) => Policies = remember(
  (all: Policies, instance: Caller, rootNamespace: string): Policies =>
    sameList(all.filter((one) => selectsInstance(one, instance, rootNamespace))),
);

/** What they say themselves. AUDIT notes, DENY refuses, and where there is any ALLOW, it lets nothing else in. */
export const ruleGuards: (policies: Policies, scene: DoorScene) => Guards = remember(
  (policies: Policies, scene: DoorScene): Guards => {
    const filters = (layer: Layer): readonly RbacJson[] =>
      (['AUDIT', 'DENY', 'ALLOW'] as const).flatMap((action) => {
        const own = policies.filter(({ spec }) => spec.action === action);
        const [tried, enforced] = [own.filter(isDryRun), own.filter((policy) => !isDryRun(policy))];
        if (own.length === 0) return [];
        const rulesOf = (some: Policies): RbacRulesJson => rbacRules(some, action, { ...scene, layer }, ruleName);
        return [
          {
            ...(enforced.length === 0 ? {} : { rules: rulesOf(enforced) }),
            ...(tried.length === 0
              ? {}
              : { shadowRules: rulesOf(tried), shadowRulesStatPrefix: `istio_dry_run_${action.toLowerCase()}_` }),
          },
        ];
      });
    return guardsOf(filters('http').map(httpRbac), filters('tcp').map(networkRbac));
  },
);

/** By the name of a provider: the Envoy cluster of the service that it asks. */
export type ClusterNames = Readonly<Record<string, string>>;

/** Providers that CUSTOM policies name, sorted. */
export function judgesOf(policies: Policies): readonly string[] {
  const names = policies.flatMap(({ spec }) => (spec.action === 'CUSTOM' ? (spec.provider?.name ?? []) : []));
  return [...new Set(names)].toSorted();
}

/** A filter that only looks which rules hold, and one that asks when one does. Who cannot be asked refuses what it should judge. */
export const customGuards: (
  policies: Policies,
  scene: DoorScene,
  providers: readonly ExtensionProvider[],
  clusters: ClusterNames,
) => Guards = remember(
  (policies: Policies, scene: DoorScene, providers: readonly ExtensionProvider[], clusters: ClusterNames): Guards => {
    const all = judgesOf(policies).map((name): Guards => {
      const own = policies.filter(({ spec }) => spec.action === 'CUSTOM' && spec.provider?.name === name);
      const rules = (layer: Layer, ending = ''): RbacRulesJson =>
        rbacRules(own, 'DENY', { ...scene, layer }, (policy, i) => judged(name, ruleName(policy, i)) + ending);
      const [provider, cluster] = [findProvider(providers, name), clusters[name]];
      if (provider === undefined || cluster === undefined)
        return {
          http: [httpRbac({ rules: rules('http', UNASKED) })],
          network: [networkRbac({ rules: rules('tcp', UNASKED) })],
        };
      const shadow = (layer: Layer): RbacJson => ({
        shadowRules: rules(layer),
        shadowRulesStatPrefix: SHADOW_PREFIX,
      });
      const [request, connection] = [askAboutRequests(provider, cluster), askAboutConnections(provider, cluster)];
      return {
        http: request === undefined ? [] : [httpRbac(shadow('http')), request],
        network: connection === undefined ? [] : [networkRbac(shadow('tcp')), connection],
      };
    });
    return guardsOf(
      all.flatMap(({ http }) => http),
      all.flatMap(({ network }) => network),
    );
  },
);

const UNASKED = '-deny-due-to-bad-CUSTOM-action';

type Layer = RuleScene['layer'];

interface RbacJson {
  readonly rules?: RbacRulesJson;
  readonly shadowRules?: RbacRulesJson;
  readonly shadowRulesStatPrefix?: string;
}

const envoyActions = { AUDIT: 'LOG', DENY: 'DENY', ALLOW: 'ALLOW' } as const;

function rbacRules(
  policies: Policies,
  action: keyof typeof envoyActions,
  scene: Omit<RuleScene, 'namespace' | 'isAllow'>,
  nameOf: (policy: AuthorizationPolicy, rule: number) => string,
): RbacRulesJson {
  const named = policies.flatMap((policy) => {
    const own = { ...scene, namespace: policy.namespace as string, isAllow: action === 'ALLOW' }; // the kind is namespaced
    if (policy.spec.rules.length === 0) return [[nameOf(policy, 0), never] as const];
    return policy.spec.rules.flatMap((rule, i) => {
      const made = rbacPolicy(rule, own);
      return made === undefined ? [] : [[nameOf(policy, i), made] as const];
    });
  });
  return { action: envoyActions[action], policies: Object.fromEntries(named) };
}

const never: RbacPolicyJson = {
  permissions: [{ notRule: { any: true } }],
  principals: [{ notId: { any: true } }],
};

/** Access logs say it of requests that are refused. */
function ruleName({ namespace, name }: AuthorizationPolicy, rule: number): string {
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

function httpRbac(rbac: RbacJson): HttpFilterJson {
  return {
    name: 'envoy.filters.http.rbac',
    typedConfig: any('envoy.extensions.filters.http.rbac.v3.RBAC', rbac),
  };
}

function networkRbac(rbac: RbacJson): FilterJson {
  return {
    name: 'envoy.filters.network.rbac',
    typedConfig: any('envoy.extensions.filters.network.rbac.v3.RBAC', { ...rbac, statPrefix: 'tcp.' }),
  };
}
