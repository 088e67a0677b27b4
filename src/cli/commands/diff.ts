import { defineCommand } from '../command.js';
import { withSource } from '../failure.js';
import { readSources, sourceText } from '../input.js';
import { writeAnswer } from '../output/answer.js';
import { formatDiff, hasChanges } from '../output/changes.js';
import { filesOption, recursiveOption } from '../shared-options.js';

interface Options {
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly exitCode?: boolean;
}

export const command = defineCommand<Options>({
  examples: [
    { line: 'mesh diff -f world.yaml', what: 'what is stored against what the file says' },
    { line: 'mesh diff -f . -R --exit-code', what: 'exit 10 when they differ, for scripts' },
  ],
  options: [filesOption, recursiveOption, { flags: '--exit-code', description: 'exit 10 when there are differences' }],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, _args, options) {
    const files = await readSources(options.file ?? [], { recursive: options.recursive ?? false }, session.io);
    const api = await session.api();
    const request = api.apply({
      ...session.author(undefined),
      files,
      namespace: session.settings.namespace,
      dryRun: true,
    });
    const response = await withSource(request, sourceText(files), { outcome: 'nothing compared', next: '' });
    const changes = response.changes.filter(({ action }) => action !== 'unchanged');
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'DiffResult', revision: response.revision, changes },
      names: changes.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`),
      text: formatDiff(changes, session.style),
    });
    if (!hasChanges(response)) session.say('No differences.');
    return hasChanges(response) && options.exitCode === true ? 10 : 0;
  },
});
