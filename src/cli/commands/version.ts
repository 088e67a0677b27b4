import { defineCommand } from '../command.js';
import { writeAnswer } from '../output/answer.js';
import { formatPairs } from '../output/table.js';
import { packageVersion } from '../version.js';

interface Options {
  readonly client?: boolean;
}

export const command = defineCommand<Options>({
  details: 'The pilot is asked for its version as well; when none answers, that is said and no failure.',
  examples: [
    { line: 'mesh version', what: 'of this command and of the pilot' },
    { line: 'mesh version --client -o json', what: 'of this command only, for scripts' },
  ],
  options: [{ flags: '--client', description: 'do not ask the pilot' }],
  output: ['table', 'json', 'yaml'],
  connects: 'api',
  async run(session, _args, options) {
    const client = packageVersion();
    const pilot = options.client === true ? undefined : await pilotVersion();
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'Version', client, node: process.version, pilot: pilot ?? null },
      text: formatPairs([
        ['mesh', `${client} (Node ${process.version})`],
        ...(options.client === true ? [] : [['pilot', pilot ?? 'none answers'] as const]),
      ]),
    });

    async function pilotVersion(): Promise<string | undefined> {
      try {
        return (await (await session.api()).status()).version;
      } catch {
        return undefined;
      }
    }
  },
});
