/** The subsets that a route may name. */
import type { DefinitionView } from '../model/definition.js';
import { versionsOfService } from '../model/version.js';
import { destinationRuleKind } from './destination-rule.js';
import type { DestinationRuleSpec } from './destination-rule-shape.js';
import { rootNamespaceOf, wildcardCovers } from './host.js';
import { type KnownHost, naming } from './known-host.js';

/** Names that a route may use as a subset of a host: versions, and subsets of the DestinationRules that callers can see. */
export function subsetNames(view: DefinitionView, known: KnownHost, ruleNamespace: string): readonly string[] {
  const { host, name, namespace, service } = known;
  const versions = service === undefined ? [] : versionsOfService(view, namespace, name);
  const visible = [ruleNamespace, namespace, rootNamespaceOf(view)];
  const { exact, wildcards } = naming(view, destinationRuleKind, hostOf);
  const covering = wildcards.filter((wildcard) => wildcardCovers(wildcard.host, host));
  const subsets = [...(exact.get(host) ?? []), ...covering.map(({ definition }) => definition)]
    .filter((rule) => visible.includes(rule.namespace as string)) // the kind is namespaced
    .flatMap((rule) => rule.spec.subsets.map((subset) => subset.name));
  return [...new Set([...versions.map((version) => version.spec.version), ...subsets])].toSorted();
}

function hostOf({ host }: DestinationRuleSpec): readonly string[] {
  return [host];
}
