/** The API in this process, straight on the store: for the day when no pilot is left. */

import { createApi } from '../pilot/api/api.js';
import { createLogger } from '../runtime/logger.js';
import type { Transport } from './api-client.js';
import type { Io } from './io.js';
import { loadKinds } from './kind-words.js';
import { openMeshStore } from './mesh-store.js';
import { requireStore, type Settings } from './settings.js';
import { packageVersion } from './version.js';

export async function storeTransport(settings: Settings, io: Io): Promise<Transport> {
  const log = createLogger('mesh', settings.verbose ? 'info' : 'error');
  const store = await openMeshStore({ url: requireStore(settings), settings, cwd: io.cwd, clock: io.clock, log });
  const api = createApi({ store, kinds: await loadKinds(), clock: io.clock, log, version: packageVersion() });
  return {
    address: store.description,
    async send({ method, path, body }, signal) {
      const response = await api.request(`http://in-process${path}`, {
        method,
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    },
    close: () => store.close(),
  };
}
