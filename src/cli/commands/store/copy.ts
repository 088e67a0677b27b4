import { MeshError } from '../../../runtime/mesh-error.js';
import { durableOf, everything } from '../../../store/durable.js';
import { parseEpoch } from '../../../store/epoch.js';
import { type Moved, moveInto, refuseLivePilots } from '../../../store/move.js';
import type { OpenedStore } from '../../../store/open-store.js';
import { defineCommand } from '../../command.js';
import { withExistingStore, withStoreAt } from '../../operator-store.js';
import { writeAnswer } from '../../output/answer.js';
import { counted } from '../../output/count.js';
import { createProgress } from '../../output/progress.js';
import { confirm, type Session } from '../../session.js';
import { messageOption } from '../../shared-options.js';

interface Options {
  readonly replace?: boolean;
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'The pilots must be stopped, the agents and the proxies go on. Everything that lasts is copied and read back; the source stays as it is. When it was interrupted, the same command finishes it. Then start pilots and agents with --store TO.',
  examples: [
    { line: 'mesh store copy embedded:DIR etcd://10.0.0.4:2379', what: 'from one machine to a cluster' },
    { line: 'mesh store copy etcd://10.0.0.4:2379 etcd://10.0.1.4:2379/team', what: 'to another cluster and prefix' },
  ],
  arguments: [
    { syntax: '<from>', description: 'store URL' },
    { syntax: '<to>', description: 'store URL; must be empty, or --replace' },
  ],
  options: [{ flags: '--replace', description: 'overwrite the mesh that the target holds' }, messageOption],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session, [from = '', to = ''], options) {
    if (from === to) throw new MeshError('MESH2007', 'both stores are the same', { hint: 'name two: FROM TO' });
    if (options.replace === true)
      await confirm(session, `Overwrite what ${to} holds?`, `mesh store copy ${from} ${to} --replace`);
    const moved = await withExistingStore(session, from, (source) =>
      withStoreAt(session, to, (target) => copy(session, source, target, options)),
    );
    session.say(
      `${counted(moved.keys, 'key')} copied, read back and compared. Now start the pilots and agents with --store ${to}; nothing uses ${from} any more`,
    );
    const value = { apiVersion: 'mesh/v1', kind: 'StoreCopy', from, to, keys: moved.keys, epoch: moved.epoch.id };
    await writeAnswer(session, { value, text: '' });
  },
});

async function copy(session: Session, source: OpenedStore, target: OpenedStore, options: Options): Promise<Moved> {
  const { io } = session;
  await refuseLivePilots(source, { frozenToo: true });
  const progress = createProgress(io.stderr, io.isTTY.stderr);
  const { entries } = await source.list([{ key: source.keys.metaEpoch }, { key: source.keys.metaIncoming }]);
  if (entries.some(({ key }) => key === source.keys.metaIncoming)) {
    throw new MeshError('MESH2050', `${source.description} is incomplete itself: a copy into it was interrupted`, {
      hint: 'Finish that one first: `mesh store status` names it.',
    });
  }
  const [epoch] = entries;
  const read = async () => {
    await refuseLivePilots(source, { frozenToo: true });
    return durableOf(source, (await source.list(everything(source))).entries);
  };
  try {
    return await moveInto(target, read, {
      command: 'copy',
      from: source.description,
      replace: options.replace === true,
      by: session.author(undefined).by,
      why: options.message ?? '',
      at: io.clock.now(),
      after: parseEpoch(epoch?.value)?.id ?? '',
      isContinuation: true,
      onProgress: (written) => {
        if (io.isTTY.stderr && !session.settings.quiet) progress.show([`${counted(written, 'key')} written`]);
      },
    });
  } finally {
    progress.end();
  }
}
