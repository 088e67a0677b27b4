import type { ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ICompactionRequest, IDeleteRangeRequest, IPutRequest, IRangeRequest, ITxnRequest } from 'etcd3';
import type { Engine } from './engine.js';
import { EtcdError } from './etcd-error.js';
import { answerRange, checkRange } from './kv-range.js';
import { applyDeleteRange, applyPut, applyTxn, checkDeleteRange, checkPut, decideTxn } from './kv-txn.js';
import { costOfPut, costOfTxn } from './quota.js';
import type { Unary } from './unary.js';

export function kvService(engine: Engine, unary: Unary): UntypedServiceImplementation {
  /** With the header as it is after the change. */
  const answer = (response: object): object => ({ header: engine.header, ...response });
  const compact = unary((request: ICompactionRequest) => {
    engine.admit(0);
    engine.compact(Number(request.revision ?? 0));
    return answer({});
  });
  return {
    Range: unary((request: IRangeRequest) => {
      checkRange(engine.mvcc, request);
      return answer(answerRange(engine.mvcc, request));
    }),
    Put: unary((request: IPutRequest) => {
      checkPut(engine, request);
      engine.admit(costOfPut(request));
      return answer(engine.change(() => applyPut(engine, request)));
    }),
    DeleteRange: unary((request: IDeleteRangeRequest) => {
      checkDeleteRange(request);
      engine.admit(0);
      return answer(engine.change(() => applyDeleteRange(engine, request)));
    }),
    Txn: unary((request: ITxnRequest) => {
      const decided = decideTxn(engine, request);
      engine.admit(costOfTxn(request));
      return answer(engine.change(() => applyTxn(engine, decided)));
    }),
    // Watchers hear of a revision when the disk has it: one that they have not heard of must not be compacted.
    Compact: (call: ServerUnaryCall<ICompactionRequest, object>, callback: sendUnaryData<object>) => {
      const heard = engine.durable() ?? Promise.resolve();
      heard.then(
        () => compact(call, callback),
        () => callback(new EtcdError('stopped')),
      );
    },
  };
}
