/** What etcd answers when it refuses, text for text: clients recognise errors by these words. */
import { status } from '@grpc/grpc-js';

const REFUSALS = {
  emptyKey: [status.INVALID_ARGUMENT, 'etcdserver: key is not provided'],
  keyNotFound: [status.INVALID_ARGUMENT, 'etcdserver: key not found'],
  valueProvided: [status.INVALID_ARGUMENT, 'etcdserver: value is provided'],
  leaseProvided: [status.INVALID_ARGUMENT, 'etcdserver: lease is provided'],
  tooManyOperations: [status.INVALID_ARGUMENT, 'etcdserver: too many operations in txn request'],
  duplicateKey: [status.INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request'],
  requestTooLarge: [status.INVALID_ARGUMENT, 'etcdserver: request is too large'],
  compacted: [status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted'],
  futureRevision: [status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision'],
  leaseNotFound: [status.NOT_FOUND, 'etcdserver: requested lease not found'],
  leaseExists: [status.FAILED_PRECONDITION, 'etcdserver: lease already exists'],
  leaseTtlTooLarge: [status.OUT_OF_RANGE, 'etcdserver: too large lease TTL'],
  noSpace: [status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'],
  stopped: [status.UNAVAILABLE, 'etcdserver: server stopped'],
} as const satisfies Record<string, readonly [status, string]>;

/** In the form that grpc-js sends to the client. */
export class EtcdError extends Error {
  readonly code: status;
  readonly details: string;

  constructor(refusal: keyof typeof REFUSALS) {
    const [code, details] = REFUSALS[refusal];
    super(details);
    this.name = 'EtcdError';
    this.code = code;
    this.details = details;
  }
}
