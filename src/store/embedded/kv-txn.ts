/**
 * etcd's writes on our versions. A transaction is decided, then checked as a whole, then carried out: after the checks
 * nothing can fail, so nothing ever has to be undone.
 */
import type { IDeleteRangeRequest, IPutRequest, IRequestOp, ITxnRequest } from 'etcd3';
import { EtcdError } from './etcd-error.js';
import { answerRange, checkRange, spanOf, textOf, toWire } from './kv-range.js';
import type { Leases } from './leases.js';
import type { KeyVersion, Mvcc } from './mvcc.js';
import { holds } from './txn-compare.js';
import { checkPutShape, checkTxnShape, leaseOf } from './txn-shape.js';

export interface State {
  readonly mvcc: Mvcc;
  readonly leases: Leases;
}

export interface Header {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: number;
  readonly raft_term: number;
}

export function checkPut(state: State, request: IPutRequest): void {
  checkPutShape(request);
  checkLease(state, request);
  checkPrevious(state, request);
}

function checkPrevious({ mvcc }: State, request: IPutRequest): void {
  if (!request.ignore_value && !request.ignore_lease) return;
  if (!mvcc.get(textOf(request.key ?? Buffer.alloc(0)))) throw new EtcdError('keyNotFound');
}

function checkLease({ leases }: State, request: IPutRequest): void {
  if (leaseOf(request) !== '0') leases.checkExists(leaseOf(request));
}

export function applyPut({ mvcc, leases }: State, request: IPutRequest) {
  const key = textOf(request.key ?? Buffer.alloc(0));
  const before = mvcc.get(key);
  const value = request.ignore_value && before ? before.value : (request.value ?? Buffer.alloc(0));
  const lease = request.ignore_lease && before ? before.lease : leaseOf(request);
  mvcc.put(key, value, lease);
  leases.move(key, before?.lease ?? '0', lease);
  return { prev_kv: request.prev_kv && before ? toWire(before) : null };
}

export function checkDeleteRange(request: IDeleteRangeRequest): void {
  if (!request.key?.length) throw new EtcdError('emptyKey');
}

export function applyDeleteRange(state: State, request: IDeleteRangeRequest) {
  const deleted = [...state.mvcc.range(spanOf(request.key, request.range_end))];
  for (const version of deleted) deleteKey(state, version);
  return { deleted: deleted.length, prev_kvs: request.prev_kv ? deleted.map((version) => toWire(version)) : [] };
}

export function deleteKey({ mvcc, leases }: State, version: KeyVersion): void {
  mvcc.delete(version.key);
  leases.move(version.key, version.lease, '0');
}

interface DecidedTxn {
  readonly succeeded: boolean;
  readonly operations: readonly DecidedOperation[];
}

interface DecidedOperation {
  readonly operation: IRequestOp;
  readonly nested: DecidedTxn | undefined;
}

export function decideTxn(state: State, request: ITxnRequest): DecidedTxn {
  checkTxnShape(request);
  const decided = decide(state, request);
  checkDecided(state, decided);
  return decided;
}

/** Headers inside carry only the revision, and that of a nested transaction none at all: as etcd has it. */
export function applyTxn(state: State, txn: DecidedTxn): TxnAnswer {
  const responses = txn.operations.map(({ operation, nested }) => {
    const { request_put: put, request_delete_range: deleteRange, request_range: range } = operation;
    if (put) return { response_put: withRevision(state, applyPut(state, put)) };
    if (deleteRange) return { response_delete_range: withRevision(state, applyDeleteRange(state, deleteRange)) };
    if (range) return { response_range: withRevision(state, answerRange(state.mvcc, range)) };
    return nested ? { response_txn: { header: {}, ...applyTxn(state, nested) } } : {};
  });
  return { succeeded: txn.succeeded, responses };
}

interface TxnAnswer {
  readonly succeeded: boolean;
  readonly responses: readonly object[];
}

function withRevision<T extends object>({ mvcc }: State, answer: T): T & { header: { revision: number } } {
  return { header: { revision: mvcc.workingRevision }, ...answer };
}

/** Which branches will run: nested comparisons see the state before the transaction, as they do in etcd. */
function decide(state: State, request: ITxnRequest): DecidedTxn {
  const succeeded = (request.compare ?? []).every((compare) => holds(state.mvcc, compare));
  const operations = (succeeded ? request.success : request.failure) ?? [];
  return {
    succeeded,
    operations: operations.map((operation) => {
      return { operation, nested: operation.request_txn && decide(state, operation.request_txn) };
    }),
  };
}

/** All puts first, then all reads: as etcd reports them. */
function checkDecided(state: State, decided: DecidedTxn): void {
  const operations = [...flatten(decided)];
  for (const { request_put: put } of operations) {
    if (!put) continue;
    checkPrevious(state, put); // a put of its own is checked the other way round
    checkLease(state, put);
  }
  for (const { request_range: range } of operations) if (range) checkRange(state.mvcc, range);
}

function* flatten({ operations }: DecidedTxn): Generator<IRequestOp> {
  for (const { operation, nested } of operations) {
    if (nested) yield* flatten(nested);
    else yield operation;
  }
}
