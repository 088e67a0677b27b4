/** Opens the store that --store names. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { EtcdLogin, TlsOptions } from '../store/connection.js';
import { type OpenedStore, openStore } from '../store/open-store.js';
import type { EtcdAccess, Settings } from './settings.js';

/** A single call to the store that takes longer has failed; a retry comes sooner to a good endpoint. */
const MAX_CALL_MS = 5000;

export interface MeshStoreOptions {
  readonly url: string;
  readonly settings: Settings;
  readonly cwd: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** See OpenStoreOptions. */
  readonly allowUnfinished?: boolean;
}

export async function openMeshStore(options: MeshStoreOptions): Promise<OpenedStore> {
  const { url, settings, cwd, clock, log, allowUnfinished = false } = options;
  const timeoutMs = Math.min(settings.timeoutMs, MAX_CALL_MS);
  const tls = await readTls(settings.etcd, cwd);
  const login = loginOf(settings.etcd);
  return openStore(absolute(url, cwd), {
    clock,
    log,
    timeoutMs,
    allowUnfinished,
    ...(tls === undefined ? {} : { tls }),
    ...(login === undefined ? {} : { login }),
  });
}

function absolute(url: string, cwd: string): string {
  const embedded = /^embedded:(?:\/\/)?(.+)$/.exec(url);
  return embedded === null ? url : `embedded:${resolve(cwd, embedded[1] as string)}`;
}

function loginOf({ user, password }: EtcdAccess): EtcdLogin | undefined {
  if (user === undefined) return undefined;
  if (password !== undefined) return { user, password };
  throw new MeshError('MESH2007', `etcd user "${user}" has no password`, {
    hint: 'Set it in the environment: MESH_ETCD_PASSWORD',
  });
}

async function readTls({ ca, cert, key }: EtcdAccess, cwd: string): Promise<TlsOptions | undefined> {
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if (ca === undefined) {
    throw new MeshError('MESH2007', '--etcd-cert and --etcd-key need --etcd-ca', { hint: 'name the CA of etcd' });
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new MeshError('MESH2007', `--etcd-${cert === undefined ? 'cert' : 'key'} is missing`, {
      hint: 'A certificate and its key are given together.',
    });
  }
  const read = (name: string): Promise<Buffer> =>
    readFile(resolve(cwd, name)).catch((error: unknown) => {
      throw new MeshError('MESH2007', `could not read ${name}: ${messageOf(error)}`, {
        hint: 'check --etcd-ca, --etcd-cert and --etcd-key',
      });
    });
  return {
    ca: await read(ca),
    ...(cert === undefined || key === undefined ? {} : { cert: await read(cert), key: await read(key) }),
  };
}
