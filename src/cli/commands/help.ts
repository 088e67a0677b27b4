import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { helpOf } from '../help.js';
import { formatTable } from '../output/table.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh help', what: 'the commands' },
    { line: 'mesh help gray start', what: 'one command' },
    { line: 'mesh help exit-codes', what: 'what the exit codes mean' },
  ],
  arguments: [{ syntax: '[topic...]', description: 'a command, or exit-codes' }],
  async run(session, topic) {
    if (topic.length === 1 && topic[0] === 'exit-codes') {
      session.write(
        formatTable(
          ['CODE', 'MEANING'],
          Object.entries(exitCodes).map(([code, meaning]) => [code, meaning]),
        ),
      );
      return;
    }
    const text = await helpOf(topic);
    if (text === undefined) {
      throw new MeshError('MESH2007', `there is no command "${topic.join(' ')}"`, { hint: 'see `mesh help`' });
    }
    session.write(text);
  },
});
