import { type Api, createApi } from './api-client.js';
import { httpTransport } from './http-transport.js';
import type { Io } from './io.js';
import type { Settings } from './settings.js';

/** Over --server, or over the API in this process for --store. */
export async function connectApi(settings: Settings, io: Io): Promise<{ api: Api; close(): Promise<void> }> {
  const transport =
    settings.store === undefined
      ? httpTransport(settings.server, io.fetch)
      : await (await import('./break-glass.js')).storeTransport(settings, io);
  const api = createApi(transport, { timeoutMs: settings.timeoutMs, signal: io.signal });
  return { api, close: () => transport.close() };
}
