/**
 * List once, then follow one watch from our own last event; when in doubt list again and compare. The position only
 * moves by lists and by events: the revisions in etcd's other answers may run ahead of events that are still to come.
 */
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import { withEither } from '../runtime/either-signal.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { hintFor, shortReason } from './advice.js';
import type { Connection, Endpoint } from './connection.js';
import { listIntervals } from './list.js';
import { applyBatch, batchOfEvents, batchOfListing, newRevisions } from './mirror-batches.js';
import { disjoint, hull, type Interval, toInterval } from './range.js';
import type { Entry, Mirror, MirrorBatch, MirrorOptions, MirrorState } from './store.js';
import { type Ending, followWatch, REACH_GRACE_MS } from './watch-session.js';

export interface MirrorContext {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  /** Read with every list and every heartbeat: another value there means another history. */
  readonly epochKey: string;
}

/** With the connection's own pauses a store that is back is found within 2 s. */
const RETRY: Backoff = { baseMs: 100, maxMs: 700 };
const HEARTBEAT_TIMEOUT_MS = 2000;
const DEFAULT_RESYNC_MS = 5 * 60_000;

export function openMirror(context: MirrorContext, options: MirrorOptions): Mirror {
  return new ListAndWatch(context, options);
}

class ListAndWatch implements Mirror {
  readonly entries = new Map<string, Entry>();
  readonly whenListed: Promise<void>;
  storeRevision = 0n;
  synced = false;
  epoch: string | undefined;
  lastSyncedMonotonicMs = Number.NEGATIVE_INFINITY;

  readonly #context: MirrorContext;
  readonly #options: MirrorOptions;
  readonly #held: readonly Interval[];
  readonly #watched: Interval;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(state: MirrorState) => void>();
  readonly #waiters = new Set<{ readonly storeRevision: bigint; readonly resolve: () => void }>();
  readonly #running: Promise<void>;
  #session = new AbortController();
  #isListed = false;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #identity: string | undefined;
  #failures = 0;

  constructor(context: MirrorContext, options: MirrorOptions) {
    this.#context = context;
    this.#options = options;
    this.#held = disjoint(options.list.map(toInterval));
    this.#watched = hull([...this.#held, ...options.watch.map(toInterval)]);
    this.whenListed = new Promise((resolve, reject) => {
      this.#waiters.add({ storeRevision: 0n, resolve });
      this.#closing.signal.addEventListener('abort', () => reject(this.#closing.signal.reason as Error));
    });
    this.whenListed.catch(() => {}); // nobody has to wait for it
    this.#running = this.#run();
  }

