/**
 * Every version of every key since the last compaction, in memory. One counter for the whole store: a transaction that
 * changes something takes the next revision, and all its changes carry it.
 */
import { EtcdError } from './etcd-error.js';
import { SortedKeys } from './sorted-keys.js';

export interface KeyVersion {
  readonly key: string;
  readonly value: Buffer;
  readonly modRevision: number;
  readonly createRevision: number;
  /** Counts the writes of one life of the key; 0 marks its deletion. */
  readonly version: number;
  /** '0' for none. */
  readonly lease: string;
}

/** What one revision has changed, in order. */
export interface Revision {
  readonly revision: number;
  /** Wall time, for compaction by age. */
  readonly atMs: number;
  readonly changes: readonly KeyVersion[];
}

/** A single key, or everything from `key` on, below `end` when there is one. */
export interface KeySpan {
  readonly key: string;
  readonly single: boolean;
  readonly end: string | undefined;
}

const NO_VALUE = Buffer.alloc(0);

export class Mvcc {
  readonly #keys = new SortedKeys();
  readonly #histories = new Map<string, KeyVersion[]>();
  /** Index 0 is the revision after the compacted one: revisions are dense. */
  #log: Revision[] = [];
  #head: number;
  #compacted: number;
  #pending: KeyVersion[] = [];
  #bytes = 0;

  /** `base` is every key as it was at revision `compacted`; revisions after it are replayed with `replay`. */
  constructor(compacted = -1, head = 1, base: Iterable<KeyVersion> = []) {
    this.#compacted = compacted;
    this.#head = head;
    for (const version of base) this.#add(version);
  }

  get head(): number {
    return this.#head;
  }

  /** The head, or the next revision as soon as the current transaction has changed something. */
  get workingRevision(): number {
    return this.#head + (this.#pending.length > 0 ? 1 : 0);
  }

  /** Reads at this revision and later ones are possible, watches from the next one on. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Keys and values of all versions that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  /** As it was at a revision, or as it is, with what the current transaction has done so far. */
  get(key: string, atRevision = Number.POSITIVE_INFINITY): KeyVersion | undefined {
    const history = this.#histories.get(key) ?? [];
    const found = history.findLast((version) => version.modRevision <= atRevision);
    return found && found.version > 0 ? found : undefined;
  }

  /** Ascending by key. */
  *range(span: KeySpan, atRevision?: number): Generator<KeyVersion> {
    if (span.single) {
      const found = this.get(span.key, atRevision);
      if (found) yield found;
      return;
    }
    for (const key of this.#keys.range(span.key, span.end)) {
      const found = this.get(key, atRevision);
      if (found) yield found;
    }
  }

  checkReadable(revision: number): void {
    if (revision > this.#head) throw new EtcdError('futureRevision');
    if (revision < this.#compacted) throw new EtcdError('compacted');
  }

  put(key: string, value: Buffer, lease: string): void {
    const before = this.get(key);
    const modRevision = this.#head + 1;
    const createRevision = before?.createRevision ?? modRevision;
    this.#change({ key, value, modRevision, createRevision, version: (before?.version ?? 0) + 1, lease });
  }

  delete(key: string): void {
    if (!this.get(key)) return;
    this.#change({ key, value: NO_VALUE, modRevision: this.#head + 1, createRevision: 0, version: 0, lease: '0' });
  }

  /** Ends the transaction. Undefined when it has changed nothing: then it takes no revision. */
  commit(atMs: number): Revision | undefined {
    if (this.#pending.length === 0) return undefined;
    const revision: Revision = { revision: ++this.#head, atMs, changes: this.#pending };
    this.#pending = [];
    this.#log.push(revision);
    return revision;
  }

  /** Undefined for a revision that is compacted or still to come. */
  revisionAt(revision: number): Revision | undefined {
    return this.#log[revision - this.#head + this.#log.length - 1];
  }

  /** The highest revision that is older than this, or the compacted one. */
  revisionBefore(wallMs: number): number {
    const young = this.#log.findIndex((revision) => revision.atMs >= wallMs);
    return young < 0 ? this.#head : this.#head - this.#log.length + young;
  }

  /** Forgets what only reads before `revision`, or watches from it, could want. */
  compact(revision: number): void {
    if (revision <= this.#compacted) throw new EtcdError('compacted');
    if (revision > this.#head) throw new EtcdError('futureRevision');
    const kept = this.#log.findIndex((entry) => entry.revision > revision);
    const dropped = kept < 0 ? this.#log : this.#log.slice(0, kept);
    this.#log = kept < 0 ? [] : this.#log.slice(kept);
    this.#compacted = revision;
    for (const key of new Set(dropped.flatMap((entry) => entry.changes.map((change) => change.key)))) this.#trim(key);
  }

  /** Every key as it was at the compacted revision: together with the revisions since, the whole state. */
  *base(): Generator<KeyVersion> {
    yield* this.range({ key: '', single: false, end: undefined }, this.#compacted);
  }

  revisions(): readonly Revision[] {
    return this.#log;
  }

  #change(version: KeyVersion): void {
    this.#add(version);
    this.#pending.push(version);
  }

  #add(version: KeyVersion): void {
    const history = this.#histories.get(version.key);
    if (history) {
      history.push(version);
    } else {
      this.#histories.set(version.key, [version]);
      this.#keys.add(version.key);
    }
    this.#bytes += sizeOf(version);
  }

  /** Keeps the version that was current at the compacted revision, if the key existed then, and all later ones. */
  #trim(key: string): void {
    const history = this.#histories.get(key) ?? [];
    const current = history.findLastIndex((version) => version.modRevision <= this.#compacted);
    const isDeleted = history[current]?.version === 0;
    const dropped = history.splice(0, isDeleted ? current + 1 : Math.max(0, current));
    for (const version of dropped) this.#bytes -= sizeOf(version);
    if (history.length > 0) return;
    this.#histories.delete(key);
    this.#keys.delete(key);
  }
}

function sizeOf(version: KeyVersion): number {
  return version.key.length + version.value.length;
}
