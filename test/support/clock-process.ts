/**
 * A pilot and a registration in a process whose wall clock a test steps: `node --import tsx clock-process.ts STORE`. The first line
 * it writes is where the pilot listens; after that, one line for every lease that the registration had to open, and `down` when it had none.
 */
import { startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openStore } from '../../src/store/open-store.js';

const LEASE_TTL_S = 3;

const common = { clock: systemClock, log: silentLogger };
const store = await openStore(process.argv[2] ?? '', { ...common, timeoutMs: 5000 });
const loopback = '127.0.0.1:0';
const pilot = await startPilot({ ...common, store, http: loopback, xds: loopback, id: 'stepped', version: 'test' });
await pilot.whenReady;
const registrar = store.registrar({ ttlSeconds: LEASE_TTL_S });
registrar.set(store.keys.node('stepped'), '{"node":"stepped"}');
await registrar.flush();
process.stdout.write(`${pilot.httpAddress}\nlease ${registrar.leaseId}\n`);
registrar.onState(({ alive, leaseId }) => process.stdout.write(alive ? `lease ${leaseId}\n` : 'down\n'));
