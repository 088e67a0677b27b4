import type { DefinitionItem, List } from '../../model/api.js';
import type { AnyKind } from '../../model/kind.js';
import { parseStored } from '../../model/parse.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { fetchDefinitions } from '../definitions.js';
import { listInstances } from '../instance-list.js';
import { kindOf } from '../kind-words.js';
import type { Answer } from '../output/answer.js';
import { formatTable } from '../output/table.js';
import { age } from '../output/time.js';
import { writeOrWatch } from '../output/watch.js';
import type { Session } from '../session.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh get services', what: 'those of the namespace' },
    { line: 'mesh get routes -A -o wide', what: 'of every namespace, with more columns' },
    { line: 'mesh get service reviews -o yaml', what: 'as it was written, ready to be applied again' },
    { line: 'mesh get versions -l team=shop -w', what: 'by label, and stay' },
  ],
  arguments: [
    {
      syntax: '<kind>',
      description: 'a kind, its plural or its short name (`mesh kinds`), or `instances`',
      completes: 'kinds',
    },
    { syntax: '[names...]', description: 'only these', completes: 'names' },
  ],
  takes: ['namespace', 'allNamespaces', 'selector', 'watch'],
  output: ['table', 'wide', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [word = '', ...names]) {
    if (INSTANCE_WORDS.has(word.toLowerCase())) return getInstances(session, names);
    const kind = await kindOf(word);
    await writeOrWatch(session, async () =>
      answerOf(session, kind, await fetchDefinitions(session, kind, names), names),
    );
  },
});

/** Instances are observed, not defined, so they are no kind; but who looks for them looks here too. */
const INSTANCE_WORDS = new Set(['instance', 'instances']);

async function getInstances(session: Session, names: readonly string[]): Promise<void> {
  if (session.settings.selector !== undefined) {
    throw new MeshError('MESH2007', 'instances are not selected by labels', {
      hint: 'by service or node: mesh ps SERVICE --node NODE',
    });
  }
  await listInstances(session, { names });
}

function answerOf(session: Session, kind: AnyKind, list: List<DefinitionItem>, names: readonly string[]): Answer {
  const documents = list.items.map((item) => item.document);
  // One object that was asked for by its name is that object; everything else is a list.
  const single = names.length === 1 && documents.length === 1;
  if (list.items.length === 0) session.say(`No ${kind.plural}${scope(session, kind)}.`);
  for (const { name, problems } of list.items) {
    if (problems.length > 0) session.say(`${name} has problems: mesh describe ${kind.kind.toLowerCase()} ${name}`);
  }
  return {
    value: single ? documents[0] : { ...list, kind: `${kind.kind}List`, items: documents },
    documents,
    names: list.items.map((item) => `${kind.kind.toLowerCase()}/${item.name}`),
    text: list.items.length === 0 ? '' : tableOf(session, kind, list.items),
  };
}

function scope(session: Session, kind: AnyKind): string {
  if (!kind.namespaced || session.settings.allNamespaces) return '';
  return ` in namespace ${session.settings.namespace}`;
}

function tableOf(session: Session, kind: AnyKind, items: readonly DefinitionItem[]): string {
  const wide = session.settings.output === 'wide';
  const columns = kind.columns.filter((column) => wide || column.wide !== true);
  const showsNamespace = kind.namespaced && session.settings.allNamespaces;
  const showsEffective = items.some(({ effective }) => effective !== undefined);
  const header = [
    ...(showsNamespace ? ['NAMESPACE'] : []),
    'NAME',
    ...columns.map((column) => column.header),
    ...(showsEffective ? ['EFFECTIVE'] : []),
    ...(wide ? ['REVISION'] : []),
    'AGE',
  ];
  const now = session.io.clock.now();
  const rows = items.map((item) => [
    ...(showsNamespace ? [item.namespace ?? ''] : []),
    item.name,
    ...cells(kind, item, columns),
    ...(showsEffective ? [item.effective ?? '-'] : []),
    ...(wide ? [String(item.revision)] : []),
    age(item.at, now),
  ]);
  return formatTable(header, rows);
}

/** A document that no longer fits this version's schema is still listed, without what cannot be read. */
function cells(kind: AnyKind, item: DefinitionItem, columns: AnyKind['columns']): string[] {
  const definition = parseStored(item.document, [kind]);
  return columns.map((column) => (definition === undefined ? '?' : column.value(definition)));
}
