/**
 * Transactions that are applied exactly once, although an answer may get lost. Each one also creates a marker key of its
 * own and demands that it does not exist yet, so it may simply be sent again: if the first one had been applied, the
 * second finds the marker, and the marker's revision is the answer. Markers hang on a short lease and vanish by themselves.
 */
import { randomUUID } from 'node:crypto';
import type { ICompare, IRequestOp, ITxnRequest, ITxnResponse } from 'etcd3';
import type { Clock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Connection } from './connection.js';
import { faultOf, isUnanswered } from './fault.js';
import type { Keys } from './keys.js';
import { openLease } from './lease-calls.js';
import { prefixEnd } from './range.js';
import { sharedLease } from './shared-lease.js';
import type { Compare, Put, Transaction, TransactionResult } from './store.js';

export const MAX_OPERATIONS = 100;
const MAX_BYTES = 1024 * 1024;
/** Longer than any call may take, so that a marker outlives the doubt about its transaction. */
const MARKER_TTL_S = 60;
const MARKER_LEASE_REUSE_MS = 30_000;

export type Transact = (transaction: Transaction, signal?: AbortSignal) => Promise<TransactionResult>;

export function transactOver(connection: Connection, keys: Keys, clock: Clock): Transact {
  const markerLease = sharedLease(() => openLease(connection, MARKER_TTL_S), clock, MARKER_LEASE_REUSE_MS);
  return async (transaction, signal) => {
    checkSize(transaction);
    const what = `write ${describe(transaction)}`;
    const marker = keys.txn(randomUUID());
    for (let attempt = 1; ; attempt++) {
      const request = requestOf(transaction, marker, await markerLease.get(signal));
      try {
        return resultOf(await connection.call(what, (client, options) => client.kv.txn(request, options), signal));
      } catch (error) {
        if (isUnanswered(faultOf((error as Error).cause))) throw undecided(error as MeshError);
        // The server has lost our marker's lease (wiped, restarted without it) or the caller's: nothing was applied.
        if (faultOf((error as Error).cause) !== 'lease-gone' || attempt > 1) throw error;
        markerLease.forget();
      }
    }
  };
}

/** Whoever asked must look before asking again, unless it surely never arrived. */
function undecided(error: MeshError): MeshError {
  if (faultOf(error.cause) === 'not-sent') return error;
  const { code, cause, retryable } = error;
  return new MeshError(code, `${error.message}; it may have been written all the same`, {
    cause,
    retryable,
    hint: 'See what is there (`mesh history`) before trying again.',
  });
}

function requestOf(transaction: Transaction, marker: string, lease: string): ITxnRequest {
  const puts = transaction.put.map(({ key, value, lease: own }): IRequestOp => {
    return { request_put: { key: Buffer.from(key), value: Buffer.from(value), lease: own ?? '0' } };
  });
  const deletes = transaction.delete.map((target): IRequestOp => {
    if (typeof target === 'string') return { request_delete_range: { key: Buffer.from(target) } };
    const start = Buffer.from(target.prefix);
    return { request_delete_range: { key: start, range_end: prefixEnd(start) ?? Buffer.of(0) } };
  });
  return {
    compare: [...transaction.compare.map(compareOf), compareOf({ key: marker, exists: false })],
    success: [...puts, ...deletes, { request_put: { key: Buffer.from(marker), value: Buffer.alloc(0), lease } }],
    failure: [{ request_range: { key: Buffer.from(marker) } }],
  };
}

function compareOf(compare: Compare): ICompare {
  const key = Buffer.from(compare.key);
  if ('modRevision' in compare) {
    return { key, target: 'Mod', result: 'Equal', mod_revision: String(compare.modRevision) };
  }
  if ('createRevision' in compare) {
    return { key, target: 'Create', result: 'Equal', create_revision: String(compare.createRevision) };
  }
  return { key, target: 'Version', result: compare.exists ? 'Greater' : 'Equal', version: '0' };
}

function resultOf(response: ITxnResponse): TransactionResult {
  if (response.succeeded) return { ok: true, storeRevision: BigInt(response.header.revision) };
  const ours = response.responses[0]?.response_range.kvs[0];
  if (ours) return { ok: true, storeRevision: BigInt(ours.create_revision) };
  return { ok: false, storeRevision: BigInt(response.header.revision) };
}

/** Into one transaction. */
export function fits(transaction: Transaction): boolean {
  return excessOf(transaction) === undefined;
}

function checkSize(transaction: Transaction): void {
  const excess = excessOf(transaction);
  if (excess === undefined) return;
  throw new MeshError('MESH2006', `a transaction on the store is too large: ${excess}`, {
    hint: 'Apply in smaller parts.',
  });
}

function excessOf(transaction: Transaction): string | undefined {
  const operations = transaction.put.length + transaction.delete.length;
  const bytes = transaction.put.reduce(
    (sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (operations > MAX_OPERATIONS) return `${operations} operations, at most ${MAX_OPERATIONS} fit`;
  const comparisons = transaction.compare.length;
  if (comparisons > MAX_OPERATIONS) return `${comparisons} comparisons, at most ${MAX_OPERATIONS} fit`;
  return bytes > MAX_BYTES ? `${bytes} bytes, at most ${MAX_BYTES} fit` : undefined;
}

/** Of one key. */
export interface Write {
  readonly key: string;
  /** Undefined: delete it. */
  readonly value: string | undefined;
}

/** As few transactions as hold all of them, in their order. */
export function inTransactions(writes: readonly Write[]): readonly Pick<Transaction, 'put' | 'delete'>[] {
  const batches: { put: Put[]; delete: string[] }[] = [];
  let operations = 0;
  let bytes = 0;
  for (const { key, value } of writes) {
    const size = Buffer.byteLength(key) + Buffer.byteLength(value ?? '');
    operations++;
    bytes += size;
    if (batches.length === 0 || operations > MAX_OPERATIONS || bytes > MAX_BYTES) {
      batches.push({ put: [], delete: [] });
      operations = 1;
      bytes = size;
    }
    if (value === undefined) batches.at(-1)?.delete.push(key);
    else batches.at(-1)?.put.push({ key, value });
  }
  return batches;
}

function describe({ put, delete: deleted }: Transaction): string {
  const first = put[0]?.key ?? deleted.map((target) => (typeof target === 'string' ? target : target.prefix))[0];
  const more = put.length + deleted.length - 1;
  return first === undefined ? 'nothing' : more > 0 ? `${first} and ${more} more` : first;
}
