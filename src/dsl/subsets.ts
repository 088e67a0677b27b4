/** The subsets that a route may name. */
import type { Definition, DefinitionView } from '../model/definition.js';
import type { ServiceSpec } from '../model/service-shape.js';
import { versionKind } from '../model/version.js';
import { destinationRuleKind } from './destination-rule.js';
import type { DestinationRuleSpec } from './destination-rule-shape.js';
import { closeness, domainOf, rootNamespaceOf } from './host.js';

/** Names that a route may use as a subset of a service: versions, and subsets of the DestinationRules that callers can see. */
export function subsetNames(
  view: DefinitionView,
  service: Definition<ServiceSpec>,
  ruleNamespace: string,
): readonly string[] {
  const versions = view
    .all(versionKind)
    .filter((version) => version.namespace === service.namespace && version.spec.service === service.name)
    .map((version) => version.spec.version);
  const domain = domainOf(view);
  const name = { namespace: service.namespace as string, service: service.name };
  const visible = [ruleNamespace, name.namespace, rootNamespaceOf(view)];
  const subsets = rulesFor(view.all(destinationRuleKind), name, domain)
    .filter((rule) => visible.includes(rule.namespace as string))
    .flatMap((rule) => rule.spec.subsets.map((subset) => subset.name));
  return [...new Set([...versions, ...subsets])].toSorted();
}

function rulesFor(
  rules: readonly Definition<DestinationRuleSpec>[],
  service: { namespace: string; service: string },
  domain: string,
): readonly Definition<DestinationRuleSpec>[] {
  return rules.filter((rule) => closeness(rule.spec.host, rule.namespace as string, service, domain) > 0);
}
