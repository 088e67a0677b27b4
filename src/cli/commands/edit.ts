import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { fetchDefinition } from '../definitions.js';
import { withSource } from '../failure.js';
import { kindOf } from '../kind-words.js';
import { formatYaml } from '../output/answer.js';
import { countChanges, formatChanges } from '../output/changes.js';
import type { Session } from '../session.js';
import { messageOption } from '../shared-options.js';

interface Options {
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'Opens $VISUAL or $EDITOR (default vi) and applies what you save. When it is not accepted, the file is kept.',
  examples: [
    { line: 'mesh edit route reviews', what: 'as YAML, applied when you leave the editor' },
    { line: 'EDITOR=nano mesh edit service reviews -m "longer health interval"', what: 'with a reason' },
  ],
  arguments: [
    { syntax: '<kind>', description: 'a kind, its plural or its short name', completes: 'kinds' },
    { syntax: '<name>', description: 'which one', completes: 'names' },
  ],
  options: [messageOption],
  takes: ['namespace'],
  connects: 'api',
  async run(session, [word = '', name = ''], options) {
    const kind = await kindOf(word);
    const before = await fetchDefinition(session, kind, name);
    const original = await formatYaml([before.document]);
    const directory = await mkdtemp(join(tmpdir(), 'mesh-edit-'));
    const file = join(directory, `${kind.kind.toLowerCase()}-${name}.yaml`);
    await writeFile(file, original, { mode: 0o600 });
    await openEditor(session, file);
    const text = await readFile(file, 'utf8');
    if (text === original) {
      await rm(directory, { recursive: true });
      session.say('Nothing was changed.');
      return;
    }
    const now = await fetchDefinition(session, kind, name);
    if (now.revision !== before.revision) {
      throw new MeshError('MESH2004', `${kind.kind} ${name} was changed meanwhile, in revision ${now.revision}`, {
        hint: `your text is in ${file}; see \`mesh history ${word} ${name}\``,
      });
    }
    const api = await session.api();
    const response = await withSource(
      api.apply({
        ...session.author(options.message),
        files: [{ name: file, text }],
        namespace: session.settings.namespace,
      }),
      () => text,
      { outcome: 'nothing applied', next: `Your text is in ${file}; correct it and type: mesh apply -f ${file}` },
    );
    await rm(directory, { recursive: true });
    session.write(formatChanges(response.changes, session.style));
    session.say(
      `Revision ${response.revision}: ${countChanges(response.changes) || 'nothing changed'}. Back: mesh rollback ${word} ${name} --to-revision ${before.revision}`,
    );
  },
});

/** The user's editor with its own flags (`code --wait`), on this terminal. */
async function openEditor({ io }: Session, file: string): Promise<void> {
  const [program = 'vi', ...flags] = (io.env['VISUAL'] || io.env['EDITOR'] || 'vi').split(/\s+/);
  const child = spawn(program, [...flags, file], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit').catch((error: Error) => {
    throw new MeshError('MESH2007', `could not start the editor "${program}": ${error.message}`, {
      hint: 'set EDITOR to one that is installed',
    });
  })) as [number | null];
  if (code !== 0) throw new MeshError('MESH2030', `the editor ended with ${code}, nothing was done`);
}
