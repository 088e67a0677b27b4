/** Opens the store for a process that has something to do without it: it waits where others fail. */
import type { LastGood } from '../agent/agent.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { Store } from '../store/store.js';
import { type MeshStoreOptions, openMeshStore } from './mesh-store.js';

const RETRY_MS = 1000;

/**
 * Where sidecars could be served from their last good configuration, a store that does not answer is waited for: an agent that
 * ended would take that away from them. On a machine that has run nothing yet, the address may be wrong: that is said at once.
 */
export async function openStorePatiently(
  options: MeshStoreOptions,
  lastGoods: readonly LastGood[],
  signal: AbortSignal,
): Promise<Store> {
  const kept = (await Promise.all(lastGoods.map((lastGood) => lastGood.kept()))).flat();
  for (let tries = 0; ; tries++) {
    try {
      return await openMeshStore(options);
    } catch (error) {
      if (kept.length === 0 || !(error instanceof MeshError && error.retryable)) throw error;
      const fields = { store: options.url, instances: kept, error: messageOf(error) };
      if (tries === 0)
        options.log.warn(fields, 'the store does not answer; sidecars without a pilot get their last good');
      await options.clock.sleep(RETRY_MS, signal);
    }
  }
}
