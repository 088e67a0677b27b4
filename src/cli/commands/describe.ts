import type { DefinitionItem } from '../../model/api.js';
import type { AnyKind } from '../../model/kind.js';
import { parseStored } from '../../model/parse.js';
import { defineCommand } from '../command.js';
import { fetchDefinition } from '../definitions.js';
import { kindOf, loadKinds } from '../kind-words.js';
import { formatYaml, writeAnswer } from '../output/answer.js';
import { formatProblems } from '../output/problems.js';
import { formatPairs, formatTable } from '../output/table.js';
import { timestamp } from '../output/time.js';
import { relatedTo } from '../related.js';
import type { Session } from '../session.js';

const RECENT = 5;

export const command = defineCommand({
  details: 'What was declared, what stands in for it, what refers to it, its problems, and who changed it last.',
  examples: [
    { line: 'mesh describe service reviews', what: 'with its versions, routes, callers and instances' },
    { line: 'mesh describe node node-a', what: 'with what runs there' },
    { line: 'mesh describe route reviews -o json', what: 'the same as data' },
  ],
  arguments: [
    { syntax: '<kind>', description: 'a kind, its plural or its short name', completes: 'kinds' },
    { syntax: '<name>', description: 'which one', completes: 'names' },
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml'],
  connects: 'api',
  async run(session, [word = '', name = '']) {
    const kind = await kindOf(word);
    const api = await session.api();
    const item = await fetchDefinition(session, kind, name);
    const namespace = item.namespace === undefined ? {} : { namespace: item.namespace };
    const history = (await api.history({ kind: kind.kind, ...namespace, name, limit: RECENT })).items;
    const related = await relatedTo(api, item, await loadKinds(), session);
    const recent = history.map(({ revision, at, by, command: verb, why }) => ({
      revision,
      at,
      by,
      command: verb,
      why,
    }));
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'Description', ...item, related: related.names, history: recent },
      text: [
        head(kind, item),
        related.text,
        problemsBlock(session, item),
        formatTable(
          ['REVISION', 'AT', 'BY', 'COMMAND', 'WHY'],
          recent.map((one) => [String(one.revision), timestamp(one.at), one.by, one.command, one.why || '-']),
        ),
        await formatYaml([{ spec: item.document.spec ?? {} }]),
      ]
        .filter((block) => block !== '')
        .join('\n'),
    });
  },
});

function head(kind: AnyKind, item: DefinitionItem): string {
  const definition = parseStored(item.document, [kind]);
  const labels = Object.entries(item.document.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return formatPairs([
    [kind.kind, item.name],
    ...(item.namespace === undefined ? [] : [['Namespace', item.namespace] as const]),
    ...(labels.length === 0 ? [] : [['Labels', labels.join(', ')] as const]),
    ...kind.columns.map((column) => [titleOf(column.header), definition ? column.value(definition) : '?'] as const),
    ...(item.effective === undefined ? [] : [['Effective', `${item.effective}, by a gray release`] as const]),
    ['Revision', `${item.revision}, ${timestamp(item.at)}`],
  ]);
}

/** `LEASE TTL` to `Lease ttl`. */
function titleOf(header: string): string {
  return header.charAt(0) + header.slice(1).toLowerCase();
}

function problemsBlock(session: Session, { problems }: DefinitionItem): string {
  return problems.length === 0 ? '' : formatProblems(problems, () => undefined, session.style);
}
