import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { labelsOfVersion, selects } from '../model/labels.js';
import { suggestion } from '../model/suggestion.js';
import { versionsOfService } from '../model/version.js';
import { type DestinationRuleSpec, destinationRuleSchema } from './destination-rule-shape.js';
import { networkingVersions } from './fields.js';
import { isWildcard } from './host.js';
import { findKnownHost, hostNames } from './known-host.js';
import { destinationPolicy } from './retired-kinds.js';

export const destinationRuleKind = defineKind<DestinationRuleSpec>({
  kind: 'DestinationRule',
  plural: 'destinationrules',
  aliases: ['dr'],
  apiVersions: networkingVersions,
  formerly: [destinationPolicy],
  namespaced: true,
  summary: "Istio's kind: subsets of a service's instances, and how callers balance, limit and eject.",
  schema: destinationRuleSchema,
  columns: [
    { header: 'HOST', value: (d) => d.spec.host },
    { header: 'SUBSETS', value: (d) => d.spec.subsets.map((s) => s.name).join(',') || '-' },
  ],
  check: checkDestinationRule,
});

function checkDestinationRule(definition: Definition<DestinationRuleSpec>, view: DefinitionView, report: Report): void {
  checkSubsetNames(definition, report);
  const { host } = definition.spec;
  if (isWildcard(host)) return;
  const namespace = definition.namespace as string; // the kind is namespaced
  const known = findKnownHost(view, host, namespace);
  if (known === undefined) {
    report({
      code: 'MESH1010',
      path: ['spec', 'host'],
      message: `host "${host}" is no service`,
      hint: suggestion(host, hostNames(view, namespace)),
    });
    return;
  }
  const { service } = known;
  if (service === undefined) return;
  const versions = versionsOfService(view, service.namespace, service.name);
  for (const [i, subset] of definition.spec.subsets.entries()) {
    const selected = versions
      .filter((version) => selects(subset.labels, labelsOfVersion(version)))
      .map((v) => v.spec.version);
    if (versions.some((version) => version.spec.version === subset.name) && !isJust(selected, subset.name)) {
      report({
        code: 'MESH1005',
        path: ['spec', 'subsets', i, 'labels'],
        message: `subset "${subset.name}" has the name of a version of ${service.name}, but selects ${listed(selected)}`,
        hint: `select it with labels: { version: ${subset.name} }, or give the subset another name`,
      });
    } else if (versions.length > 0 && selected.length === 0) {
      report({
        code: 'MESH1010',
        severity: 'warning',
        path: ['spec', 'subsets', i, 'labels'],
        message: `subset "${subset.name}" selects no version of ${service.name}`,
        hint: `there is: ${versions.map((version) => version.spec.version).join(', ')}`,
      });
    }
  }
}

function checkSubsetNames({ spec }: Definition<DestinationRuleSpec>, report: Report): void {
  const seen = new Set<string>();
  for (const [i, { name }] of spec.subsets.entries()) {
    if (seen.has(name)) {
      report({
        code: 'MESH1009',
        path: ['spec', 'subsets', i, 'name'],
        message: `a second subset named "${name}"`,
        hint: 'give one of them another name',
      });
    }
    seen.add(name);
  }
}

function isJust(selected: readonly string[], version: string): boolean {
  return selected.length === 1 && selected[0] === version;
}

function listed(versions: readonly string[]): string {
  return versions.length === 0 ? 'none' : versions.join(', ');
}
