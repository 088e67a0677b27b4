/**
 * Applies a large change like a command, in a process that kills itself (SIGKILL) just before its transaction number KILL_AT:
 * `node --import tsx large-apply-process.ts ADDRESS PREFIX KILL_AT OBJECTS PORT`. Ends by itself with code 0 when it gets through.
 */
import { allKinds } from '../../src/dsl/kinds.js';
import { apply } from '../../src/pilot/operations/apply.js';
import { systemClock } from '../../src/runtime/clock.js';
import { servicesText } from './large-world.js';
import { openAt } from './stores.js';

const [address = '', prefix = '', killAt = '', objects = '', port = ''] = process.argv.slice(2);
const store = await openAt(address, prefix);
let transactions = 0;
const mortal = {
  ...store,
  transact: (...call: Parameters<typeof store.transact>) => {
    if (transactions++ === Number(killAt)) process.kill(process.pid, 'SIGKILL');
    return store.transact(...call);
  },
};
const files = [{ name: 'services.yaml', text: servicesText(Number(objects), Number(port)) }];
await apply({ store: mortal, kinds: allKinds, clock: systemClock }, { by: 'test', files });
await store.close();
process.stdout.write(`${transactions}\n`);
