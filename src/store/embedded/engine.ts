/**
 * The state of the embedded store: versions, leases and their journal, changed by one request at a time. What is not on
 * the disk yet is shown to nobody: answers and watches wait for the fsync that covers them.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../runtime/clock.js';
import { EtcdError } from './etcd-error.js';
import type { Journal } from './journal.js';
import type { JournalRecord } from './journal-records.js';
import { deleteKey, type Header, type State } from './kv-txn.js';
import { type Lease, Leases } from './leases.js';
import { Mvcc } from './mvcc.js';
import { compactionTarget, DEFAULT_QUOTA_BYTES, isTight, isWorthRewriting, RETAIN_MS } from './retention.js';

const BASE_CHUNK_KEYS = 1000;

export class Engine implements State {
  readonly mvcc: Mvcc;
  readonly leases = new Leases();
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #clusterId: string;
  readonly #quotaBytes: number;
  #rewrittenBytes = 0;
  #isOutOfSpace = false;
  readonly #onRevision = new Set<(revision: number) => void>();

  constructor(
    clock: Clock,
    journal: Journal,
    records: readonly JournalRecord[],
    quotaBytes: number = DEFAULT_QUOTA_BYTES,
  ) {
    this.#clock = clock;
    this.#journal = journal;
    this.#quotaBytes = quotaBytes;
    const [first] = records;
    if (first?.type === 'store') {
      this.#clusterId = first.clusterId;
      const base = records.flatMap((record) => (record.type === 'base' ? record.versions : []));
      this.mvcc = new Mvcc(first.compacted, first.head, base);
    } else {
      this.#clusterId = newId();
      this.mvcc = new Mvcc();
      journal.append({
        type: 'store',
        clusterId: this.#clusterId,
        compacted: this.mvcc.compacted,
        head: this.mvcc.head,
      });
    }
    for (const record of records) this.#replay(record);
    this.#attachKeys();
  }

  get header(): Header {
    return { cluster_id: this.#clusterId, member_id: this.#clusterId, revision: this.mvcc.head, raft_term: 2 };
  }

  get journalBytes(): number {
    return this.#journal.bytes;
  }

  /** etcd's NOSPACE alarm: the quota was used up, or the disk is full. */
  get isOutOfSpace(): boolean {
    return this.#isOutOfSpace || this.#journal.isFull;
  }

  /** An alarm stays until an operator takes it back: room that came by itself may go the same way. */
  setOutOfSpace(isRaised: boolean): void {
    if (isRaised === this.#isOutOfSpace) return;
    this.#isOutOfSpace = isRaised;
    this.#journal.append({ type: 'alarm', isRaised });
  }

  /** Refuses what would make the store grow when it must not. Deleting and compacting cost nothing. */
  admit(costBytes: number): void {
    // On a full disk nothing at all can be written down, not even that it is full.
    if (this.#journal.isFull) throw new EtcdError('noSpace');
    if (costBytes === 0) return;
    if (this.#journal.bytes + costBytes >= this.#quotaBytes) this.setOutOfSpace(true);
    if (this.#isOutOfSpace) throw new EtcdError('noSpace');
  }

  get hasFailed(): boolean {
    return this.#journal.hasFailed;
  }

  /** Resolves when everything done so far is on the disk; undefined when it already is. */
  durable(): Promise<void> | undefined {
    return this.#journal.durable();
  }

  /** Runs a change that cannot fail half-way, and gives it a revision if it changed something. */
  change<T>(apply: () => T): T {
    const result = apply();
    this.#commit();
    return result;
  }

  /** Called with a revision when it is safe on the disk, and everything before it. */
  onRevision(listener: (revision: number) => void): void {
    this.#onRevision.add(listener);
  }

  /** Called once, when the journal can no longer be written. */
  onFailure(listener: (error: Error) => void): void {
    this.#journal.onFailure(listener);
  }

  /** See Journal.mark. */
  markJournal(): Promise<void> {
    return this.#journal.mark();
  }

  grant(id: string, ttlSeconds: number): Lease {
    const lease = this.leases.grant(id === '0' ? newId() : id, ttlSeconds, this.#clock.monotonic());
    this.#journal.append({ type: 'grant', lease: lease.id, ttlSeconds: lease.ttlSeconds });
    return lease;
  }

  renew(id: string): Lease | undefined {
    return this.leases.renew(id, this.#clock.monotonic());
  }

  /** The keys of a lease go in one revision. */
  revoke(id: string): void {
    const lease = this.leases.get(id);
    if (!lease) throw new EtcdError('leaseNotFound');
    for (const key of [...lease.keys].sort()) {
      const version = this.mvcc.get(key);
      if (version) deleteKey(this, version);
    }
    this.leases.drop(id);
    if (!this.#commit(id)) this.#journal.append({ type: 'revoke', lease: id });
  }

  revokeExpired(): void {
    if (this.#journal.isFull) return; // later: what cannot be written down has not happened
    for (const id of this.leases.expired(this.#clock.monotonic())) this.revoke(id);
  }

  compact(revision: number): void {
    this.mvcc.compact(revision);
    this.#journal.append({ type: 'compact', revision });
  }

  /** Compacts by age and size, and writes the journal anew when it has grown far beyond what it stands for. */
  async tidy(): Promise<void> {
    if (this.#journal.isFull) return;
    const { mvcc } = this;
    const oldRevision = mvcc.revisionBefore(this.#clock.now() - RETAIN_MS);
    const quotaBytes = this.#quotaBytes;
    const target = compactionTarget({ head: mvcc.head, bytes: mvcc.bytes, oldRevision, quotaBytes });
    if (target > mvcc.compacted) this.compact(target);
    const size = { bytes: this.#journal.bytes, rewrittenBytes: this.#rewrittenBytes, quotaBytes };
    if (isWorthRewriting(size)) await this.rewriteJournal();
  }

  /** Does room run out, so that tidying should not wait? */
  get isTight(): boolean {
    return isTight({ bytes: this.#journal.bytes, quotaBytes: this.#quotaBytes });
  }

  async rewriteJournal(): Promise<void> {
    await this.#journal.rewrite(() => this.#snapshot());
    this.#rewrittenBytes = this.#journal.bytes;
  }

  #commit(revoked?: string): boolean {
    const revision = this.mvcc.commit(this.#clock.now());
    if (!revision) return false;
    this.#journal.append({ type: 'revision', revision, ...(revoked === undefined ? {} : { revoked }) });
    this.#journal.durable()?.then(
      () => {
        for (const listener of this.#onRevision) listener(revision.revision);
      },
      () => undefined, // told by onFailure
    );
    return true;
  }

  #replay(record: JournalRecord): void {
    switch (record.type) {
      case 'store':
      case 'base':
        return;
      case 'revision': {
        for (const { key, value, lease, version } of record.revision.changes) {
          if (version > 0) this.mvcc.put(key, value, lease);
          else this.mvcc.delete(key);
        }
        this.mvcc.commit(record.revision.atMs);
        if (record.revoked !== undefined) this.leases.drop(record.revoked);
        return;
      }
      case 'grant':
        // A full TTL from now: while we were away nobody could renew.
        this.leases.grant(record.lease, record.ttlSeconds, this.#clock.monotonic());
        return;
      case 'revoke':
        return this.leases.drop(record.lease);
      case 'compact':
        return this.mvcc.compact(record.revision);
      case 'alarm':
        this.#isOutOfSpace = record.isRaised;
        return;
    }
  }

  #attachKeys(): void {
    for (const { key, lease } of this.mvcc.range({ key: '', single: false, end: undefined })) {
      this.leases.move(key, '0', lease);
    }
  }

  *#snapshot(): Generator<JournalRecord> {
    const { mvcc } = this;
    const revisions = mvcc.revisions();
    const head = mvcc.head - revisions.length;
    yield { type: 'store', clusterId: this.#clusterId, compacted: mvcc.compacted, head };
    const base = [...mvcc.base()];
    for (let at = 0; at < base.length; at += BASE_CHUNK_KEYS) {
      yield { type: 'base', versions: base.slice(at, at + BASE_CHUNK_KEYS) };
    }
    for (const { id, ttlSeconds } of this.leases.all()) yield { type: 'grant', lease: id, ttlSeconds };
    for (const revision of revisions) yield { type: 'revision', revision };
    if (this.#isOutOfSpace) yield { type: 'alarm', isRaised: true };
  }
}

/** A random positive 63-bit number: etcd's ids are signed 64-bit integers on the wire. */
function newId(): string {
  return String(randomBytes(8).readBigUInt64BE() >> 1n || 1n);
}
