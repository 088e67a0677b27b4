/**
 * Watches. A watcher is only a position in the history: it is served from there whenever its stream takes more, so a slow
 * one costs no memory, and one that falls behind a compaction is told so and ends, as in etcd.
 */
import type { IWatchCreateRequest } from 'etcd3';
import { spanContains, spanOf, toWire } from './kv-range.js';
import type { Header } from './kv-txn.js';
import type { KeySpan, KeyVersion, Mvcc } from './mvcc.js';

const MAX_ANSWER_REVISIONS = 1000;
const MAX_ANSWER_BYTES = 1024 * 1024;

interface Watcher {
  readonly span: KeySpan;
  readonly wantsPuts: boolean;
  readonly wantsDeletes: boolean;
  readonly wantsPrevious: boolean;
  readonly wantsFragments: boolean;
  readonly wantsProgress: boolean;
  /** The next revision to look at. */
  next: number;
  /** Nothing was sent since the last progress answer. */
  isQuiet: boolean;
}

export interface WatchSource {
  readonly mvcc: Mvcc;
  readonly header: Header;
  /** The highest revision that is safe on the disk: nothing later is shown. */
  readonly visible: number;
}

/** The watchers of one stream. `send` takes an answer and says whether it may have another at once. */
export class WatchStream {
  readonly #source: WatchSource;
  readonly #send: (answer: object) => boolean;
  readonly #watchers = new Map<string, Watcher>();
  #isFull = false;
  #progressWanted = false;

  constructor(source: WatchSource, send: (answer: object) => boolean) {
    this.#source = source;
    this.#send = send;
  }

  create(request: IWatchCreateRequest): void {
    const chosen = String(request.watch_id ?? '0');
    if (chosen !== '0' && this.#watchers.has(chosen)) {
      return this.#refuse('mvcc: duplicate watch ID provided on the WatchStream');
    }
    const span = spanOf(request.key?.length ? request.key : Buffer.of(0), request.range_end);
    if (span.end !== undefined && span.end <= span.key) return this.#refuse('mvcc: watcher range is empty');
    const id = chosen === '0' ? this.#freeId() : chosen;
    const filters = (request.filters ?? []).map(String);
    this.#answer({ watch_id: id, created: true });
    this.#watchers.set(id, {
      span,
      wantsPuts: !filters.includes('Noput'),
      wantsDeletes: !filters.includes('Nodelete'),
      wantsPrevious: request.prev_kv ?? false,
      wantsFragments: request.fragment ?? false,
      wantsProgress: request.progress_notify ?? false,
      next: Number(request.start_revision ?? 0) || this.#source.mvcc.head + 1,
      isQuiet: true,
    });
    this.serve();
  }

  cancel(id: string): void {
    if (this.#watchers.delete(id)) this.#answer({ watch_id: id, canceled: true });
  }

  /** Answered when every watcher of the stream has all there is: `revision` in it is then a promise to the client. */
  requestProgress(): void {
    this.#progressWanted = true;
    this.serve();
  }

  /** For watchers that asked for it and have had nothing to hear for a while. */
  reportProgress(): void {
    for (const [id, watcher] of this.#watchers) {
      if (watcher.wantsProgress && watcher.isQuiet && watcher.next > this.#source.visible)
        this.#answer({ watch_id: id });
      watcher.isQuiet = true;
    }
  }

  /** The stream takes more again. */
  drained(): void {
    this.#isFull = false;
    this.serve();
  }

  /** Brings every watcher as far as the stream takes it. */
  serve(): void {
    for (const [id, watcher] of this.#watchers) {
      while (!this.#isFull && watcher.next <= this.#source.visible) {
        if (watcher.next <= this.#source.mvcc.compacted) {
          this.#watchers.delete(id);
          this.#answer({ watch_id: id, canceled: true, compact_revision: this.#source.mvcc.compacted });
          break;
        }
        this.#serveOnce(id, watcher);
      }
    }
    const isServed = [...this.#watchers.values()].every((watcher) => watcher.next > this.#source.visible);
    if (this.#progressWanted && isServed && !this.#isFull) {
      this.#progressWanted = false;
      this.#answer({ watch_id: '-1' });
    }
  }

  /** Whole revisions only: a client that resumes after one must have had all of it. */
  #serveOnce(id: string, watcher: Watcher): void {
    const events: object[] = [];
    let bytes = 0;
    const last = Math.min(this.#source.visible, watcher.next + MAX_ANSWER_REVISIONS - 1);
    while (watcher.next <= last && bytes < MAX_ANSWER_BYTES) {
      const changes = this.#source.mvcc.revisionAt(watcher.next++)?.changes ?? [];
      for (const change of changes.filter((one) => isWanted(watcher, one))) {
        const event = this.#eventOf(watcher, change);
        events.push(event);
        bytes += change.key.length + change.value.length;
      }
    }
    if (events.length === 0) return;
    watcher.isQuiet = false;
    if (!watcher.wantsFragments || bytes <= MAX_ANSWER_BYTES) return this.#answer({ watch_id: id, events });
    const parts = Math.ceil(bytes / MAX_ANSWER_BYTES);
    const size = Math.ceil(events.length / parts);
    for (let at = 0; at < events.length; at += size) {
      this.#answer({ watch_id: id, events: events.slice(at, at + size), fragment: at + size < events.length });
    }
  }

  #eventOf(watcher: Watcher, change: KeyVersion): object {
    const { mvcc } = this.#source;
    const before = change.modRevision - 1;
    const previous = watcher.wantsPrevious && before >= mvcc.compacted ? mvcc.get(change.key, before) : undefined;
    return {
      type: change.version > 0 ? 'Put' : 'Delete',
      kv: toWire(change),
      prev_kv: previous ? toWire(previous) : null,
    };
  }

  #refuse(reason: string): void {
    this.#answer({ watch_id: '-1', created: true, canceled: true, cancel_reason: reason });
  }

  #answer(answer: object): void {
    const header = { ...this.#source.header, revision: this.#source.visible };
    this.#isFull = !this.#send({ header, events: [], ...answer });
  }

  #freeId(): string {
    let id = 0;
    while (this.#watchers.has(String(id))) id++;
    return String(id);
  }
}

function isWanted(watcher: Watcher, change: KeyVersion): boolean {
  return (change.version > 0 ? watcher.wantsPuts : watcher.wantsDeletes) && spanContains(watcher.span, change.key);
}
