/** Asks a sidecar's admin interface, which listens on a unix socket that only this machine can reach. */
import { open } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { MeshError, messageOf } from '../runtime/mesh-error.js';

const CALL_LIMIT_MS = 2000;
/** A longer path does not fit into a socket address (unix(7): 108 bytes with the final zero). */
const MAX_SOCKET_PATH_BYTES = 107;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** What comes in for the app: HTTP requests, and connections where the port is plain TCP. */
const IN_FLIGHT_STATS = '^(http\\.inbound.*\\.downstream_rq_active|tcp\\.inbound.*\\.downstream_cx_active)$';

/** Requests (TCP: connections) that callers have open through this sidecar's inbound listeners. */
export async function requestsInFlight(socketPath: string, signal: AbortSignal): Promise<number> {
  const query = `/stats?format=json&filter=${encodeURIComponent(IN_FLIGHT_STATS)}`;
  const text = await throughShortPath(socketPath, (short) => get(short, query, signal));
  // Shape: Envoy's admin interface, `GET /stats?format=json`; counters and gauges have a value, histograms do not.
  const { stats } = JSON.parse(text) as { readonly stats: readonly { readonly value?: number }[] };
  return stats.reduce((sum, stat) => sum + (stat.value ?? 0), 0);
}

/** Data directories may be deep: then the socket is reached through an open handle on its folder. */
async function throughShortPath<T>(socketPath: string, call: (short: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES) return call(socketPath);
  const folder = await open(path.dirname(socketPath), 'r');
  try {
    return await call(`/proc/self/fd/${folder.fd}/${path.basename(socketPath)}`);
  } finally {
    await folder.close();
  }
}

function get(socketPath: string, path: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(
        new MeshError('MESH2009', `could not ask the sidecar at ${socketPath}: ${messageOf(error)}`, { cause: error }),
      );
    const call = request({ socketPath, path, agent: false, signal, timeout: CALL_LIMIT_MS });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${CALL_LIMIT_MS} ms`)));
    call.on('error', fail);
    call.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) call.destroy(new Error('the answer is too long'));
      });
      response.on('error', fail);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else fail(new Error(`HTTP status ${response.statusCode}`));
      });
    });
    call.end();
  });
}
