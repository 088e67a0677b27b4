import { adoptStore, frozenIn } from '../../../store/adopt.js';
import { everything } from '../../../store/durable.js';
import { parseEpoch } from '../../../store/epoch.js';
import { defineCommand } from '../../command.js';
import { withOperatorStore } from '../../operator-store.js';
import { writeAnswer } from '../../output/answer.js';
import { confirm } from '../../session.js';
import { messageOption } from '../../shared-options.js';

interface Options {
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'A store that was wiped, or restored from an older backup, freezes every pilot: proxies keep what they have. Look at what it holds (`mesh store status`, `mesh history`), restore a backup if that is better, then adopt it: the pilots serve it as it is, and agents say again what runs. An empty store takes nothing from the proxies before something is applied.',
  examples: [
    { line: 'mesh store adopt -m "restored the backup of 10:00"', what: 'asks, then ends the freeze' },
    { line: 'mesh store adopt --store etcd://10.0.0.4:2379 -y', what: 'without being asked' },
  ],
  options: [messageOption],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session, _args, options) {
    await withOperatorStore(session, async (store) => {
      const { keys } = store;
      const { entries } = await store.list(everything(store));
      const before = entries.find(({ key }) => key === keys.metaEpoch);
      const frozen = frozenIn(store, entries, parseEpoch(before?.value));
      if (frozen.length === 0) {
        session.say(
          'Nobody is frozen on this store: nothing to adopt. A pilot is heard of 2 s after the store is back.',
        );
        await writeAnswer(session, { value: answerOf(parseEpoch(before?.value)?.id ?? '', []), text: '' });
        return;
      }
      for (const { who, lost } of frozen) session.say(`${who} is frozen: ${lost.reason}`);
      const definitions = entries.filter(({ key }) => keys.parse(key)?.kind === 'def').length;
      const question = `Give up what they serve, for this store with ${definitions} definitions?`;
      await confirm(session, question, `mesh store adopt --store ${session.settings.store ?? store.description}`);
      const { by, why = '' } = session.author(options.message);
      const epoch = await adoptStore(store, frozen, before, { by, why, at: session.io.clock.now() });
      const names = frozen.map(({ who }) => who);
      session.say(`Adopted by ${by}: ${names.join(', ')} go on with this store. See mesh status`);
      await writeAnswer(session, { value: answerOf(epoch.id, names), text: '' });
    });
  },
});

function answerOf(epoch: string, released: readonly string[]): object {
  return { apiVersion: 'mesh/v1', kind: 'StoreAdoption', epoch, released };
}
