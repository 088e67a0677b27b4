/**
 * A change that no single transaction can hold (docs/decisions/0015): its parts are staged, one transaction publishes them,
 * then they are folded into the objects' own keys. Each of these transactions demands that the head has not moved, so
 * there is no lock: who is overtaken, or dies, leaves parts that no head names, and the next commit deletes them with its own.
 */
import { randomUUID } from 'node:crypto';
import type { Revision, RevisionHead, StagedParts } from '../model/revision.js';
import type { Compare, Put, Store } from '../store/store.js';
import { inTransactions, type Write } from '../store/transact.js';
import { changeKey, changeValue } from './changes.js';
import { partsAt, partsOf } from './staged.js';

export interface LargeCommit {
  readonly store: Store;
  /** Of the head that the change was decided on. */
  readonly headModRevision: bigint;
  readonly revision: Revision;
  readonly records: readonly Put[];
  readonly signal: AbortSignal | undefined;
}

/** The store revision at which it was published, or undefined when another command was faster: nothing was changed then. */
export async function commitInParts(commit: LargeCommit): Promise<bigint | undefined> {
  const { store, headModRevision, revision } = commit;
  const parts = partsOf(revision.command, revision.changes, revision);
  const staged: StagedParts = { id: randomUUID(), parts: parts.length };
  let published: bigint | undefined;
  try {
    published = (await stage(commit, staged, parts)) ? await publish(commit, staged) : undefined;
  } catch (error) {
    // It may be published all the same: under the old head only is it surely not.
    await unstage(store, staged, [onHead(store, headModRevision)]);
    throw error;
  }
  if (published === undefined) await unstage(store, staged, []);
  // The command has succeeded: when the store fails now, a pilot or the next command folds.
  else await fold(store, published, staged).catch(() => undefined);
  return published;
}

/** False when the head has moved meanwhile. */
async function stage(commit: LargeCommit, { id }: StagedParts, parts: readonly string[]): Promise<boolean> {
  const { store, headModRevision, signal } = commit;
  for (const [part, value] of parts.entries()) {
    const put = [{ key: store.keys.staged(id, part), value }];
    const result = await store.transact({ compare: [onHead(store, headModRevision)], put, delete: [] }, signal);
    if (!result.ok) return false;
  }
  return true;
}

async function publish(commit: LargeCommit, staged: StagedParts): Promise<bigint | undefined> {
  const { store, headModRevision, records, signal } = commit;
  const { keys } = store;
  const revision: Revision = { ...commit.revision, changes: [], staged };
  const head: RevisionHead = { revision: revision.revision, staged };
  const allThere = partNumbers(staged).map((part): Compare => ({ key: keys.staged(staged.id, part), exists: true }));
  const result = await store.transact(
    {
      compare: [onHead(store, headModRevision), ...allThere],
      put: [
        ...records,
        { key: keys.rev(revision.revision), value: JSON.stringify(revision) },
        { key: keys.revHead, value: JSON.stringify(head) },
      ],
      delete: [],
    },
    signal,
  );
  return result.ok ? result.storeRevision : undefined;
}

/** Best effort: what cannot be deleted now is deleted with the next commit. */
async function unstage(store: Store, { id }: StagedParts, compare: readonly Compare[]): Promise<void> {
  await store.transact({ compare, put: [], delete: [store.keys.staging(id)] }).catch(() => undefined);
}

/**
 * Writes what the parts of this head say into the keys of their objects, keeps the parts as history, and takes them away
 * from where they were staged. Whoever finds a head that is not folded may do it, several at once, and again after a crash.
 */
export async function fold(store: Store, headModRevision: bigint, staged: StagedParts): Promise<void> {
  const { keys } = store;
  const { entries } = await store.list(keys.staging(staged.id));
  const values = new Map(entries.map(({ key, value }) => [key, value]));
  const parts = partsAt(staged, (part) => values.get(keys.staged(staged.id, part)));
  if (parts === undefined) return; // folded already
  const writes = parts.flatMap((part, index): readonly Write[] => [
    ...part.changes.map((change) => ({ key: changeKey(keys, change), value: changeValue(change, part) })),
    { key: keys.rev(part.revision, index), value: values.get(keys.staged(staged.id, index)) },
  ]);
  const compare = [onHead(store, headModRevision)];
  for (const batch of inTransactions(writes)) {
    const result = await store.transact({ ...batch, compare });
    if (!result.ok) return; // the head has moved on: somebody else has folded it before
  }
  await store.transact({ compare, put: [], delete: [keys.staging(staged.id)] });
}

function partNumbers({ parts }: StagedParts): readonly number[] {
  return Array.from({ length: parts }, (_, part) => part);
}

function onHead({ keys }: Store, modRevision: bigint): Compare {
  return { key: keys.revHead, modRevision };
}
