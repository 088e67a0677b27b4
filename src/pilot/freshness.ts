/**
 * Is our copy of the store as new as the store? One linearizable read answers for all who ask while it is under way; who asks
 * later waits for the next one, since a read that began before the question proves nothing.
 */
import type { Clock } from '../runtime/clock.js';
import type { Mirror, Store } from '../store/store.js';

/** With the store away a proxy gets the last good view, and gets it soon. */
const CATCH_UP_LIMIT_MS = 2000;

export interface Freshness {
  /** True when the copy was at the head after the call began; false when that could not be shown in time. */
  catchUp(): Promise<boolean>;
}

export function freshnessOf(store: Pick<Store, 'head'>, mirror: Pick<Mirror, 'reach'>, clock: Clock): Freshness {
  let running: Promise<boolean> | undefined;
  let queued: Promise<boolean> | undefined;

  const prove = async (): Promise<boolean> => {
    const limit = new AbortController();
    const done = new AbortController();
    // Whoever is first ends the other.
    void clock.sleep(CATCH_UP_LIMIT_MS, done.signal).then(
      () => limit.abort(new Error(`no proof within ${CATCH_UP_LIMIT_MS} ms`)),
      () => undefined,
    );
    try {
      await mirror.reach(await store.head(limit.signal), limit.signal);
      return true;
    } catch {
      return false; // the mirror's state tells why, for `/readyz` and the log
    } finally {
      done.abort(new Error('done'));
    }
  };
  const start = (): Promise<boolean> => {
    running = prove().finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    catchUp() {
      if (running === undefined) return start();
      queued ??= running.then(() => {
        queued = undefined;
        return start();
      });
      return queued;
    },
  };
}
