import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { defineCommand } from '../command.js';
import { documentSchema } from '../kind-schema.js';
import { kindOf, loadKinds } from '../kind-words.js';

interface Options {
  readonly out?: string;
}

export const command = defineCommand<Options>({
  details: 'For editors: `# yaml-language-server: $schema=schemas/service.json` as the first line of a file.',
  examples: [
    { line: 'mesh schema service', what: 'one kind, on stdout' },
    { line: 'mesh schema --out schemas', what: 'every kind, a file each' },
  ],
  arguments: [{ syntax: '[kind]', description: 'a kind; without it, all of them', completes: 'kinds' }],
  options: [{ flags: '--out <dir>', description: 'write <dir>/<kind>.json' }],
  async run(session, [word], options) {
    const kinds = word === undefined ? await loadKinds() : [await kindOf(word)];
    if (options.out === undefined) {
      const schemas = kinds.map(documentSchema);
      session.write(`${JSON.stringify(schemas.length === 1 ? schemas[0] : { anyOf: schemas }, null, 2)}\n`);
      return;
    }
    const directory = resolve(session.io.cwd, options.out);
    await mkdir(directory, { recursive: true });
    for (const kind of kinds) {
      const file = join(options.out, `${kind.kind.toLowerCase()}.json`);
      await writeFile(resolve(session.io.cwd, file), `${JSON.stringify(documentSchema(kind), null, 2)}\n`);
      session.write(`${file}\n`);
    }
  },
});
