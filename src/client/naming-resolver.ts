/**
 * Live addresses of a service from etcd's gRPC naming format, for clients that go without a proxy (mode 3). The list is
 * a mirror: with etcd away it stays as it was, and only a deleted key takes an address out of it.
 */
import { MeshError } from '../runtime/mesh-error.js';
import type { Mirror, Store } from '../store/store.js';
import { addressesOf } from './addresses.js';

export interface Naming {
  /** Sorted, each address once. */
  addresses(): readonly string[];
  /** The next address in turn; throws MESH2005 when there is none. */
  next(): string;
  /** Called after each change of the list; returns how to stop listening. */
  onChange(listener: (addresses: readonly string[]) => void): () => void;
  close(): Promise<void>;
}

/** As much of a store as naming needs. */
export type NamingSource = Pick<Store, 'mirror' | 'description'>;

export interface NamingOptions {
  /** Stays open when the naming is closed: it is the caller's. */
  readonly store: NamingSource;
  /** What stands after `etcd:///` in the address, for instance `services/reviews`. */
  readonly path: string;
}

/** Resolves with the first complete list, which may be empty; rejects with the signal's reason before that. */
export async function createNamingResolver(options: NamingOptions, signal?: AbortSignal): Promise<Naming> {
  const range = { prefix: `${options.path.replace(/\/+$/, '')}/` };
  const listeners = new Set<(addresses: readonly string[]) => void>();
  let addresses: readonly string[] = [];
  let turn = 0;

  const update = (): void => {
    const next = addressesOf(mirror.entries.values());
    if (next.join() === addresses.join()) return; // a key was only written again
    addresses = next;
    for (const listener of listeners) listener(addresses);
  };
  const mirror = options.store.mirror({ list: [range], watch: [range], onChange: update });
  await firstList(mirror, signal);

  return {
    addresses: () => addresses,
    next: () => {
      const address = addresses[turn++ % addresses.length];
      if (address !== undefined) return address;
      throw new MeshError(
        'MESH2005',
        `no instance is registered below ${range.prefix} in ${options.store.description}`,
      );
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => mirror.close(),
  };
}

async function firstList(mirror: Mirror, signal: AbortSignal | undefined): Promise<void> {
  const stop = (): void => void mirror.close();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  try {
    await mirror.whenListed;
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
