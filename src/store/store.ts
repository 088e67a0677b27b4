/**
 * What the other houses see of the store. Values are text (JSON, by convention); the store does not look inside.
 * `storeRevision` is etcd's counter, never the mesh's own `revision`. Made by openStore (open-store.ts).
 */
import type { Keys } from './keys.js';
import type { Range } from './range.js';

export type { Range } from './range.js';

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The store revision of the last write of this key. */
  readonly modRevision: bigint;
  /** The store revision at which this key came to be. A lock's fencing token. */
  readonly createRevision: bigint;
  /** Decimal id of the lease that the key hangs on, '0' for none. */
  readonly lease: string;
}

/** One condition of a transaction, on a key as it is when the transaction runs. */
export type Compare =
  /** Last written at exactly this revision; 0n means that the key must not exist. */
  | { readonly key: string; readonly modRevision: bigint }
  /** Created at exactly this revision: still the same life of the key, whatever was written since. */
  | { readonly key: string; readonly createRevision: bigint }
  | { readonly key: string; readonly exists: boolean };

export interface Put {
  readonly key: string;
  readonly value: string;
  readonly lease?: string;
}

export interface Transaction {
  readonly compare: readonly Compare[];
  readonly put: readonly Put[];
  /** Keys, or whole prefixes. A key may not be put and deleted in one transaction. */
  readonly delete: readonly (string | { readonly prefix: string })[];
}

/** `ok: false`: at least one comparison did not hold, nothing was written. */
export interface TransactionResult {
  readonly ok: boolean;
  /** When ok, the revision that the writes carry, else the store's revision when it decided. */
  readonly storeRevision: bigint;
}

export interface ListOptions {
  readonly limit?: number;
  /** Highest key first. */
  readonly descending?: boolean;
  /** As it was at this store revision; MESH2006 when that has been compacted away. */
  readonly revision?: bigint;
}

export interface Listing {
  readonly entries: Entry[];
  readonly storeRevision: bigint;
}

export interface Store {
  /** Ends with a slash; all keys but the naming ones are below it. */
  readonly prefix: string;
  /** For people: `etcd 10.0.0.4:2379,10.0.0.5:2379`. */
  readonly description: string;
  /** `host:port` of each endpoint, also of the embedded server: what another process needs to use the same store. */
  readonly addresses: readonly string[];
  readonly keys: Keys;

  get(key: string, signal?: AbortSignal): Promise<Entry | undefined>;
  /** All ranges at one store revision, in the order of the ranges, keys ascending within each. */
  list(ranges: Range | readonly Range[], options?: ListOptions, signal?: AbortSignal): Promise<Listing>;
  /**
   * All or nothing, exactly once: an answer that was lost on the way is found out, so the result is the truth.
   * At most 100 operations and 100 comparisons, 1 MiB together (MESH2006 before anything is sent).
   */
  transact(transaction: Transaction, signal?: AbortSignal): Promise<TransactionResult>;
  /** A lease that nobody renews, decimal id: what is put under it vanishes by itself. */
  grant(ttlSeconds: number, signal?: AbortSignal): Promise<string>;
  /** A linearizable read: the answering endpoint has a quorum behind it, and everything up to this revision is decided. */
  head(signal?: AbortSignal): Promise<bigint>;
  mirror(options: MirrorOptions): Mirror;
  registrar(options: RegistrarOptions): Registrar;
  /** Has this lease (decimal id) neither run out nor been revoked? */
  isLeaseAlive(leaseId: string, signal?: AbortSignal): Promise<boolean>;
  /** Ends every mirror and registrar that is still open (their leases are revoked), then the connection. */
  close(): Promise<void>;
}

export interface MirrorOptions {
  /** What the copy holds. */
  readonly list: readonly Range[];
  /**
   * What is watched, at least `list`. It is one watch over the smallest interval that covers all of it, so a transaction
   * arrives as one batch and revisions arrive in order; events outside `list` are dropped here.
   */
  readonly watch: readonly Range[];
  /** Called after `entries` has changed, never while another call of it runs. An exception is logged, not passed on. */
  readonly onChange: (batch: MirrorBatch) => void;
  /** List again and compare this often although nothing is wrong. Default 5 minutes. */
  readonly resyncMs?: number;
}

