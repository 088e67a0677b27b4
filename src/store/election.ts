/**
 * Leadership of a role: `leader/<role>` under the registrar's lease, created by one candidate at a time. The others follow
 * the key by a mirror and try when it has gone. A leader can be paused at any moment and not know it, so the key's create
 * revision is its fencing token: every write of a term demands that it is still the same life of the key.
 */
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { Entry, Mirror, Registrar, Store, Transaction, TransactionResult } from './store.js';

/** From the moment at which this process saw that it leads until it can no longer be sure. */
export interface Term {
  readonly role: string;
  /** The store revision at which the leader's key came to be: higher than that of every leader before. */
  readonly token: bigint;
  /** Aborts when the term is over: the store says so, or our own clock says that the lease may have run out. */
  readonly signal: AbortSignal;
  /** As Store.transact, and nothing is written unless this term still holds: MESH2004 when it does not. */
  transact(transaction: Transaction): Promise<TransactionResult>;
}

export interface Election {
  /** Who leads as far as the store shows, whether that is this process or another; undefined for nobody. */
  leader(): string | undefined;
  /** Of this process, while it leads. */
  term(): Term | undefined;
  /** Ends the term and deletes the key, so that the next leader need not wait for the lease. */
  close(): Promise<void>;
}

export interface ElectionOptions {
  readonly store: Store;
  /** Its lease is what the leadership hangs on. */
  readonly registrar: Registrar;
  readonly clock: Clock;
  readonly log: Logger;
  readonly role: string;
  /** Shown to others as the leader. */
  readonly id: string;
  /** Called at the beginning of each term of this process. What it starts must end with the term's signal. */
  readonly onLeading: (term: Term) => void;
  /** Called when another leader, or none, is seen. */
  readonly onLeader?: (leader: string | undefined) => void;
}

const RETRY: Backoff = { baseMs: 100, maxMs: 1000 };

export function standForElection(options: ElectionOptions): Election {
  return new Candidate(options);
}

class Candidate implements Election {
  readonly #options: ElectionOptions;
  readonly #key: string;
  readonly #mirror: Mirror;
  readonly #closing = new AbortController();
  readonly #release: readonly (() => void)[];
  #isListed = false;
  #leader: string | undefined;
  #term: { readonly term: Term; readonly end: (reason: string) => void } | undefined;
  #campaign: Promise<void> | undefined;
  #failures = 0;

  constructor(options: ElectionOptions) {
    this.#options = options;
    const { store, registrar, role } = options;
    this.#key = store.keys.leader(role);
    const range = [{ key: this.#key }];
    this.#mirror = store.mirror({ list: range, watch: range, onChange: () => this.#look() });
    this.#release = [registrar.lend(this.#key), registrar.onState(() => this.#look())];
    void this.#mirror.whenListed.then(
      () => {
        this.#isListed = true;
        this.#look();
      },
      () => undefined, // closed before
    );
  }

  leader(): string | undefined {
    return this.#leader;
  }

  term(): Term | undefined {
    return this.#term?.term;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const token = this.#term?.term.token;
    this.#closing.abort(new MeshError('MESH2008', 'the candidate has withdrawn'));
    this.#term?.end('the candidate has withdrawn');
    await this.#campaign;
    if (token !== undefined) await this.#resign(token);
    for (const release of this.#release) release();
    await this.#mirror.close();
  }

  /** Level-triggered: what the store shows and what the lease is decide, however it came to be so. */
  #look(): void {
    if (this.#closing.signal.aborted || !this.#isListed) return;
    const { registrar } = this.#options;
    const entry = this.#mirror.entries.get(this.#key);
    this.#follow(entry);
    const isOurs = entry !== undefined && registrar.isAlive() && entry.lease === registrar.leaseId;
    const { term, end } = this.#term ?? {};
    if (!isOurs) end?.('the lease is over, or somebody else leads');
    else if (term !== undefined && term.token !== entry.createRevision) end?.('its key was made anew');
    if (isOurs && this.#term === undefined) this.#begin(entry.createRevision);
    if (entry === undefined && registrar.isAlive()) this.#campaign ??= this.#tryToLead();
  }

  #follow(entry: Entry | undefined): void {
    if (entry?.value === this.#leader) return;
    this.#leader = entry?.value;
    this.#options.onLeader?.(this.#leader);
  }

  #begin(token: bigint): void {
    const { role, id, log, onLeading } = this.#options;
    const over = new AbortController();
    const term: Term = {
      role,
      token,
      signal: over.signal,
      transact: (transaction) => this.#transact(term, transaction),
    };
    const end = (reason: string): void => {
      this.#term = undefined;
      over.abort(new MeshError('MESH2004', `${id} no longer leads as ${role}: ${reason}`));
      log.info({ role, leader: id, token: String(token), reason }, 'leads no longer');
    };
    this.#term = { term, end };
    log.info({ role, leader: id, token: String(token) }, 'leads');
    void this.#watchClock(over.signal);
    onLeading(term);
  }

  /** Nobody tells us that a lease has run out while the store is away. */
  async #watchClock(over: AbortSignal): Promise<void> {
    const { registrar, clock } = this.#options;
    while (!over.aborted) {
      const aliveForMs = registrar.aliveForMs();
      if (aliveForMs === 0) return this.#look();
      await clock.sleep(aliveForMs, over).catch(() => {}); // over
    }
  }

  async #transact(term: Term, transaction: Transaction): Promise<TransactionResult> {
    const { store, registrar } = this.#options;
    if (!registrar.isAlive()) this.#look();
    term.signal.throwIfAborted();
    const fence = { key: this.#key, createRevision: term.token };
    const result = await store.transact({ ...transaction, compare: [fence, ...transaction.compare] }, term.signal);
    if (result.ok) return result;
    // Was it the fence or what the caller compares? The key tells.
    const entry = await store.get(this.#key, term.signal);
    if (entry?.createRevision === term.token) return result;
    if (this.#term?.term === term) this.#term.end('somebody else leads');
    throw term.signal.reason;
  }

  async #tryToLead(): Promise<void> {
    const { store, registrar, clock, log, role, id } = this.#options;
    const { signal } = this.#closing;
    try {
      const lease = registrar.leaseId;
      if (lease === undefined) return;
      const put = [{ key: this.#key, value: id, lease }];
      const { storeRevision } = await store.transact(
        { compare: [{ key: this.#key, exists: false }], put, delete: [] },
        signal,
      );
      await this.#mirror.reach(storeRevision, signal);
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (this.#failures === 0) log.warn({ role, reason: messageOf(error) }, 'could not stand for election');
      await clock.sleep(backoffMs(RETRY, this.#failures++, Math.random), signal).catch(() => {}); // withdrawn
    } finally {
      this.#campaign = undefined;
      queueMicrotask(() => this.#look());
    }
  }

  async #resign(token: bigint): Promise<void> {
    const { store, log, role } = this.#options;
    const compare = [{ key: this.#key, createRevision: token }];
    try {
      await store.transact({ compare, put: [], delete: [this.#key] });
    } catch (error) {
      log.warn({ role, reason: messageOf(error) }, 'could not hand over; the next leader waits for the lease');
    }
  }
}
