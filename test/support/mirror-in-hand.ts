/** A mirror whose entries the test sets, for what stands on a mirror. */
import type { NamingSource } from '../../src/client/naming.js';
import type { Entry, Mirror, MirrorOptions, Range } from '../../src/store/store.js';

export interface MirrorInHand {
  readonly store: NamingSource;
  /** The ranges that were asked for. */
  readonly asked: readonly Range[];
  /** These and no others are the entries from now on. */
  list(entries: Readonly<Record<string, string>>): void;
  isClosed(): boolean;
}

export function mirrorInHand(): MirrorInHand {
  const asked: Range[] = [];
  const entries = new Map<string, Entry>();
  let isClosed = false;
  let change: MirrorOptions['onChange'] = () => {};
  let resolve = (): void => {};
  let reject: (reason: Error) => void = () => {};
  const whenListed = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const mirror: Mirror = {
    entries,
    storeRevision: 1n,
    synced: true,
    epoch: undefined,
    lastSyncedMonotonicMs: 0,
    whenListed,
    reach: () => Promise.resolve(),
    onState: () => () => {},
    close: () => {
      isClosed = true;
      reject(new Error('closed'));
      return Promise.resolve();
    },
  };
  return {
    store: {
      description: 'a store by hand',
      mirror: (options) => {
        asked.push(...options.list);
        change = options.onChange;
        return mirror;
      },
    },
    asked,
    list: (next) => {
      entries.clear();
      for (const [key, value] of Object.entries(next)) {
        entries.set(key, { key, value, modRevision: 1n, createRevision: 1n, lease: '0' });
      }
      change({ storeRevision: 1n, puts: [], deletes: [], relisted: true, regressed: false });
      resolve();
    },
    isClosed: () => isClosed,
  };
}