/** All changes of one store revision, or all differences that a new list has shown. */
export interface MirrorBatch {
  readonly storeRevision: bigint;
  readonly puts: readonly Entry[];
  readonly deletes: readonly { readonly key: string; readonly previous: Entry }[];
  readonly relisted: boolean;
  /** The store's history is not the one we knew (wiped, restored): its revision went back or its epoch changed. */
  readonly regressed: boolean;
}

export interface MirrorState {
  /** False: this is the last good copy, the store may have moved on. */
  readonly synced: boolean;
  readonly reason: string | undefined;
}

/** A local copy of a part of the store that neither loses nor repeats a change, and never empties itself. */
export interface Mirror {
  readonly entries: ReadonlyMap<string, Entry>;
  /** The copy holds everything up to this store revision. */
  readonly storeRevision: bigint;
  readonly synced: boolean;
  /** Value of `meta/epoch` as of the last list (see epoch.ts); another one comes with a batch that is `regressed`. */
  readonly epoch: string | undefined;
  /** Monotonic time of the last proof that the watch is alive on an endpoint with a quorum; -Infinity before the first. */
  readonly lastSyncedMonotonicMs: number;
  /** Resolves after the first complete list at one revision; rejects when the mirror is closed before that. */
  readonly whenListed: Promise<void>;
  /** Resolves when the copy holds everything up to this revision, for instance `await mirror.reach(await store.head())`. */
  reach(storeRevision: bigint, signal?: AbortSignal): Promise<void>;
  /** Returns how to stop listening. */
  onState(listener: (state: MirrorState) => void): () => void;
  close(): Promise<void>;
}

export interface RegistrarOptions {
  readonly ttlSeconds: number;
  /**
   * Every key is written again this often although nothing has changed: clients that resume a watch must find a
   * revision of each quiet service that is not compacted yet. Default 20 minutes, never under 60 s.
   */
  readonly touchMs?: number;
  readonly claim?: Claim;
}

export interface Claim {
  /**
   * Only one process at a time may have this key. It is put before all others and only while nobody else has it, and
   * whatever this registrar puts or deletes demands that it is still ours. `set` gives it its value.
   */
  readonly key: string;
  /** Somebody else has it, and has put this there. Called each time that it was tried in vain. */
  readonly onHeld: (value: string) => void;
}

export interface RegistrarState {
  readonly alive: boolean;
  readonly leaseId: string | undefined;
  readonly reason: string | undefined;
}

/** Keeps keys in the store for as long as this process lives: one lease, renewed, replaced with all its keys when lost. */
export interface Registrar {
  /** Decimal id of the lease, undefined while there is none. */
  readonly leaseId: string | undefined;
  /** Create revision of the claimed key, for other writes that must be ours; undefined while we do not have it. */
  readonly claimRevision: bigint | undefined;
  set(key: string, value: string): void;
  /** Resolves when the key is deleted; tried until it is, or until close. */
  remove(key: string): Promise<void>;
  /** Resolves when every key is written under a live lease and every removal is done. */
  flush(signal?: AbortSignal): Promise<void>;
  /** With a claim, also that we have it. By our own monotonic clock, counted from when the renewal was sent: false at the latest when the store says so. */
  isAlive(): boolean;
  /** How long that is so if no renewal succeeds any more; 0 when it is over. */
  aliveForMs(): number;
  /** A key that somebody else writes under this lease: left alone until the returned function is called. */
  lend(key: string): () => void;
  onState(listener: (state: RegistrarState) => void): () => void;
  /**
   * Revokes the lease: all keys vanish at once. With `keepLease` they stay until it runs out, for a successor that writes
   * the same keys under a lease of its own (an agent that is restarted while its containers go on serving). A claim is
   * given up all the same: the successor need not wait for it.
   */
  close(options?: { readonly keepLease?: boolean }): Promise<void>;
}
