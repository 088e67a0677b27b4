/** What etcd refuses in a request before it looks at the state. */
import type { IPutRequest, IRequestOp, ITxnRequest } from 'etcd3';
import { EtcdError } from './etcd-error.js';
import { spanContains, spanOf, textOf } from './kv-range.js';
import type { KeySpan } from './mvcc.js';

const MAX_TXN_OPERATIONS = 128;

export function checkTxnShape(request: ITxnRequest): void {
  checkShape(request, MAX_TXN_OPERATIONS);
  for (const branch of [request.success, request.failure]) checkOverlaps(branch ?? []);
}

export function checkPutShape(request: IPutRequest): void {
  if (!request.key?.length) throw new EtcdError('emptyKey');
  if (request.ignore_value && request.value?.length) throw new EtcdError('valueProvided');
  if (request.ignore_lease && leaseOf(request) !== '0') throw new EtcdError('leaseProvided');
}

export function leaseOf(request: IPutRequest): string {
  return String(request.lease ?? '0');
}

function checkShape(request: ITxnRequest, operationsLeft: number): void {
  const { compare = [], success = [], failure = [] } = request;
  const count = Math.max(compare.length, success.length, failure.length);
  if (count > operationsLeft) throw new EtcdError('tooManyOperations');
  if (compare.some((one) => !one.key?.length)) throw new EtcdError('emptyKey');
  for (const operation of [...success, ...failure]) checkOperationShape(operation, operationsLeft - count);
}

function checkOperationShape(operation: IRequestOp, operationsLeft: number): void {
  if (operation.request_txn) return checkShape(operation.request_txn, operationsLeft);
  if (operation.request_put) return checkPutShape(operation.request_put);
  const key = (operation.request_range ?? operation.request_delete_range)?.key;
  if (!key?.length) throw new EtcdError('emptyKey');
}

interface Touched {
  readonly puts: ReadonlySet<string>;
  readonly deletes: readonly KeySpan[];
}

/**
 * A key may be put once in a transaction, and not be put where it is deleted. As etcd checks it: the deletes of this level,
 * then the nested transactions in order, whose branches exclude each other, and the puts of this level against all of it.
 */
function checkOverlaps(operations: readonly IRequestOp[]): Touched {
  const puts = new Set<string>();
  const deletes = operations.flatMap(({ request_delete_range: one }) => (one ? [spanOf(one.key, one.range_end)] : []));
  const add = (key: string, isOtherBranch = false): void => {
    const isTwice = puts.has(key) && !isOtherBranch;
    if (isTwice || deletes.some((span) => spanContains(span, key))) throw new EtcdError('duplicateKey');
    puts.add(key);
  };
  for (const { request_txn: nested } of operations) {
    if (!nested) continue;
    const success = checkOverlaps(nested.success ?? []);
    const failure = checkOverlaps(nested.failure ?? []);
    for (const key of success.puts) add(key);
    for (const key of failure.puts) add(key, success.puts.has(key));
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const { request_put: put } of operations) if (put) add(textOf(put.key ?? Buffer.alloc(0)));
  return { puts, deletes };
}
