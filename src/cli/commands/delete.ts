import type { DeleteRequest } from '../../model/api.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { withSource } from '../failure.js';
import { readSources, sourceText } from '../input.js';
import { kindOf } from '../kind-words.js';
import { writeAnswer } from '../output/answer.js';
import { formatChanges, hasChanges } from '../output/changes.js';
import { counted } from '../output/count.js';
import { patiently } from '../patience.js';
import { confirm, type Session } from '../session.js';
import { dryRunOption, messageOption, recursiveOption } from '../shared-options.js';

interface Options {
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details: 'Removes definitions. What runs keeps running until the next deploy; routes cease to hold at once.',
  examples: [
    { line: 'mesh delete route reviews', what: 'one object' },
    { line: 'mesh delete -f world.yaml -y', what: 'all that a file defines, without a question' },
    { line: 'mesh delete service old --dry-run', what: 'see who still refers to it' },
  ],
  arguments: [
    { syntax: '[kind]', description: 'a kind, its plural or its short name', completes: 'kinds' },
    { syntax: '[names...]', description: 'one or more', completes: 'names' },
  ],
  options: [
    { flags: '-f, --file <path...>', description: 'delete what these files define' },
    recursiveOption,
    dryRunOption,
    messageOption,
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [word, ...names], options) {
    const { request, source, typed } = await requestOf(session, word, names, options);
    const api = await session.api();
    const send = (dryRun: boolean): ReturnType<typeof api.delete> =>
      withSource(patiently(session, 'deleting', api.delete({ ...request, dryRun })), source, {
        outcome: 'nothing deleted',
        next: '',
      });
    const preview = await send(true);
    if (options.dryRun !== true && hasChanges(preview)) {
      if (!session.settings.yes) session.io.stderr.write(formatChanges(preview.changes, session.errorStyle));
      await confirm(session, `Delete ${counted(preview.changes.length, 'definition')}?`, `mesh delete ${typed}`);
    }
    const response = options.dryRun === true ? preview : await send(false);
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'DeleteResult', dryRun: options.dryRun === true, ...response },
      names: response.changes.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`),
      text: formatChanges(response.changes, session.style),
    });
    if (options.dryRun === true) session.say('Nothing was deleted.');
    else session.say(`Revision ${response.revision}. Back: mesh rollback ${response.revision - 1}`);
  },
});

async function requestOf(
  session: Session,
  word: string | undefined,
  names: readonly string[],
  options: Options,
): Promise<{ request: DeleteRequest; source: (file: string) => string | undefined; typed: string }> {
  const base = { ...session.author(options.message), namespace: session.settings.namespace };
  if (options.file !== undefined && word === undefined) {
    const files = await readSources(options.file, { recursive: options.recursive ?? false }, session.io);
    return { request: { ...base, files }, source: sourceText(files), typed: `-f ${options.file.join(' ')}` };
  }
  if (word === undefined || names.length === 0 || options.file !== undefined) {
    throw new MeshError('MESH2007', 'say what to delete: KIND NAME, or -f FILE', {
      hint: 'such as: mesh delete route reviews',
    });
  }
  const { kind, namespaced } = await kindOf(word);
  const namespace = namespaced ? { namespace: session.settings.namespace } : {};
  return {
    request: { ...base, objects: names.map((name) => ({ kind, ...namespace, name })) },
    source: () => undefined,
    typed: `${word} ${names.join(' ')}`,
  };
}
