import { resolve } from 'node:path';
import { encodeBackup } from '../../../store/backup.js';
import { durableOf, everything } from '../../../store/durable.js';
import { parseEpoch } from '../../../store/epoch.js';
import { defineCommand } from '../../command.js';
import { withOperatorStore } from '../../operator-store.js';
import { writeAnswer } from '../../output/answer.js';
import { formatBytes } from '../../output/bytes.js';
import { counted } from '../../output/count.js';
import { writeNewFile } from '../../whole-file.js';

interface Options {
  readonly replace?: boolean;
}

export const command = defineCommand<Options>({
  details:
    'All definitions, revisions, plans, releases and records at one revision of the store; not what hangs on leases, which comes back by itself. The mesh may go on working meanwhile. The file is readable by its owner only: it holds all that was applied.',
  examples: [
    { line: 'mesh store backup mesh.backup', what: 'of the mesh of this machine' },
    { line: 'mesh store backup mesh.backup --store etcd://10.0.0.4:2379', what: 'of a cluster' },
    { line: 'mesh store backup mesh.backup --replace', what: 'over the one of yesterday' },
  ],
  arguments: [{ syntax: '<file>', description: 'where to write it' }],
  options: [{ flags: '--replace', description: 'overwrite the file when there is one' }],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session, [file = ''], options) {
    const path = resolve(session.io.cwd, file);
    const { text, keys, revision } = await withOperatorStore(session, async (store) => {
      const { entries, storeRevision } = await store.list(everything(store));
      const durable = durableOf(store, entries);
      const epoch = entries.find((entry) => entry.key === store.keys.metaEpoch)?.value;
      const about = {
        at: session.io.clock.now(),
        by: session.author(undefined).by,
        from: store.description,
        storeRevision: String(storeRevision),
        epoch: parseEpoch(epoch)?.id ?? '',
      };
      return { text: encodeBackup(durable, about), keys: durable.size, revision: storeRevision };
    });
    await writeNewFile(path, text, { replace: options.replace === true });
    session.say(
      `${counted(keys, 'key')} as of store revision ${revision} in ${file} (${formatBytes(Buffer.byteLength(text))}). Back: mesh store restore ${file} --store URL`,
    );
    const value = { apiVersion: 'mesh/v1', kind: 'StoreBackup', file, keys, storeRevision: String(revision) };
    await writeAnswer(session, { value, text: '' });
  },
});
