/**
 * Writes events down for `mesh events`. Nobody waits for them and nothing depends on them, so they are written a few at a time,
 * the same event is counted instead of repeated, and a storm is cut short and said to be.
 */
import { randomBytes } from 'node:crypto';
import { type EventNews, eventIdentity, firstEvent, type MeshEvent, seenAgain } from '../model/mesh-event.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import { sharedLease } from './shared-lease.js';
import type { Store } from './store.js';

export interface EventLog {
  record(news: EventNews): void;
  /** Writes what still waits, for CLOSE_LIMIT_MS at most. */
  close(): Promise<void>;
}

type EventStore = Pick<Store, 'keys' | 'grant' | 'transact'>;

export interface EventLogOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who tells: `agent node-a`. */
  readonly by: string;
}

/** How long an event is kept at least (a lease takes new ones for LEASE_REUSE_MS). */
const KEPT_S = 3600;
const LEASE_REUSE_MS = 5 * 60_000;
/** Seen again within this, it is the same event with a higher count. */
const MERGE_MS = 10 * 60_000;
const MAX_REMEMBERED = 1000;
const MAX_WAITING = 200;
const MAX_BATCH = 50;
const WRITE_INTERVAL_MS = 500;
const RETRY_MS = 2000;
const CLOSE_LIMIT_MS = 1000;
/** Of one writer: so many at once, then so many per second. */
const BURST = 100;
const PER_SECOND = 1;

interface Noted {
  readonly key: string;
  readonly event: MeshEvent;
}

export function openEventLog({ store, clock, log, by }: EventLogOptions): EventLog {
  const closing = new AbortController();
  /** By identity, oldest first. */
  const remembered = new Map<string, Noted>();
  const waiting = new Map<string, Noted>();
  const lease = sharedLease(() => store.grant(KEPT_S + LEASE_REUSE_MS / 1000), clock, LEASE_REUSE_MS);
  // Part of each id: ours are told apart from those of others, and stay in order within one millisecond.
  const session = randomBytes(4).toString('hex');
  let count = 0;
  let leftOut = 0;
  let allowed = BURST;
  let allowedAtMs = clock.monotonic();
  let isFailing = false;

  const note = (news: EventNews): boolean => {
    const at = clock.now();
    const identity = eventIdentity(news);
    if (!waiting.has(identity) && waiting.size >= MAX_WAITING) return false;
    const known = remembered.get(identity);
    const isSame = known !== undefined && at - known.event.lastAt < MERGE_MS;
    const noted = isSame
      ? { key: known.key, event: seenAgain(known.event, at) }
      : { key: store.keys.event(at, `${session}${String(++count).padStart(6, '0')}`), event: firstEvent(news, by, at) };
    remembered.delete(identity);
    remembered.set(identity, noted);
    for (const oldest of remembered.keys()) {
      if (remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(oldest);
    }
    waiting.set(identity, noted);
    return true;
  };
  const allowance = (): number => {
    const now = clock.monotonic();
    allowed = Math.min(BURST, allowed + ((now - allowedAtMs) / 1000) * PER_SECOND);
    allowedAtMs = now;
    return Math.floor(allowed);
  };
  const write = async (signal: AbortSignal): Promise<void> => {
    if (leftOut > 0 && note(leftOutNews(by, leftOut))) leftOut = 0;
    const batch = [...waiting].slice(0, Math.min(allowance(), MAX_BATCH));
    if (batch.length === 0) return;
    const leaseId = await lease.get(signal);
    const put = batch.map(([, { key, event }]) => ({ key, value: JSON.stringify(event), lease: leaseId }));
    await store.transact({ compare: [], put, delete: [] }, signal);
    allowed -= batch.length;
    for (const [identity, noted] of batch) if (waiting.get(identity) === noted) waiting.delete(identity);
  };
  const round = async (): Promise<void> => {
    try {
      await write(closing.signal);
      isFailing = false;
    } catch (error) {
      lease.forget();
      if (!isFailing && !closing.signal.aborted) log.warn({ reason: messageOf(error) }, 'could not write down events');
      isFailing = true;
    }
    if (waiting.size === 0 && leftOut === 0) return;
    // A reminder that nobody waits for; closed: the last words are written by close.
    void clock.sleep(isFailing ? RETRY_MS : 1000 / PER_SECOND, closing.signal).then(
      () => rounds.note(),
      () => {},
    );
  };
  const rounds = new Latest(clock, WRITE_INTERVAL_MS, round);
  return {
    record(news) {
      if (closing.signal.aborted) return;
      if (!note(news)) leftOut++;
      rounds.note();
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new Error('closed'));
      await rounds.close();
      await write(AbortSignal.timeout(CLOSE_LIMIT_MS)).catch(() => {}); // nobody waits for an event
    },
  };
}

function leftOutNews(by: string, count: number): EventNews {
  return {
    reason: 'left-out',
    tone: 'warning',
    kind: 'Mesh',
    name: 'mesh',
    message: `${count} events of ${by} are left out: too many at once; its log has them`,
  };
}
