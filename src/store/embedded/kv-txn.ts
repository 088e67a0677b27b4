/**
 * etcd's writes on our versions. A transaction is decided, then checked as a whole, then carried out: after the checks
 * nothing can fail, so nothing ever has to be undone.
 */
import type { ICompare, IDeleteRangeRequest, IPutRequest, IRequestOp, ITxnRequest } from 'etcd3';
import { EtcdError } from './etcd-error.js';
import { answerRange, checkRange, spanContains, spanOf, textOf, toWire } from './kv-range.js';
import type { Leases } from './leases.js';
import type { KeySpan, KeyVersion, Mvcc } from './mvcc.js';

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

const MAX_TXN_OPERATIONS = 128;

export function checkPut({ mvcc, leases }: State, request: IPutRequest): void {
  if (!request.key?.length) throw new EtcdError('emptyKey');
  if (request.ignore_value && request.value?.length) throw new EtcdError('valueProvided');
  const lease = String(request.lease ?? '0');
  if (request.ignore_lease && lease !== '0') throw new EtcdError('leaseProvided');
  if ((request.ignore_value || request.ignore_lease) && !mvcc.get(textOf(request.key)))
    throw new EtcdError('keyNotFound');
  if (lease !== '0') leases.checkExists(lease);
}

export function applyPut({ mvcc, leases }: State, request: IPutRequest) {
  const key = textOf(request.key ?? Buffer.alloc(0));
  const before = mvcc.get(key);
  const value = request.ignore_value && before ? before.value : (request.value ?? Buffer.alloc(0));
  const lease = request.ignore_lease && before ? before.lease : String(request.lease ?? '0');
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
  checkTxn(request, MAX_TXN_OPERATIONS);
  const decided = decide(state, request);
  checkDecided(state, decided);
  return decided;
}

export function applyTxn(state: State, txn: DecidedTxn, header: () => Header): object {
  const responses = txn.operations.map(({ operation, nested }) => {
    if (operation.request_range) {
      return { response_range: { header: header(), ...answerRange(state.mvcc, operation.request_range) } };
    }
    if (operation.request_put) return { response_put: { header: header(), ...applyPut(state, operation.request_put) } };
    if (operation.request_delete_range) {
      const response = applyDeleteRange(state, operation.request_delete_range);
      return { response_delete_range: { header: header(), ...response } };
    }
    return nested ? { response_txn: applyTxn(state, nested, header) } : {};
  });
  return { header: header(), succeeded: txn.succeeded, responses };
}

function checkTxn(request: ITxnRequest, operationsLeft: number): void {
  const { compare = [], success = [], failure = [] } = request;
  const count = Math.max(compare.length, success.length, failure.length);
  if (count > operationsLeft) throw new EtcdError('tooManyOperations');
  if (compare.some((one) => !one.key?.length)) throw new EtcdError('emptyKey');
  for (const branch of [success, failure]) {
    for (const operation of branch) checkOperation(operation, operationsLeft - count);
    checkDuplicates(branch);
  }
}

function checkOperation(operation: IRequestOp, operationsLeft: number): void {
  if (operation.request_txn) return checkTxn(operation.request_txn, operationsLeft);
  const key = (operation.request_put ?? operation.request_range ?? operation.request_delete_range)?.key;
  if (!key?.length) throw new EtcdError('emptyKey');
}

interface Touched {
  readonly puts: ReadonlySet<string>;
  readonly deletes: readonly KeySpan[];
}

/** A key may be put once in a transaction, and not both put and deleted. Branches exclude each other. */
function checkDuplicates(operations: readonly IRequestOp[]): Touched {
  const puts = new Set<string>();
  const deletes: KeySpan[] = [];
  const addPut = (key: string): void => {
    if (puts.has(key)) throw new EtcdError('duplicateKey');
    puts.add(key);
  };
  for (const { request_put, request_delete_range, request_txn } of operations) {
    if (request_put) addPut(textOf(request_put.key ?? Buffer.alloc(0)));
    if (request_delete_range) deletes.push(spanOf(request_delete_range.key, request_delete_range.range_end));
    if (!request_txn) continue;
    const branches = [checkDuplicates(request_txn.success ?? []), checkDuplicates(request_txn.failure ?? [])];
    for (const key of new Set(branches.flatMap((branch) => [...branch.puts]))) addPut(key);
    deletes.push(...branches.flatMap((branch) => branch.deletes));
  }
  for (const key of puts) if (deletes.some((span) => spanContains(span, key))) throw new EtcdError('duplicateKey');
  return { puts, deletes };
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

function checkDecided(state: State, txn: DecidedTxn): void {
  for (const { operation, nested } of txn.operations) {
    if (operation.request_put) checkPut(state, operation.request_put);
    if (operation.request_range) checkRange(state.mvcc, operation.request_range);
    if (nested) checkDecided(state, nested);
  }
}

/** On a range: for every key in it. A key that does not exist has revisions, version and lease 0, and no value. */
function holds(mvcc: Mvcc, compare: ICompare): boolean {
  const found = [...mvcc.range(spanOf(compare.key, compare.range_end))];
  if (found.length === 0) return compare.target !== 'Value' && matches(compare, undefined);
  return found.every((version) => matches(compare, version));
}

function matches(compare: ICompare, version: KeyVersion | undefined): boolean {
  const order = orderOf(compare, version);
  switch (String(compare.result ?? 'Equal')) {
    case 'Equal':
      return order === 0;
    case 'NotEqual':
      return order !== 0;
    case 'Greater':
      return order > 0;
    default:
      return order < 0;
  }
}

/** Negative, zero or positive: what the store has against what the client named. */
function orderOf(compare: ICompare, version: KeyVersion | undefined): number {
  switch (String(compare.target ?? 'Version')) {
    case 'Value':
      return (version?.value ?? Buffer.alloc(0)).compare(compare.value ?? Buffer.alloc(0));
    case 'Create':
      return (version?.createRevision ?? 0) - Number(compare.create_revision ?? 0);
    case 'Mod':
      return (version?.modRevision ?? 0) - Number(compare.mod_revision ?? 0);
    case 'Lease': {
      const difference = BigInt(version?.lease ?? 0) - BigInt(compare.lease ?? 0);
      return difference === 0n ? 0 : difference > 0n ? 1 : -1;
    }
    default:
      return (version?.version ?? 0) - Number(compare.version ?? 0);
  }
}
