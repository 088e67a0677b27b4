import { defineCommand } from '../command.js';
import { wordsFor } from '../completion-words.js';

export const command = defineCommand({
  details:
    'For the completion scripts. Says nothing when anything is wrong: a shell should not show errors while typing.',
  examples: [
    { line: 'mesh __complete -- get serv', what: 'words that could follow' },
    { line: 'mesh __complete -- gray start ""', what: 'names of services' },
  ],
  arguments: [{ syntax: '[words...]', description: 'the command line so far, the last word being typed now' }],
  connects: 'api',
  async run(session, words) {
    const found = await wordsFor(session, words).catch(() => []);
    session.write(found.map((word) => `${word}\n`).join(''));
  },
});
