/** What a request costs of the quota, counted as etcd counts it: before it is known which branch of a transaction runs. */
import type { IPutRequest, IRequestOp, ITxnRequest } from 'etcd3';

const KEY_OVERHEAD_BYTES = 256;
export const LEASE_COST_BYTES = 64;

export function costOfPut(request: IPutRequest): number {
  return KEY_OVERHEAD_BYTES + (request.key?.length ?? 0) + (request.value?.length ?? 0);
}

/** 0 when neither branch writes anything: such a transaction is taken also by a store that is full. */
export function costOfTxn({ success = [], failure = [] }: ITxnRequest): number {
  return Math.max(costOfAll(success), costOfAll(failure));
}

function costOfAll(operations: readonly IRequestOp[]): number {
  return operations.reduce((sum, operation) => sum + costOf(operation), 0);
}

function costOf({ request_put: put, request_txn: nested }: IRequestOp): number {
  return put ? costOfPut(put) : nested ? costOfTxn(nested) : 0;
}
