import { type Definition, describeDefinition } from '../../model/definition.js';
import { hasErrors, type Problem, sortProblems } from '../../model/problem.js';
import { validateFiles } from '../../model/validate.js';
import { defineCommand } from '../command.js';
import { InvalidInput } from '../failure.js';
import { readSources, sourceText } from '../input.js';
import { loadKinds } from '../kind-words.js';
import { writeAnswer } from '../output/answer.js';
import { counted } from '../output/count.js';
import { formatProblems } from '../output/problems.js';
import { filesOption, recursiveOption } from '../shared-options.js';

interface Options {
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly strict?: boolean;
}

export const command = defineCommand<Options>({
  details:
    'Schema and cross references among the given files. References to what only the mesh knows count as missing.',
  examples: [
    { line: 'mesh validate -f world.yaml', what: 'one file' },
    { line: 'mesh validate -f . -R --strict', what: 'a whole repository; warnings fail as well' },
    { line: 'cat world.yaml | mesh validate -f -', what: 'from a pipe' },
  ],
  options: [filesOption, recursiveOption, { flags: '--strict', description: 'fail on warnings as well' }],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  async run(session, _args, options) {
    const files = await readSources(options.file ?? [], { recursive: options.recursive ?? false }, session.io);
    const { namespace } = session.settings;
    const { definitions, problems: found } = validateFiles(files, await loadKinds(), new Map(), { namespace });
    const problems = sortProblems([...found, ...(await valueProblems(definitions))]);
    if (hasErrors(problems) || (options.strict === true && problems.length > 0)) {
      throw new InvalidInput(problems, { source: sourceText(files) });
    }
    session.io.stderr.write(formatProblems(problems, sourceText(files), session.errorStyle));
    const names = definitions.map(describeDefinition);
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'ValidateResult', valid: true, objects: names, problems },
      names,
      text: `${counted(names.length, 'object')} in ${counted(files.length, 'file')}: valid\n`,
    });
  },
});

/** Envoy's types are large: they are loaded for those who patch what Envoys are sent. */
async function valueProblems(definitions: readonly Definition[]): Promise<readonly Problem[]> {
  if (!definitions.some(({ kind }) => kind === 'EnvoyFilter')) return [];
  const { envoyValueProblems } = await import('../../pilot/offline.js');
  return envoyValueProblems(definitions);
}
