/** What a change of definitions did, or would do. */
import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import type { ApplyResponse, ChangeSummary, ProxyChangeGroup } from '../../model/api.js';
import { describeDefinition } from '../../model/definition.js';
import type { ChangeAction } from '../../model/revision.js';
import type { Style, Tone } from './color.js';
import { counted } from './count.js';

const tones: Readonly<Record<ChangeAction, Tone>> = {
  created: 'good',
  configured: 'warn',
  deleted: 'bad',
  unchanged: 'dim',
};

/** `Service default/reviews configured`, a line each. */
export function formatChanges(changes: readonly ChangeSummary[], style: Style): string {
  return changes
    .map((change) => `${describeDefinition(named(change))} ${style.tone(tones[change.action], change.action)}\n`)
    .join('');
}

/** `2 created, 1 configured`; empty when nothing changes. */
export function countChanges(changes: readonly ChangeSummary[]): string {
  const actions: readonly ChangeAction[] = ['created', 'configured', 'deleted'];
  return actions
    .map((action) => ({ action, n: changes.filter((change) => change.action === action).length }))
    .filter(({ n }) => n > 0)
    .map(({ action, n }) => `${n} ${action}`)
    .join(', ');
}

export function hasChanges(response: Pick<ApplyResponse, 'changes'>): boolean {
  return response.changes.some(({ action }) => action !== 'unchanged');
}

/** A unified diff of the documents as YAML. */
export function formatDiff(changes: readonly ChangeSummary[], style: Style): string {
  return changes
    .filter(({ action }) => action !== 'unchanged')
    .map((change) => colorDiff(documentDiff(change), style))
    .join('');
}

function documentDiff(change: ChangeSummary): string {
  return unifiedDiff(describeDefinition(named(change)), change);
}

/** Per group of proxies that change alike: who, and a unified diff of each Envoy resource. */
export function formatProxyChanges(groups: readonly ProxyChangeGroup[], style: Style): string {
  return groups
    .map(({ proxies, changes }) => {
      const shown = proxies.slice(0, MAX_PROXIES).join(', ');
      const more = proxies.length > MAX_PROXIES ? ` and ${proxies.length - MAX_PROXIES} more` : '';
      const head = `${counted(proxies.length, 'instance')}: ${shown}${more}\n`;
      const diffs = changes.map((change) => colorDiff(unifiedDiff(`${change.type} ${change.name}`, change), style));
      return style.tone('bold', head) + diffs.join('');
    })
    .join('\n');
}

const MAX_PROXIES = 5;

function unifiedDiff(name: string, change: { readonly before?: unknown; readonly after?: unknown }): string {
  const text = (value: unknown): string => (value === undefined ? '' : stringify(value, { lineWidth: 0 }));
  const before = change.before === undefined ? '/dev/null' : `stored ${name}`;
  const after = change.after === undefined ? '/dev/null' : `new ${name}`;
  const patch = createTwoFilesPatch(before, after, text(change.before), text(change.after), '', '', { context: 3 });
  // The first line is a ruler that tells nothing; the headers end with a tab where a date would stand.
  return patch.replace(/^=+\n/, '').replaceAll(/^((?:---|\+\+\+) .*)\t$/gm, '$1');
}

function colorDiff(patch: string, style: Style): string {
  const color = (line: string): string => {
    if (line.startsWith('---') || line.startsWith('+++')) return style.tone('bold', line);
    if (line.startsWith('-')) return style.tone('bad', line);
    if (line.startsWith('+')) return style.tone('good', line);
    return line.startsWith('@@') ? style.tone('accent', line) : line;
  };
  return patch
    .split('\n')
    .map((line) => (line === '' ? line : color(line)))
    .join('\n');
}

function named(change: ChangeSummary): { kind: string; namespace: string | undefined; name: string } {
  return { kind: change.kind, namespace: change.namespace, name: change.name };
}
