import type { MethodDefinition } from '@grpc/grpc-js';
import type { Pieces } from './wire.js';

const asIs = (message: Buffer): Buffer => message;

/** Messages stay bytes on both sides: what is sent was encoded long before, and once. */
function raw(path: string, isStreaming: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream: isStreaming,
    responseStream: isStreaming,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

/** The answers in pieces: grpc-js asks a serialized message for its `byteLength`, and to copy itself into the frame. */
export function inPieces(path: string): MethodDefinition<Buffer, Pieces> {
  const responseSerialize = (message: Pieces): Buffer => message as unknown as Buffer;
  const responseDeserialize = (): never => {
    throw new Error('answers in pieces are only sent');
  };
  return { ...raw(path, true), responseSerialize, responseDeserialize };
}

export function bidirectional(path: string): MethodDefinition<Buffer, Buffer> {
  return raw(path, true);
}

export function unary(path: string): MethodDefinition<Buffer, Buffer> {
  return raw(path, false);
}
