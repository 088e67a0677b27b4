import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { labelsOfVersion, selects } from '../model/labels.js';
import { suggestion } from '../model/suggestion.js';
import { versionsOfService } from '../model/version.js';
import { unreadTls } from './client-tls.js';
import { type DestinationRuleSpec, destinationRuleSchema, type TrafficPolicy } from './destination-rule-shape.js';
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
  const blocks = blocksIn(definition.spec);
  for (const [path, block] of blocks) checkBlock(path, block, report);
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
  for (const [path, { loadBalancer }] of blocks) {
    if (loadBalancer?.simple !== 'PASSTHROUGH') continue;
    report({
      code: 'MESH1017',
      path: [...path, 'loadBalancer', 'simple'],
      message: `PASSTHROUGH goes to the host that the caller names, which of ${service.name} is no address`,
      hint: 'leave it out, or write LEAST_REQUEST; it is for hosts of ServiceEntries',
    });
  }
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

type Block = Pick<TrafficPolicy, 'loadBalancer' | 'tls'>;
type Path = readonly (string | number)[];

/** What is said for all ports and for single ones, of the host and of subsets, and where it stands. */
function blocksIn({ trafficPolicy, subsets }: DestinationRuleSpec): readonly (readonly [Path, Block])[] {
  const policies: readonly (readonly [Path, TrafficPolicy | undefined])[] = [
    [['spec', 'trafficPolicy'], trafficPolicy],
    ...subsets.map((subset, i) => [['spec', 'subsets', i, 'trafficPolicy'], subset.trafficPolicy] as const),
  ];
  return policies.flatMap(([path, policy]) => {
    if (policy === undefined) return [];
    const ofPorts = policy.portLevelSettings ?? [];
    return [
      [path, policy] as const,
      ...ofPorts.map((settings, i) => [[...path, 'portLevelSettings', i], settings] as const),
    ];
  });
}

function checkBlock(path: Path, { loadBalancer, tls }: Block, report: Report): void {
  const unread = tls && unreadTls(tls);
  if (unread !== undefined) {
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: [...path, 'tls', 'insecureSkipVerify'],
      message: unread,
      hint: 'leave it out',
    });
  }
  // Envoy's other algorithms know no slow start.
  const { simple, consistentHash, warmup, warmupDurationSecs } = loadBalancer ?? {};
  const isWarmed = warmup !== undefined || warmupDurationSecs !== undefined;
  if (!isWarmed || (consistentHash === undefined && simple !== 'RANDOM' && simple !== 'PASSTHROUGH')) return;
  report({
    code: 'MESH1005',
    severity: 'warning',
    path: [...path, 'loadBalancer', warmup === undefined ? 'warmupDurationSecs' : 'warmup'],
    message: `${consistentHash === undefined ? simple : 'consistentHash'} gives every instance its share at once: nobody warms up`,
    hint: 'write simple: LEAST_REQUEST or ROUND_ROBIN, or leave it out',
  });
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
