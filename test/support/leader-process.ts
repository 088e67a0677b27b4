/**
 * Stands for election in a process of its own, for tests that pause it, and writes its id as fast as it can while it
 * believes that it leads: `node --import tsx leader-process.ts HOST:PORT PREFIX ID`. Says `written N` and `refused N`.
 */
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { standForElection, type Term } from '../../src/store/election.js';
import { openStore } from '../../src/store/open-store.js';

const [address = '', prefix = '', id = ''] = process.argv.slice(2);
const common = { clock: systemClock, log: silentLogger };
const store = await openStore(`etcd://${address}`, { ...common, timeoutMs: 5000, prefix });
const registrar = store.registrar({ ttlSeconds: 2 });
const counts = { written: 0, refused: 0 };

standForElection({ ...common, store, registrar, role: 'test', id, onLeading: (term) => void writeOn(term) });

/** On purpose beyond the end of the term: what it tries then must be refused. */
async function writeOn(term: Term): Promise<never> {
  for (;;) {
    const put = [{ key: store.keys.plan('a'), value: `${id} ${term.token}` }];
    const outcome = await term.transact({ compare: [], put, delete: [] }).then(
      () => 'written' as const,
      () => 'refused' as const,
    );
    process.stdout.write(`${outcome} ${++counts[outcome]}\n`);
    if (outcome === 'refused') await systemClock.sleep(50);
  }
}
