/** The store that an operator's command works on, and how it speaks of it. */
import { access, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createLogger } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { OpenedStore } from '../store/open-store.js';
import { parseStoreUrl } from '../store/store-url.js';
import { openMeshStore } from './mesh-store.js';
import type { Session } from './session.js';
import { dataDirOf, isRunning, readUpState } from './up-state.js';

type Act<T> = (store: OpenedStore) => Promise<T>;

/** On one that is there: a mistyped directory must not become a new, empty store. */
export async function withOperatorStore<T>(session: Session, act: Act<T>): Promise<T> {
  return withExistingStore(session, await storeUrlFor(session), act);
}

export async function withExistingStore<T>(session: Session, url: string, act: Act<T>): Promise<T> {
  const parsed = parseStoreUrl(url);
  if (parsed.kind === 'embedded') {
    const dir = resolve(session.io.cwd, parsed.dir);
    await access(join(dir, 'address')).catch(() => {
      throw new MeshError('MESH2005', `there is no embedded store in ${dir}`, {
        hint: 'name the --data-dir of its mesh',
      });
    });
  }
  return withStoreAt(session, url, act);
}

export async function withStoreAt<T>(session: Session, url: string, act: Act<T>): Promise<T> {
  const store = await openAnywhere(session, url);
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

/** Of the context or the flag, else that of the `mesh up` that runs here, else the one that it left. */
export async function storeUrlFor({ settings, io }: Session): Promise<string> {
  if (settings.store !== undefined) return settings.store;
  const dataDir = dataDirOf(undefined, io);
  const state = await readUpState(dataDir);
  if (state === undefined) {
    throw new MeshError('MESH2007', '--store is missing, and no mesh was started on this machine with `mesh up`', {
      hint: 'such as --store etcd://10.0.0.4:2379, or embedded:DIR on one machine',
    });
  }
  return (await isRunning(state)) ? state.storeUrl : `embedded:${dataDir}`;
}

/** A directory that another process serves is used by its address. */
async function openAnywhere({ settings, io }: Session, url: string): Promise<OpenedStore> {
  const log = createLogger('mesh', settings.verbose ? 'info' : 'error');
  const open = (at: string): Promise<OpenedStore> =>
    openMeshStore({ url: at, settings, cwd: io.cwd, clock: io.clock, log, allowUnfinished: true });
  try {
    return await open(url);
  } catch (error) {
    const parsed = parseStoreUrl(url);
    const isServed = error instanceof MeshError && error.code === 'MESH2011' && parsed.kind === 'embedded';
    if (!isServed) throw error;
    const address = (await readFile(join(resolve(io.cwd, parsed.dir), 'address'), 'utf8')).trim();
    return open(`etcd://${address}`);
  }
}
