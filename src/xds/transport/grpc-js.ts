/** The transport over @grpc/grpc-js. */
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { Pieces } from '../wire.js';
import { type Call, type CallHandler, grpcCode, limits, type Methods, type Transport } from './transport.js';

const channelOptions = {
  'grpc.keepalive_time_ms': limits.pingAfterMs,
  'grpc.keepalive_timeout_ms': limits.pingLimitMs,
  'grpc.max_connection_idle_ms': limits.idleMs,
  'grpc.max_receive_message_length': limits.messageBytes,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': limits.callsPerConnection,
};

export function grpcJsTransport(methods: Methods): Transport {
  const server = new Server(channelOptions);
  for (const [path, open] of methods) {
    server.addService({ [path]: inPieces(path) }, { [path]: bidirectional(open) as UntypedHandleCall });
  }
  return {
    listen: (address) => bind(server, address),
    drain: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
    destroy: () => server.forceShutdown(),
  };
}

function bidirectional(open: (call: Call) => CallHandler) {
  return (call: ServerDuplexStream<Buffer, Pieces>): void => {
    let isEnded = false;
    let isTold = false;
    const handler = open({
      peer: call.getPeer(),
      write(message) {
        if (!isEnded) call.write(message);
      },
      end(code = grpcCode.OK, details = '') {
        if (isEnded) return;
        isEnded = true;
        if (code === grpcCode.OK) call.end();
        else call.emit('error', { code, details });
      },
    });
    const ended = (): void => {
      if (isTold) return;
      isTold = true;
      handler.ended();
    };
    call.on('data', (message: Buffer) => handler.received(message));
    for (const event of ['end', 'cancelled', 'error', 'close']) call.on(event, ended);
  };
}

/** Messages stay bytes. The answers in pieces: grpc-js asks a serialized message for its `byteLength`, and to copy itself into the frame. */
function inPieces(path: string): MethodDefinition<Buffer, Pieces> {
  const asIs = (message: Buffer): Buffer => message;
  const responseSerialize = (message: Pieces): Buffer => message as unknown as Buffer;
  const responseDeserialize = (): never => {
    throw new Error('answers in pieces are only sent');
  };
  const [requestSerialize, requestDeserialize] = [asIs, asIs];
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize,
    requestDeserialize,
    responseSerialize,
    responseDeserialize,
  };
}

function bind(server: Server, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(address.startsWith('unix:') ? address : `${address.slice(0, address.lastIndexOf(':'))}:${port}`);
    });
  });
}
