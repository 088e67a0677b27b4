import { MeshError } from '../runtime/mesh-error.js';
import { STALL_LIMIT_MS, startWatchdog } from '../runtime/watchdog.js';
import type { Io } from './io.js';

/** For commands that run until they are stopped. MESH_WATCHDOG_MS is another limit, 0 is none: a debugger stops the loop too. */
export function watchLoop(name: string, { env }: Pick<Io, 'env'>): void {
  const text = env['MESH_WATCHDOG_MS'] ?? String(STALL_LIMIT_MS);
  if (!/^\d{1,9}$/.test(text)) {
    throw new MeshError('MESH2007', `MESH_WATCHDOG_MS is ${JSON.stringify(text)}`, {
      hint: `milliseconds that the process may stand still, such as ${STALL_LIMIT_MS}, or 0`,
    });
  }
  startWatchdog({ name, limitMs: Number(text) });
}
