import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { Transport } from './api-client.js';

/** JSON over HTTP to a pilot. A refused or lost connection names the address and the ways to a running pilot. */
export function httpTransport(server: string, fetchFunction: typeof fetch): Transport {
  return {
    address: server,
    async send(request, signal) {
      const response = await connect(server, fetchFunction, request.path, {
        method: request.method,
        signal,
        headers: { accept: 'application/json', ...(request.body === undefined ? {} : jsonHeader) },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      });
      const text = await response.text();
      return { status: response.status, body: parseBody(text, server, response.status) };
    },
    close: () => Promise.resolve(),
  };
}

const jsonHeader = { 'content-type': 'application/json' };

async function connect(
  server: string,
  fetchFunction: typeof fetch,
  path: string,
  init: RequestInit,
): Promise<Response> {
  try {
    return await fetchFunction(`${server}${path}`, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new MeshError('MESH2002', `no pilot answers at ${server} (${reason(error)})`, {
      cause: error,
      retryable: true,
      hint: 'start one with `mesh up`, name another with --server, or work on the store itself with --store URL',
    });
  }
}

/** fetch says only "fetch failed"; what happened is in its cause. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  if (cause?.code === 'ECONNREFUSED') return 'connection refused';
  return cause?.code ?? cause?.message ?? messageOf(error);
}

function parseBody(text: string, server: string, status: number): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    // A proxy or another program in the pilot's place: its page says nothing to us, its status does.
    if (status >= 400) return undefined;
    throw new MeshError('MESH2002', `${server} does not answer as a pilot does: its answer is no JSON`, {
      cause: error,
      hint: 'check the address in --server or MESH_SERVER',
    });
  }
}
