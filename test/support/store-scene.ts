/**
 * A store's client under faults: behind proxies it mirrors, keeps a lease and writes, while an outsider with a path of its
 * own writes to the same keys. What the client was told and shown is recorded, for the history checker.
 */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openStore } from '../../src/store/open-store.js';
import type { Mirror, MirrorBatch, Registrar, Store } from '../../src/store/store.js';
import type { EtcdCluster } from './etcd-cluster.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { checkHistory, type HistoryEvent, type WriteRecord } from './history.js';
import { readHistory } from './read-history.js';
import { until } from './until.js';
import { flood, startWriter, type Writer } from './writer.js';

const REGISTERED_KEYS = 20;
const CLIENT_PAUSE_MS = 40;
const OUTSIDER_PAUSE_MS = 15;
const RECOVERS_WITHIN_MS = 30_000;

export interface StoreScene {
  /** One before each member that the client knows, in the order of the cluster's members; the client starts with the first. */
  readonly proxies: readonly FaultProxy[];
  /** Of the client. */
  readonly store: Store;
  readonly mirror: Mirror;
  readonly registrar: Registrar;
  readonly batches: readonly MirrorBatch[];
  /** Has a path to every member that no proxy breaks. */
  readonly outside: Store;
  /** How often the client had to open another lease. */
  leasesLost(): number;
  /** Of the client's writes. */
  readonly writer: Writer;
  /**
   * Milliseconds from now until the copy holds what a list shows, the lease is alive and all its keys are there:
   * call it when the fault ends.
   */
  recovered(): Promise<number>;
  /** Ends all writing and compares everything with the store's own history, or with another where it has lost that. */
  violations(history?: () => Promise<HistoryEvent[]>): Promise<string[]>;
  /** Ends all writing. */
  quiet(): Promise<void>;
  /** So many writes of the outsider at once. */
  flood(count: number): Promise<void>;
  /** Of all the keys that everybody writes to. */
  readonly prefix: string;
  /** Before the first write. */
  readonly fromRevision: bigint;
  close(): Promise<void>;
}

/** `endpoints`: how many of the members the client knows. */
export async function openStoreScene(
  cluster: EtcdCluster,
  ttlSeconds: number,
  endpoints = cluster.addresses.length,
): Promise<StoreScene> {
  const known = cluster.addresses.slice(0, endpoints);
  const proxies = await Promise.all(known.map((address) => startFaultProxy(address)));
  const prefix = `scene-${randomUUID()}/`;
  const common = { clock: systemClock, log: silentLogger, timeoutMs: 5000, prefix };
  const outside = await openStore(cluster.url, common);
  const store = await openStore(`etcd://${proxies.map(({ address }) => address).join(',')}`, common);
  const fromRevision = await outside.head();
  const plans = store.keys.below('plan');

  const batches: MirrorBatch[] = [];
  const mirror = store.mirror({ list: [plans], watch: [store.keys.all], onChange: (batch) => batches.push(batch) });
  const registrar = store.registrar({ ttlSeconds });
  const leases = new Set<string>();
  registrar.onState(({ leaseId }) => leaseId !== undefined && leases.add(leaseId));
  for (let i = 0; i < REGISTERED_KEYS; i++) registrar.set(store.keys.node(`n${i}`), String(i));
  await Promise.all([registrar.flush(), mirror.whenListed]);
  const writer = startWriter(store, 'client', CLIENT_PAUSE_MS);
  const outsider = startWriter(outside, 'outsider', OUTSIDER_PAUSE_MS);
  await until('both write', () => writer.acked() > 0 && outsider.acked() > 0);

  const floods: WriteRecord[] = [];

  const holdsAgain = async (head: bigint): Promise<boolean> => {
    if (!mirror.synced || mirror.storeRevision < head || !registrar.isAlive()) return false;
    const { entries } = await outside.list(store.keys.below('node'));
    return entries.filter(({ lease }) => lease === registrar.leaseId).length === REGISTERED_KEYS;
  };
  const quiet = async (): Promise<void> => void (await Promise.all([writer.stop(), outsider.stop()]));
  return {
    proxies,
    store,
    mirror,
    registrar,
    batches,
    outside,
    writer,
    leasesLost: () => leases.size - 1,
    async recovered() {
      const fromMs = performance.now();
      const head = await outside.head();
      await until('the client has all again', () => holdsAgain(head), RECOVERS_WITHIN_MS);
      return performance.now() - fromMs;
    },
    quiet,
    prefix: `${prefix}plan/`,
    fromRevision,
    async flood(count) {
      floods.push(...(await flood(outside, `flood-${floods.length}`, count)));
    },
    async violations(history) {
      await quiet();
      const head = await outside.head();
      await until('the copy is at the head', () => mirror.storeRevision >= head, RECOVERS_WITHIN_MS);
      const own = (): Promise<HistoryEvent[]> =>
        readHistory(cluster.addresses[0] ?? '', `${prefix}plan/`, fromRevision);
      const events = await (history ?? own)();
      const writes: WriteRecord[] = [...writer.records, ...outsider.records, ...floods];
      return checkHistory({ events, writes, reads: [...writer.reads, ...outsider.reads], watches: [batches] });
    },
    async close() {
      await quiet();
      await Promise.all([store.close(), outside.close()]);
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}
