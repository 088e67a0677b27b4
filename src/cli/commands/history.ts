import type { HistoryItem } from '../../model/api.js';
import { changeAction } from '../../model/revision.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { kindOf } from '../kind-words.js';
import { writeAnswer } from '../output/answer.js';
import { formatChanges, formatDiff } from '../output/changes.js';
import { formatPairs, formatTable } from '../output/table.js';
import { timestamp } from '../output/time.js';
import type { Session } from '../session.js';

interface Options {
  readonly limit?: string;
}

const DEFAULT_LIMIT = 20;
const MAX_NAMED = 3;

export const command = defineCommand<Options>({
  details: 'Every accepted change is a numbered revision: apply, delete, rollback, deploy, gray. Newest first.',
  examples: [
    { line: 'mesh history', what: 'of the whole mesh' },
    { line: 'mesh history route reviews', what: 'of one object' },
    { line: 'mesh history 17', what: 'what revision 17 changed, line by line' },
  ],
  arguments: [
    { syntax: '[kind-or-revision]', description: 'a kind, or the number of a revision', completes: 'kinds' },
    { syntax: '[name]', description: 'the object', completes: 'names' },
  ],
  options: [{ flags: '--limit <n>', description: 'so many at most', defaultValue: String(DEFAULT_LIMIT) }],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [word, name], options) {
    if (word !== undefined && /^\d+$/.test(word)) return showRevision(session, Number(word));
    const limit = Number(options.limit);
    if (!Number.isInteger(limit) || limit < 1)
      throw new MeshError('MESH2007', `--limit "${options.limit}" is no number`);
    const list = await (await session.api()).history({ ...(await filterOf(session, word, name)), limit });
    await writeAnswer(session, {
      value: list,
      names: list.items.map(({ revision }) => String(revision)),
      text: formatTable(
        ['REVISION', 'AT', 'BY', 'COMMAND', 'CHANGED', 'WHY'],
        list.items.map((item) => [
          String(item.revision),
          timestamp(item.at),
          item.by,
          item.command,
          changedNames(item),
          item.why || '-',
        ]),
      ),
    });
  },
});

async function filterOf(
  session: Session,
  word: string | undefined,
  name: string | undefined,
): Promise<{ kind?: string; namespace?: string; name?: string }> {
  if (word === undefined) return {};
  if (word.toLowerCase() === 'release') {
    const { namespace } = session.settings;
    return { kind: 'Release', namespace, ...(name === undefined ? {} : { name }) };
  }
  const { kind, namespaced } = await kindOf(word);
  const namespace = namespaced ? { namespace: session.settings.namespace } : {};
  return name === undefined ? { kind } : { kind, ...namespace, name };
}

function changedNames({ changes }: HistoryItem): string {
  const named = changes.slice(0, MAX_NAMED).map(({ kind, name }) => `${kind}/${name}`);
  const more = changes.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(', ') || '-';
}

async function showRevision(session: Session, revision: number): Promise<void> {
  const item = await (await session.api()).revision(revision);
  const changes = item.changes.map((change) => ({ ...change, action: changeAction(change) }));
  await writeAnswer(session, {
    value: { apiVersion: 'mesh/v1', kind: 'Revision', ...item },
    names: [String(item.revision)],
    text:
      formatPairs([
        ['Revision', String(item.revision)],
        ['At', timestamp(item.at)],
        ['By', item.by],
        ['Command', item.command],
        ['Why', item.why || '-'],
      ]) +
      formatChanges(changes, session.style) +
      formatDiff(changes, session.style),
  });
}
