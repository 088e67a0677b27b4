/** Every accepted command is one numbered revision: read, decide, and commit all of it in one transaction or nothing. */

import type { Document } from '../model/definition.js';
import type { AnyKind } from '../model/kind.js';
import {
  type Change,
  changeAction,
  type Revision,
  type RevisionHead,
  type StoredDefinition,
} from '../model/revision.js';
import type { Clock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Keys } from '../store/keys.js';
import type { Put, Store } from '../store/store.js';
import { type MeshState, readMeshState } from './mesh-state.js';

/** One transaction of etcd holds 100 operations; two are the revision and its head, some are left for what comes with them. */
export const MAX_CHANGES = 90;
const MAX_ATTEMPTS = 5;
const RETRY_BASE_MS = 10;

export const RELEASE_KIND = 'Release';
export const PLAN_KIND = 'NodePlan';

export interface CommandContext {
  readonly store: Store;
  readonly kinds: readonly AnyKind[];
  readonly clock: Clock;
}

/** Of the revision that will be written if the decision stands. */
export interface NextRevision {
  readonly revision: number;
  readonly at: number;
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
  const { keys } = store;
  const { changes, records = [] } = decision;
  if (changes.length > MAX_CHANGES) {
    throw new MeshError(
      'MESH2007',
      `${options.command}: ${changes.length} objects change, one command may change ${MAX_CHANGES}`,
      {
        hint: `apply it in parts of at most ${MAX_CHANGES} objects, what others refer to first`,
      },
    );
  }
  const revision: Revision = {
    revision: next.revision,
    at: next.at,
    by: options.by,
    why: options.why ?? '',
    command: options.command,
    changes,
  };
  const head: RevisionHead = { revision: next.revision };
  const gone = changes.filter((change) => change.after === undefined);
  const kept = changes.filter((change) => change.after !== undefined);
  const result = await store.transact(
    {
      compare: [{ key: keys.revHead, modRevision: state.headModRevision }],
      put: [
        ...kept.map((change) => ({ key: changeKey(keys, change), value: changeValue(change, next) })),
        ...records,
        { key: keys.rev(next.revision), value: JSON.stringify(revision) },
        { key: keys.revHead, value: JSON.stringify(head) },
      ],
      delete: gone.map((change) => changeKey(keys, change)),
    },
    options.signal,
  );
  return result.ok ? result.storeRevision : undefined;
}

export function changeKey(keys: Keys, change: Pick<Change, 'kind' | 'namespace' | 'name'>): string {
  switch (change.kind) {
    case RELEASE_KIND:
      return keys.release(change.namespace ?? '', change.name);
    case PLAN_KIND:
      return keys.plan(change.name);
    default:
      return keys.def(change.kind, change.namespace, change.name);
  }
}

function changeValue(change: Change, next: NextRevision): string {
  if (change.kind === RELEASE_KIND || change.kind === PLAN_KIND) return JSON.stringify(change.after);
  const stored: StoredDefinition = {
    revision: next.revision,
    at: next.at,
    // A change of a definition is made from documents only (see operations/definition-changes.ts).
    document: change.after as Document,
  };
  return JSON.stringify(stored);
}
