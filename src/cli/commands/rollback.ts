import type { RollbackRequest } from '../../model/api.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { kindOf } from '../kind-words.js';
import { writeAnswer } from '../output/answer.js';
import { countChanges, formatChanges, formatDiff, hasChanges } from '../output/changes.js';
import { patiently } from '../patience.js';
import { confirm, type Session } from '../session.js';
import { messageOption } from '../shared-options.js';

interface Options {
  readonly toRevision?: string;
  readonly dryRun?: boolean;
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'Definitions only, in a new revision: nothing is lost. A gray release goes back with `mesh gray rollback SERVICE`.',
  examples: [
    { line: 'mesh rollback 41', what: 'all definitions as they were at revision 41' },
    { line: 'mesh rollback route reviews --to-revision 41', what: 'one object' },
    { line: 'mesh rollback 41 --dry-run', what: 'see what it would change' },
  ],
  arguments: [
    { syntax: '<revision-or-kind>', description: 'a revision, or the kind of the object', completes: 'kinds' },
    { syntax: '[name]', description: 'the object', completes: 'names' },
  ],
  options: [
    { flags: '--to-revision <n>', description: 'for one object: as it was then' },
    { flags: '--dry-run', description: 'show it, change nothing' },
    messageOption,
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [word = '', name], options) {
    const request = await requestOf(session, word, name, options);
    const api = await session.api();
    const preview = await api.rollback({ ...request, dryRun: true });
    if (options.dryRun !== true && hasChanges(preview)) {
      if (!session.settings.yes) session.io.stderr.write(formatDiff(preview.changes, session.errorStyle));
      const typed = name === undefined ? word : `${word} ${name} --to-revision ${options.toRevision}`;
      await confirm(session, `Change ${countChanges(preview.changes)}?`, `mesh rollback ${typed}`);
    }
    const response =
      options.dryRun === true ? preview : await patiently(session, 'rolling back', api.rollback(request));
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'RollbackResult', dryRun: options.dryRun === true, ...response },
      names: response.changes.map(({ kind, name: changed }) => `${kind.toLowerCase()}/${changed}`),
      text:
        formatChanges(response.changes, session.style) +
        (options.dryRun === true ? formatDiff(response.changes, session.style) : ''),
    });
    if (options.dryRun === true) session.say('Nothing was changed.');
    else if (!hasChanges(response)) session.say('Nothing to change: it is so already.');
    else session.say(`Revision ${response.revision}: ${countChanges(response.changes)}. Next: mesh plan`);
  },
});

async function requestOf(
  session: Session,
  word: string,
  name: string | undefined,
  options: Options,
): Promise<RollbackRequest> {
  const author = session.author(options.message);
  if (/^\d+$/.test(word) && name === undefined && options.toRevision === undefined) {
    return { ...author, toRevision: Number(word) };
  }
  if (name === undefined || options.toRevision === undefined || !/^\d+$/.test(options.toRevision)) {
    throw new MeshError('MESH2007', 'say where to go back to: REVISION, or KIND NAME --to-revision N', {
      hint: 'see `mesh history` for the revisions',
    });
  }
  const { kind, namespaced } = await kindOf(word);
  const namespace = namespaced ? { namespace: session.settings.namespace } : {};
  return { ...author, toRevision: Number(options.toRevision), object: { kind, ...namespace, name } };
}
