import type { MethodDefinition } from '@grpc/grpc-js';

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

export function bidirectional(path: string): MethodDefinition<Buffer, Buffer> {
  return raw(path, true);
}

export function unary(path: string): MethodDefinition<Buffer, Buffer> {
  return raw(path, false);
}
