/**
 * Live addresses of a service from etcd's gRPC naming format, for clients that go without a proxy (mode 3). The list is
 * a mirror: with etcd away it stays as it was, and only deleted keys take addresses out of it.
 */
import { type Clock, systemClock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Mirror, Store } from '../store/store.js';
import { addressesOf, nextGiven, nothingGiven } from './addresses.js';

export interface Naming {
  /** Sorted, each address once. Empty when nobody has been registered for a minute (the last ones are given until then). */
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
  readonly clock?: Clock;
}

/** Resolves with the first complete list, which may be empty; rejects with the signal's reason before that. */
export async function createNamingResolver(options: NamingOptions, signal?: AbortSignal): Promise<Naming> {
  const { store, clock = systemClock } = options;
  const range = { prefix: `${options.path.replace(/\/+$/, '')}/` };
  const listeners = new Set<(addresses: readonly string[]) => void>();
  const closing = new AbortController();
  let given = nothingGiven;
  let turn = 0;

  const update = (): void => {
    const before = given;
    given = nextGiven(before, addressesOf(mirror.entries.values()), clock.monotonic());
    if (given.heldUntilMs !== undefined && before.heldUntilMs === undefined) {
      hold(given.heldUntilMs).catch(() => {}); // closed
    }
    if (given.addresses.join() === before.addresses.join()) return; // a key was only written again
    for (const listener of listeners) listener(given.addresses);
  };
  const hold = async (untilMs: number): Promise<void> => {
    while (given.heldUntilMs === untilMs) {
      await clock.sleep(Math.max(1, untilMs - clock.monotonic()), closing.signal);
      update();
    }
  };
  const mirror = store.mirror({ list: [range], watch: [range], onChange: update });
  await firstList(mirror, signal);

  return {
    addresses: () => given.addresses,
    next: () => {
      const address = given.addresses[turn++ % given.addresses.length];
      if (address !== undefined) return address;
      throw new MeshError('MESH2005', `no instance is registered below ${range.prefix} in ${store.description}`, {
        hint: 'Look at what is registered with `mesh status`.',
      });
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      closing.abort(new Error('closed'));
      return mirror.close();
    },
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
