/** Whoever publishes a large change folds it; when it does not, because it died, a pilot does. */
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Entry, Store } from '../store/store.js';
import { fold } from './large-change.js';
import type { Staging } from './staged.js';

/** Longer than folding takes; agents read the objects' own keys and wait for it. */
const LEFT_AFTER_MS = 3000;

export interface FoldContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly head: () => Entry | undefined;
}

/** Told after every batch of the mirror; looks again for as long as something is left to fold. */
export function foldWhenLeft(context: FoldContext, closing: AbortSignal): { note(staging: Staging): void } {
  const { store, clock, log, head } = context;
  let staging: Staging | undefined;
  let isWaiting = false;
  const watch = async (): Promise<void> => {
    while (staging !== undefined && staging.overlay.size > 0) {
      const before = staging.head?.staged;
      await clock.sleep(LEFT_AFTER_MS, closing);
      const left = staging.overlay.size > 0 ? staging.head?.staged : undefined;
      const modRevision = head()?.modRevision;
      if (left === undefined || left.id !== before?.id || modRevision === undefined) continue;
      log.warn({ revision: staging.head?.revision }, 'a large change was published and not folded; folding it');
      await fold(store, modRevision, left).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'could not fold a large change; trying again');
      });
    }
  };
  return {
    note(next) {
      staging = next;
      if (isWaiting || next.overlay.size === 0) return;
      isWaiting = true;
      void watch()
        .catch(() => undefined) // closing
        .finally(() => {
          isWaiting = false;
        });
    },
  };
}
