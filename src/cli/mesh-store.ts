/** Opens the store that --store names. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { openStore } from '../store/open-store.js';
import type { Store } from '../store/store.js';
import type { Settings, TlsFiles } from './settings.js';

/** A single call to the store that takes longer has failed; a retry comes sooner to a good endpoint. */
const MAX_CALL_MS = 5000;

export interface MeshStoreOptions {
  readonly url: string;
  readonly settings: Settings;
  readonly cwd: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function openMeshStore({ url, settings, cwd, clock, log }: MeshStoreOptions): Promise<Store> {
  const timeoutMs = Math.min(settings.timeoutMs, MAX_CALL_MS);
  const tls = await readTls(settings.tls, cwd);
  return openStore(absolute(url, cwd), { clock, log, timeoutMs, ...(tls === undefined ? {} : { tls }) });
}

function absolute(url: string, cwd: string): string {
  const embedded = /^embedded:(?:\/\/)?(.+)$/.exec(url);
  return embedded === null ? url : `embedded:${resolve(cwd, embedded[1] as string)}`;
}

async function readTls(files: TlsFiles, cwd: string): Promise<{ ca: Buffer; cert?: Buffer; key?: Buffer } | undefined> {
  if (files.ca === undefined && files.cert === undefined && files.key === undefined) return undefined;
  if (files.ca === undefined) {
    throw new MeshError('MESH2007', '--etcd-cert and --etcd-key need --etcd-ca', { hint: 'name the CA of etcd' });
  }
  const read = (name: string): Promise<Buffer> =>
    readFile(resolve(cwd, name)).catch((error: unknown) => {
      throw new MeshError('MESH2007', `could not read ${name}: ${messageOf(error)}`);
    });
  return {
    ca: await read(files.ca),
    ...(files.cert === undefined ? {} : { cert: await read(files.cert) }),
    ...(files.key === undefined ? {} : { key: await read(files.key) }),
  };
}
