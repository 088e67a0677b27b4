import type { handleUnaryCall } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { messageOf } from '../../runtime/mesh-error.js';
import type { Engine } from './engine.js';
import { EtcdError } from './etcd-error.js';
import { bytesOfRequest } from './protos.js';

const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

export type Unary = <Request extends object>(handle: (request: Request) => object) => handleUnaryCall<Request, object>;

/** Changes are made at once, one request after the other; the answer waits until the disk has them. Reads wait likewise. */
export function unaryOver(engine: Engine): Unary {
  return (handle) =>
    ({ request }, callback) => {
      let response: object;
      try {
        if (bytesOfRequest(request) > MAX_REQUEST_BYTES) throw new EtcdError('requestTooLarge');
        response = handle(request);
      } catch (error) {
        callback(error instanceof EtcdError ? error : { code: status.INTERNAL, details: messageOf(error) });
        return;
      }
      const durable = engine.durable();
      if (!durable) return callback(null, response);
      durable.then(
        () => callback(null, response),
        () => callback(new EtcdError('stopped')),
      );
    };
}
