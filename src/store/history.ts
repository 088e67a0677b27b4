/**
 * Is the store still the one whose mesh we serve? A store that was wiped, or restored from an older backup, shows it by its
 * revision, which goes back, or by its epoch, which is another one. What it holds then is not news but a loss: no proxy may be
 * sent it before an operator has said so (`mesh store adopt`), or the history that we knew is back.
 */
import type { LostHistory } from '../model/leased-values.js';
import type { Epoch } from './epoch.js';
import type { Entry } from './store.js';

export interface History {
  /** Id of the epoch that is served; undefined before the first list, empty for a store without one. */
  readonly epoch: string | undefined;
  /** The highest store revision of it. */
  readonly storeRevision: bigint;
  /** Its newest `rev/head`. */
  readonly head: Entry | undefined;
  /** Why the store is another one now; undefined while it is not. */
  readonly lost: string | undefined;
}

/** What one batch of the mirror shows. */
export interface Sight {
  readonly regressed: boolean;
  readonly storeRevision: bigint;
  readonly epoch: Epoch | undefined;
  readonly head: Entry | undefined;
}

export const noHistory: History = { epoch: undefined, storeRevision: 0n, head: undefined, lost: undefined };

/** Pure. */
export function followHistory(before: History, sight: Sight): History {
  const { epoch, storeRevision, head } = sight;
  const next: History = { epoch: epoch?.id ?? '', storeRevision, head, lost: undefined };
  if (before.epoch === undefined || epoch?.accepts.includes(before.epoch)) return next;
  if (before.lost === undefined && !sight.regressed) return next;
  if (isBack(before, sight)) return next;
  return { ...before, lost: whyLost(before, sight) };
}

/** The very same mesh, at the revision that we knew or a later one. */
function isBack({ epoch, storeRevision, head }: History, sight: Sight): boolean {
  return (
    epoch === sight.epoch?.id &&
    sight.storeRevision >= storeRevision &&
    head !== undefined &&
    head.modRevision === sight.head?.modRevision &&
    head.value === sight.head.value
  );
}

function whyLost(before: History, { epoch, storeRevision }: Sight): string {
  if (epoch === undefined) return 'the store is empty';
  if (epoch.id !== before.epoch) return `the store holds another history (epoch ${epoch.id}, made by ${epoch.made})`;
  // Without what changes from batch to batch: the same loss is told once.
  if (storeRevision < before.storeRevision) return `the store has gone back behind revision ${before.storeRevision}`;
  return before.lost ?? 'the store holds another history';
}

/** Of a process whose mesh the store has lost, in what it says of itself (`pilot/<id>`, `node/<node>`): others must know. */
export function lostIn(history: History): LostHistory | undefined {
  return history.lost === undefined ? undefined : { epoch: history.epoch ?? '', reason: history.lost };
}

/** Does this process know a mesh that the store has lost, and that nobody has given up yet? */
export function isWitness(lost: LostHistory | undefined, epoch: Epoch | undefined): boolean {
  return lost !== undefined && epoch?.accepts.includes(lost.epoch) !== true;
}
