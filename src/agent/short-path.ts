/** Data directories may be deep, and the address of a unix socket is short: it is then reached through its open folder. */
import { open } from 'node:fs/promises';
import path from 'node:path';

/** A longer path does not fit into a socket address (unix(7): 108 bytes with the final zero). */
const MAX_SOCKET_PATH_BYTES = 107;

/** The short path is good until the call is over. */
export async function throughShortPath<T>(socketPath: string, call: (short: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES) return call(socketPath);
  const folder = await open(path.dirname(socketPath), 'r');
  try {
    return await call(`/proc/self/fd/${folder.fd}/${path.basename(socketPath)}`);
  } finally {
    await folder.close();
  }
}