  onState(listener: (state: MirrorState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async reach(storeRevision: bigint, signal?: AbortSignal): Promise<void> {
    if (this.#holds(storeRevision)) return;
    await withEither([this.#closing.signal, ...(signal ? [signal] : [])], async (ended) => {
      while (!(await this.#reachesWithin(REACH_GRACE_MS, storeRevision, ended))) {
        ended.throwIfAborted();
        this.#interrupt({ next: 'list', reason: `revision ${storeRevision} did not come by watch`, planned: true });
      }
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(new MeshError('MESH2008', 'the mirror of the store is closed'));
    this.#interrupt({ next: 'resume', reason: 'closed' });
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#context;
    let ending: Ending = { next: 'list', reason: 'not listed yet' };
    while (!this.#closing.signal.aborted) {
      try {
        const fresh = ending.next === 'list';
        if (fresh) await this.#list();
        ending = await this.#follow(fresh);
      } catch (error) {
        ending = { next: ending.next, reason: messageOf(error) };
      }
      if (ending.planned || this.#closing.signal.aborted) continue;
      if (this.#setSynced(false, ending.reason)) {
        const { reason } = ending;
        const fields = {
          reason: shortReason(reason),
          hint: hintFor(reason),
          storeRevision: String(this.storeRevision),
        };
        log.warn(fields, 'lost the watch on the store');
      }
      await clock.sleep(backoffMs(RETRY, this.#failures++, Math.random), this.#closing.signal).catch(() => {}); // closed
    }
    this.#setSynced(false, 'closed');
  }

  /** The whole copy and the epoch at one revision; consumers get the differences. */
  async #list(): Promise<void> {
    const { connection, clock, epochKey } = this.#context;
    const startedMs = clock.monotonic();
    const signal = this.#closing.signal;
    const listing = await listIntervals(connection, this.#held, {}, signal);
    const at = { revision: listing.storeRevision };
    const epochs = await listIntervals(connection, [toInterval({ key: epochKey })], at, signal);
    const [epoch] = epochs.entries;
    const identity = identityOf(epoch);
    const regressed = this.#isListed && (listing.storeRevision < this.storeRevision || identity !== this.#identity);
    if (regressed) {
      const fields = { from: String(this.storeRevision), to: String(listing.storeRevision) };
      this.#context.log.warn(fields, 'the store has another history than before');
    }
    this.#identity = identity;
    this.epoch = epoch?.value;
    this.#listedAtMs = startedMs;
    this.#advance(listing.storeRevision, batchOfListing(this.entries, listing, regressed));
  }

  #follow(fresh: boolean): Promise<Ending> {
    const { connection, clock } = this.#context;
    this.#session = new AbortController();
    return followWatch({
      connection,
      clock,
      watched: this.#watched,
      position: () => this.storeRevision,
      fresh,
      listedAtMs: this.#listedAtMs,
      resyncMs: this.#options.resyncMs ?? DEFAULT_RESYNC_MS,
      epoch: this.#identity,
      readHead: (endpoint) => this.#readHead(endpoint),
      reachesWithin: (ms, storeRevision, signal) => this.#reachesWithin(ms, storeRevision, signal),
      onEvents: (events) => {
        this.#failures = 0; // it gets on: when it is cut on the way it may go on at once
        const isOther = events.some((event) => event.kv.key.toString() === this.#context.epochKey);
        if (isOther) this.#interrupt({ next: 'list', reason: 'the epoch of the store has changed', planned: true });
        for (const revision of newRevisions(this.storeRevision, events)) {
          this.#advance(revision.storeRevision, batchOfEvents(this.entries, this.#held, revision));
        }
      },
      onProof: (atMs) => {
        this.lastSyncedMonotonicMs = Math.max(this.lastSyncedMonotonicMs, atMs);
        this.#failures = 0;
        this.#setSynced(true, undefined);
      },
      interrupt: this.#session.signal,
    });
  }

  #interrupt(ending: Ending): void {
    this.#session.abort(ending);
  }

  async #readHead(endpoint: Endpoint): Promise<{ head: bigint; epoch: string | undefined }> {
    const request = { key: Buffer.from(this.#context.epochKey) };
    const { connection } = this.#context;
    const response = await connection.on(endpoint, HEARTBEAT_TIMEOUT_MS, (client, limit) =>
      client.kv.range(request, limit),
    );
    const kv = response.kvs[0];
    const epoch = identityOf(kv && { createRevision: BigInt(kv.create_revision), value: kv.value.toString() });
    return { head: BigInt(response.header.revision), epoch };
  }

  /** Entries and position change together, before anybody is told. Going back is possible after a list only. */
  #advance(storeRevision: bigint, batch: MirrorBatch | undefined): void {
    if (batch) applyBatch(this.entries, batch);
    this.storeRevision = storeRevision;
    const isNews = batch && (!this.#isListed || batch.regressed || batch.puts.length + batch.deletes.length > 0);
    this.#isListed = true;
    if (isNews) this.#tell(batch);
    for (const waiter of this.#waiters) if (waiter.storeRevision <= storeRevision) waiter.resolve();
  }

  #tell(batch: MirrorBatch): void {
    try {
      this.#options.onChange(batch);
    } catch (error) {
      const fields = { err: error, storeRevision: String(batch.storeRevision) };
      this.#context.log.error(fields, 'a listener of the mirror failed');
    }
  }

  /** True when it has changed. */
  #setSynced(synced: boolean, reason: string | undefined): boolean {
    if (this.synced === synced) return false;
    this.synced = synced;
    for (const listener of this.#listeners) listener({ synced, reason });
    return true;
  }

  #holds(storeRevision: bigint): boolean {
    return this.#isListed && this.storeRevision >= storeRevision;
  }

  async #reachesWithin(ms: number, storeRevision: bigint, signal: AbortSignal): Promise<boolean> {
    if (this.#holds(storeRevision)) return true;
    const reached = new AbortController();
    const waiter = { storeRevision, resolve: () => reached.abort() };
    this.#waiters.add(waiter);
    const { clock } = this.#context;
    await withEither([signal, reached.signal], (either) => clock.sleep(ms, either)).catch(() => {}); // reached, or ended
    this.#waiters.delete(waiter);
    return reached.signal.aborted;
  }
}

function identityOf(epoch: Pick<Entry, 'createRevision' | 'value'> | undefined): string | undefined {
  return epoch && `${epoch.createRevision} ${epoch.value}`;
}
