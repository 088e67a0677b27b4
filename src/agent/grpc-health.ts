/** One `grpc.health.v1.Health/Check` over a connection of its own. */
import { connect } from 'node:http2';
import { hostPort } from '../model/host-port.js';
import { decodeHealthResponse, encodeHealthRequest } from './grpc-frames.js';

const MAX_RESPONSE_BYTES = 1024;

/** Resolves with why the server is not serving, or undefined when it is. Rejects when the signal aborts first. */
export function checkGrpcHealth(
  host: string,
  port: number,
  service: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${hostPort(host, port)}`);
    const end = (failure: string | undefined): void => {
      signal.removeEventListener('abort', aborted);
      session.destroy();
      resolve(failure);
    };
    const aborted = (): void => {
      session.destroy();
      reject(signal.reason as Error);
    };
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted, { once: true });
    session.on('error', (error) => end(error.message));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let status: string | undefined;
    const grpcStatus = (headers: Record<string, unknown>): void => {
      // A server without an answer sends the status in the headers ("Trailers-Only"), any other in the trailers.
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'] as string);
    };
    stream.on('response', grpcStatus);
    stream.on('trailers', grpcStatus);
    stream.on('error', (error) => end(error.message));
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_RESPONSE_BYTES) end('the answer is too long for a health response');
      else chunks.push(chunk);
    });
    stream.on('end', () => end(verdict(status, Buffer.concat(chunks))));
    stream.end(encodeHealthRequest(service));
  });
}

function verdict(status: string | undefined, body: Buffer): string | undefined {
  if (status === undefined) return 'the answer is not gRPC';
  if (status !== '0') return `gRPC status ${status}`;
  const serving = decodeHealthResponse(body);
  return serving === 'SERVING' ? undefined : `the server says ${serving ?? 'something that is not a health response'}`;
}
