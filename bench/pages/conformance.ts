/** docs/reference/conformance.md, of what the last `npm run conformance -- --keep` left in bench/results/conformance.json. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

interface Case {
  readonly name: string;
  readonly passed: boolean;
  readonly deviations: readonly string[];
}

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly Case[];
  readonly at: string;
}

const NOTE =
  '<!-- Made by `npm run docs` from bench/results. Run `npm run conformance -- --keep`, do not change this page. -->\n';

export function conformancePage(): string {
  const file = path.resolve(import.meta.dirname, '../results/conformance.json');
  const { passed, failed, cases, at } = JSON.parse(readFileSync(file, 'utf8')) as Result; // as the runner writes it
  const deviating = cases.filter((one) => one.passed && one.deviations.length > 0);
  const missed = cases.filter((one) => !one.passed);
  return `${NOTE}# Conformance with Istio

What a real Istio did with ${cases.length} sets of rules, asked of our pilot and an unmodified Envoy ([how](../how-to/conformance.md)). On ${at.slice(0, 10)}: **${passed} passed, ${failed} failed**;
of those that passed, ${deviating.length} have a request that is answered differently on purpose, just as it is written down here.

## Different on purpose

| case | how |
| --- | --- |
${deviating.map(({ name, deviations }) => `| \`${name}\` | ${[...new Set(deviations)].join(' ')} |\n`).join('')}
${missed.length === 0 ? '' : `## Failed\n\n${missed.map(({ name }) => `\`${name}\``).join(', ')}\n\n`}## All cases

${[...groupsOf(cases)].map(([group, names]) => `* **${group}** (${names.length}): ${names.join(', ')}\n`).join('')}`;
}

const titles: Readonly<Record<string, string>> = {
  base: 'the mesh without rules',
  bookinfo: "Istio's book shop",
  in: 'the inbound side',
  sem: 'semantics, one by one',
  traffic: "Istio's integration tests",
};

function groupsOf(cases: readonly Case[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { name } of cases) {
    const [prefix = ''] = name.split('-');
    const group = titles[prefix] ?? prefix;
    groups.set(group, [...(groups.get(group) ?? []), name.slice(prefix.length + 1) || name]);
  }
  return groups;
}
