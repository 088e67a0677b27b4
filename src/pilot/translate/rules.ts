/** The rules of a service for one caller: compiled, with the releases in them, and without what other callers get. */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import type { Release } from '../../model/release.js';
import { type CallerPolicy, callerPolicy, type PolicyCaller } from './caller-policy.js';
import { type Compiled, compileRoute, defaultRule } from './compile-route.js';
import { compileVirtualService } from './compile-virtual-service.js';
import { versionsOf } from './envoy-clusters.js';
import { findHost, type HostIdentity, indexOf, type MeshHost, routedBy, type ServiceHost } from './mesh-index.js';
import { overlay, type Shift, shiftOf } from './overlay.js';
import type { CallerCondition, Rule, Rules, Target } from './policy.js';
import { remember, sameList } from './remember.js';
import { factsOf, type ServiceFacts } from './service-facts.js';

/** Who calls, as far as rules may ask. */
export interface Caller {
  readonly namespace: string;
  readonly service: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The gateway that requests come by: `mesh`, or `<ns>/<name>` of a Gateway. */
  readonly gateway: string;
}

/** As the definitions say, before any release: a VirtualService before a Route before the default. */
export function compiledRules(entry: MeshHost, callerNamespace: string, domain: string): Compiled {
  const virtualService = routedBy(entry, callerNamespace);
  if (virtualService === undefined) return ownRules(entry, domain);
  const compiled = compileVirtualService(virtualService);
  // One that speaks of connections only says nothing about requests.
  const isSilent = entry.kind !== 'routed' && !compiled.rules.some(({ layer }) => layer === 'http');
  return isSilent ? withDefault(compiled, entry.identity) : compiled;
}

const withDefault = remember(
  ({ rules, problems }: Compiled, host: HostIdentity): Compiled => ({ rules: [...rules, defaultRule(host)], problems }),
);

const ownRules: (entry: MeshHost, domain: string) => Compiled = remember(
  (entry: MeshHost, domain: string): Compiled => {
    const fallback = defaultRule(entry.identity);
    if (entry.kind !== 'service' || entry.route === undefined) return { rules: [fallback], problems: [] };
    const { rules, problems } = compileRoute(entry.route, domain);
    // What no rule of a Route takes goes to the stable version; a VirtualService answers 404 there, as Istio does.
    return { rules: [...rules, fallback], problems };
  },
);

/** With every release that touches a destination in them. */
export function effectiveRules(snapshot: MeshSnapshot, entry: MeshHost, caller: PolicyCaller): Rules {
  const { domain } = indexOf(snapshot.definitions);
  return withReleases(snapshot, compiledRules(entry, caller.namespace, domain).rules, caller);
}

export function withReleases(snapshot: MeshSnapshot, compiled: Rules, caller: PolicyCaller): Rules {
  const index = indexOf(snapshot.definitions);
  let rules = compiled;
  for (const host of targetHosts(rules)) {
    const key = findHost(index, host, caller.namespace)?.key ?? '';
    const release = snapshot.releases.get(key);
    const facts = release && factsOf(snapshot, key);
    const shift = facts && shiftFor(release, facts.entry);
    if (facts === undefined || shift === undefined) continue;
    rules = overlaid(rules, shift, facts, callerPolicy(facts.entry, caller, index.rootNamespace));
  }
  return rules;
}

const shiftFor = remember((release: Release, { spec, host }: ServiceHost): Shift | undefined =>
  shiftOf(spec, host, release),
);

const overlaid = remember(
  (rules: Rules, shift: Shift, facts: ServiceFacts, policy: CallerPolicy): Rules =>
    overlay(rules, shift, (selection) => versionsOf(facts, policy, selection)),
);

/** Hosts that the rules send requests to, mirrors included; sorted. */
export const targetHosts: (rules: Rules) => readonly string[] = remember((rules: Rules): readonly string[] =>
  [...new Set(rules.flatMap(targetsOf).map(({ host }) => host))].toSorted(),
);

export function targetsOf(rule: Rule): readonly Target[] {
  if (rule.action.kind !== 'forward') return [];
  return [...rule.action.destinations, ...rule.action.mirrors.map((mirror) => mirror.target)];
}

/** Without the rules that are for other callers or other ports. */
export function rulesFor(rules: Rules, caller: Caller, port: number): Rules {
  return sameList(
    rules.flatMap((rule) => {
      const kept = rule.matches.filter((match) => isCaller(match.caller, caller) && (match.port ?? port) === port);
      if (kept.length === rule.matches.length) return [rule];
      return kept.length === 0 ? [] : [withMatches(rule, sameList(kept))];
    }),
  );
}

const withMatches = remember((rule: Rule, matches: Rule['matches']): Rule => ({ ...rule, matches }));

export function isCaller(condition: CallerCondition | undefined, caller: Caller): boolean {
  if (condition === undefined) return true;
  const { services, clusters, labels, namespace, gateways } = condition;
  return (
    (gateways === undefined || gateways.includes(caller.gateway)) &&
    (services === undefined || services.includes(fullName(caller.namespace, caller.service))) &&
    (clusters === undefined || clusters.includes(caller.cluster)) &&
    (namespace === undefined || namespace === caller.namespace) &&
    Object.entries(labels ?? {}).every(([key, value]) => caller.labels[key] === value)
  );
}
