/** One look at an app or a sidecar. Each answers why it is not well, or undefined when it is; none of them throws. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { messageOf } from '../runtime/mesh-error.js';
import { checkGrpcHealth } from './grpc-health.js';

export type ProbeKind =
  | { readonly kind: 'http'; readonly path: string; readonly isOk: (status: number) => boolean }
  | { readonly kind: 'grpc'; readonly service: string }
  /** `also`: why it is not well although the kernel has taken the connection. */
  | { readonly kind: 'tcp'; readonly also?: () => Promise<string | undefined> }
  /** Where it runs is the business of whoever made it; host and port mean nothing to it. */
  | { readonly kind: 'command'; readonly run: (signal: AbortSignal) => Promise<string | undefined> };

export interface Probe {
  readonly what: ProbeKind;
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

export async function probe(target: Probe, signal: AbortSignal): Promise<string | undefined> {
  const limit = new AbortController();
  const stop = (): void => limit.abort(signal.reason);
  const timer = setTimeout(() => limit.abort(new Error(`no answer within ${target.timeoutMs} ms`)), target.timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await once(target, limit.signal);
  } catch (error) {
    return messageOf(limit.signal.aborted ? limit.signal.reason : error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function once(target: Probe, signal: AbortSignal): Promise<string | undefined> {
  const { what, host, port } = target;
  switch (what.kind) {
    case 'http':
      return get(host, port, what.path, what.isOk, signal);
    case 'grpc':
      return checkGrpcHealth(host, port, what.service, signal);
    case 'tcp':
      return dial(host, port, signal).then((failure) => failure ?? what.also?.());
    case 'command':
      return what.run(signal);
  }
}

function get(
  host: string,
  port: number,
  path: string,
  isOk: (status: number) => boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, agent: false, signal, headers: { 'user-agent': 'lightmesh-agent' } });
    call.on('response', (response) => {
      const status = response.statusCode ?? 0;
      // The status is the answer: the body is not waited for, and the connection is not used again.
      response.destroy();
      resolve(isOk(status) ? undefined : `HTTP status ${status}`);
    });
    call.on('error', reject);
    call.end();
  });
}

function dial(host: string, port: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('error', reject);
  });
}
