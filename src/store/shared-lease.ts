/**
 * A lease for keys that shall vanish by themselves: granted, used by whoever writes such a key within the next while, and never
 * renewed. Concurrent callers share the grant.
 */
import type { Clock } from '../runtime/clock.js';
import { untilAborted } from '../runtime/until-aborted.js';

export interface SharedLease {
  /** Its decimal id. */
  get(signal?: AbortSignal): Promise<string>;
  /** The store does not know it, or may not: the next caller gets another one. */
  forget(): void;
}

/** Keys live for what `grant` asks for, less `reuseMs` at most. */
export function sharedLease(grant: () => Promise<string>, clock: Clock, reuseMs: number): SharedLease {
  let granted: { readonly id: Promise<string>; readonly atMs: number } | undefined;
  return {
    async get(signal) {
      signal?.throwIfAborted();
      if (!granted || clock.monotonic() - granted.atMs > reuseMs) {
        const attempt = { id: grant(), atMs: clock.monotonic() };
        granted = attempt;
        attempt.id.catch(() => {
          if (granted === attempt) granted = undefined;
        });
      }
      return signal ? untilAborted(granted.id, signal) : granted.id;
    },
    forget() {
      granted = undefined;
    },
  };
}
