/**
 * Is the store still the one whose mesh we serve? Its last revision (`rev/head`) tells: a store that was wiped, or restored
 * from an old backup, has another one or none. What it holds then is not news but a loss, and no proxy may be sent it.
 */
import type { Entry, MirrorBatch } from '../store/store.js';

export interface History {
  /** The newest head of the history that is served; undefined while there was none. */
  readonly head: Entry | undefined;
  /** The store is another one now: what is served stays until that head is back, or the pilot is started again. */
  readonly isLost: boolean;
}

export const noHistory: History = { head: undefined, isLost: false };

/** `head` is what the store has after the batch. Pure. */
export function followHistory(before: History, batch: MirrorBatch, head: Entry | undefined): History {
  const isSuspect = before.isLost || batch.regressed;
  if (!isSuspect || before.head === undefined || isSame(before.head, head)) return { head, isLost: false };
  return { head: before.head, isLost: true };
}

function isSame(a: Entry, b: Entry | undefined): boolean {
  return a.modRevision === b?.modRevision && a.value === b.value;
}
