/** The subsets that a route may name. */
import type { DefinitionView } from '../model/definition.js';
import { versionKind } from '../model/version.js';
import { destinationRuleKind } from './destination-rule.js';
import { isWildcard, rootNamespaceOf, wildcardCovers } from './host.js';
import { fullHostIn, type KnownHost } from './known-host.js';

/** Names that a route may use as a subset of a host: versions, and subsets of the DestinationRules that callers can see. */
export function subsetNames(view: DefinitionView, known: KnownHost, ruleNamespace: string): readonly string[] {
  const { host, name, namespace, service } = known;
  const versions = view
    .all(versionKind)
    .filter((version) => service !== undefined && version.namespace === namespace && version.spec.service === name)
    .map((version) => version.spec.version);
  const visible = [ruleNamespace, namespace, rootNamespaceOf(view)];
  const subsets = view
    .all(destinationRuleKind)
    .filter((rule) => visible.includes(rule.namespace as string)) // the kind is namespaced
    .filter(({ spec, namespace: owner }) =>
      isWildcard(spec.host) ? wildcardCovers(spec.host, host) : fullHostIn(view, spec.host, owner as string) === host,
    )
    .flatMap((rule) => rule.spec.subsets.map((subset) => subset.name));
  return [...new Set([...versions, ...subsets])].toSorted();
}
