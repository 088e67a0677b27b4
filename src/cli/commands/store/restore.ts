import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MeshError, messageOf } from '../../../runtime/mesh-error.js';
import { decodeBackup } from '../../../store/backup.js';
import { setAsideJournal } from '../../../store/embedded/set-aside.js';
import { moveInto } from '../../../store/move.js';
import type { OpenedStore } from '../../../store/open-store.js';
import { parseStoreUrl } from '../../../store/store-url.js';
import { defineCommand } from '../../command.js';
import { storeUrlFor, withStoreAt } from '../../operator-store.js';
import { writeAnswer } from '../../output/answer.js';
import { counted } from '../../output/count.js';
import { timestamp } from '../../output/time.js';
import { confirm, type Session } from '../../session.js';
import { messageOption } from '../../shared-options.js';

interface Options {
  readonly replace?: boolean;
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'Into an empty store, or with --replace into one whose mesh is given up. Pilots must not serve from it meanwhile; those that are frozen because the store lost its mesh may run, and stay frozen until `mesh store adopt`. With --replace, a journal of the embedded store that is damaged is set aside.',
  examples: [
    { line: 'mesh store restore mesh.backup --store etcd://10.0.0.4:2379', what: 'into a new cluster' },
    { line: 'mesh store restore mesh.backup --store embedded:DIR --replace', what: 'over what is there' },
  ],
  arguments: [{ syntax: '<file>', description: 'a file of `mesh store backup`' }],
  options: [{ flags: '--replace', description: 'overwrite the mesh that the store holds' }, messageOption],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session, [file = ''], options) {
    const { io } = session;
    const text = await readFile(resolve(io.cwd, file), 'utf8').catch((error: unknown) => {
      throw new MeshError('MESH2007', `could not read ${file}: ${messageOf(error)}`, { hint: 'name the backup file' });
    });
    const backup = decodeBackup(text, file);
    const url = await storeUrlFor(session);
    if (options.replace === true) {
      await confirm(session, `Overwrite what ${url} holds?`, `mesh store restore ${file} --store ${url} --replace`);
      await makeReadable(session, url);
    }
    const moved = await withStoreAt(session, url, (store: OpenedStore) =>
      moveInto(store, () => Promise.resolve(backup.durable), {
        command: 'restore',
        from: file,
        replace: options.replace === true,
        by: session.author(undefined).by,
        why: options.message ?? '',
        at: io.clock.now(),
        after: backup.head.epoch,
        isContinuation: false,
        onProgress: () => {},
      }),
    );
    session.say(
      `${counted(moved.keys, 'key')} of ${timestamp(backup.head.at)} restored into ${url}, read back and compared. ` +
        'Pilots that served another mesh stay frozen: look at it (mesh store status, mesh history), then mesh store adopt',
    );
    const value = {
      apiVersion: 'mesh/v1',
      kind: 'StoreRestore',
      file,
      to: url,
      keys: moved.keys,
      epoch: moved.epoch.id,
    };
    await writeAnswer(session, { value, text: '' });
  },
});

/** A damaged journal keeps its store shut: it goes aside, and an empty one takes its place. */
async function makeReadable(session: Session, url: string): Promise<void> {
  try {
    await withStoreAt(session, url, () => Promise.resolve());
  } catch (error) {
    const parsed = parseStoreUrl(url);
    if (!(error instanceof MeshError) || error.code !== 'MESH2014' || parsed.kind !== 'embedded') throw error;
    const aside = await setAsideJournal(resolve(session.io.cwd, parsed.dir), session.io.clock.now());
    session.say(`The damaged journal is now ${aside}`);
  }
}
