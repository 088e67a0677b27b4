/**
 * Every accepted command is one numbered revision: read, decide, and commit all of it or nothing. What fits into one
 * transaction is one; a larger change is staged and published (large-change.ts).
 */
import type { AnyKind } from '../model/kind.js';
import { type Change, changeAction, type Revision, type RevisionHead } from '../model/revision.js';
import type { Clock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Keys } from '../store/keys.js';
import type { Put, Store, Transaction } from '../store/store.js';
import { fits } from '../store/transact.js';
import { changeKey, changeValue, type NextRevision } from './changes.js';
import { commitInParts, fold } from './large-change.js';
import { type MeshState, readMeshState } from './mesh-state.js';

const MAX_ATTEMPTS = 5;
const RETRY_BASE_MS = 10;

export interface CommandContext {
  readonly store: Store;
  readonly kinds: readonly AnyKind[];
  readonly clock: Clock;
}

/** What a command wants to be so. Changes that change nothing are reported, and not written. */
export interface Decision {
  readonly changes: readonly Change[];
  /** Besides the objects themselves, such as the record of a deployment. */
  readonly records?: readonly Put[];
}

export interface CommandOptions {
  /** As history shows it: `apply`, `gray start` … */
  readonly command: string;
  readonly by: string;
  readonly why?: string | undefined;
  readonly dryRun?: boolean | undefined;
  /** Refuse (MESH2004) unless the mesh is at this revision. */
  readonly expectRevision?: number | undefined;
  /** Does the decision look at what runs? */
  readonly instances?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Committed<D extends Decision> {
  readonly decision: D;
  /** The new revision, or the present one when nothing was written. */
  readonly revision: number;
  /** Of the commit; undefined when nothing was written. */
  readonly storeRevision: bigint | undefined;
}

/** Decides again on the newest state when another command was faster, MAX_ATTEMPTS times at most. */
export async function runCommand<D extends Decision>(
  context: CommandContext,
  options: CommandOptions,
  decide: (state: MeshState, next: NextRevision) => D,
): Promise<Committed<D>> {
  const { store, kinds, clock } = context;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const wanted = { instances: options.instances ?? false };
    const state = await readMeshState(store, { keys: store.keys, kinds }, wanted, options.signal);
    const present = state.snapshot.revision;
    if (options.expectRevision !== undefined && options.expectRevision !== present) {
      throw new MeshError('MESH2004', `the mesh is at revision ${present}, not ${options.expectRevision}`, {
        hint: 'look at what has changed (`mesh history`), then try again',
      });
    }
    const next = { revision: present + 1, at: clock.now() };
    const decision = decide(state, next);
    const changes = decision.changes.filter((change) => changeAction(change) !== 'unchanged');
    if (changes.length === 0 || options.dryRun === true)
      return { decision, revision: present, storeRevision: undefined };
    const result = await commit(store, state, next, { ...decision, changes }, options);
    if (result !== undefined) return { decision, revision: next.revision, storeRevision: result };
    await clock.sleep(RETRY_BASE_MS * 2 ** attempt, options.signal);
  }
  throw new MeshError('MESH2004', `${options.command}: other commands were faster ${MAX_ATTEMPTS} times`, {
    retryable: true,
    hint: 'try again',
  });
}

/** The revision of the store that the commit has, or undefined when the head had moved. */
async function commit(
  store: Store,
  state: MeshState,
  next: NextRevision,
  decision: Decision,
  options: CommandOptions,
): Promise<bigint | undefined> {
  // The head that we write over is the last to name these parts.
  if (state.unfolded !== undefined) await fold(store, state.headModRevision, state.unfolded);
  const { command, by, why = '' } = options;
  const { changes, records = [] } = decision;
  const revision: Revision = { ...next, by, why, command, changes };
  const small = smallCommit(store.keys, state, revision, records);
  if (fits(small)) {
    const result = await store.transact(small, options.signal);
    return result.ok ? result.storeRevision : undefined;
  }
  return commitInParts({ store, headModRevision: state.headModRevision, revision, records, signal: options.signal });
}

function smallCommit(keys: Keys, state: MeshState, revision: Revision, records: readonly Put[]): Transaction {
  const head: RevisionHead = { revision: revision.revision };
  const values = revision.changes.map((change) => ({
    key: changeKey(keys, change),
    value: changeValue(change, revision),
  }));
  return {
    compare: [{ key: keys.revHead, modRevision: state.headModRevision }],
    put: [
      ...values.flatMap(({ key, value }) => (value === undefined ? [] : [{ key, value }])),
      ...records,
      { key: keys.rev(revision.revision), value: JSON.stringify(revision) },
      { key: keys.revHead, value: JSON.stringify(head) },
    ],
    delete: [
      ...values.flatMap(({ key, value }) => (value === undefined ? [key] : [])),
      // With the head that they were staged for gone, they never count any more.
      ...(state.hasUnpublished ? [keys.allStaged] : []),
    ],
  };
}
