/** What a release would move: every destination of its service, in whichever service's rules it stands. Pure. */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import type { Release } from '../../model/release.js';
import { callerPolicy } from '../translate/caller-policy.js';
import { compileVirtualService } from '../translate/compile-virtual-service.js';
import { versionsOf } from '../translate/envoy-clusters.js';
import { type OverlayFinding, overlayFindings } from '../translate/index.js';
import { indexOf, visibleHosts } from '../translate/mesh-index.js';
import type { Rules } from '../translate/policy.js';
import { compiledRules, targetHosts } from '../translate/rules.js';
import { factsOf } from '../translate/service-facts.js';

/** As callers of the service's own namespace meet it, and clients of the edge. */
export function releaseFindings(
  snapshot: MeshSnapshot,
  { namespace, service, stable, gray }: Pick<Release, 'namespace' | 'service' | 'stable' | 'gray'>,
): readonly OverlayFinding[] {
  const facts = factsOf(snapshot, fullName(namespace, service));
  if (facts === undefined) return [];
  const index = indexOf(snapshot.definitions);
  const { services, atGateways, domain, rootNamespace } = index;
  const policy = callerPolicy(facts.entry, { namespace, labels: {} }, rootNamespace);
  const { host } = facts.entry;
  const shift = { host, from: stable, to: gray };
  const hosts = [...services.values(), ...visibleHosts(index, namespace)];
  const inMesh = hosts.map((entry) => compiledRules(entry, namespace, domain).rules);
  const atEdge = atGateways.map((routed) => compileVirtualService(routed).rules);
  // A VirtualService may hold in both places.
  return [...new Set([...inMesh, ...atEdge])].flatMap((compiled) => {
    const rules = reachableRules(compiled);
    if (!targetHosts(rules).includes(host)) return [];
    return overlayFindings(rules, shift, (selection) => versionsOf(facts, policy, selection));
  });
}

/** Behind a rule that takes every request stands nothing that a request could meet. */
function reachableRules(rules: Rules): Rules {
  const taken = new Set<string>();
  return rules.filter(({ layer, matches }) => {
    if (taken.has(layer)) return false;
    if (matches.length === 0) taken.add(layer);
    return true;
  });
}
