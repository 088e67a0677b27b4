/**
 * One watch with its heartbeat, from its creation until it can no longer be trusted. A member of etcd that has lost its
 * quorum keeps its streams open and silent, so every 3 s a linearizable read goes through the endpoint that feeds the watch.
 */

import type { IEvent } from 'etcd3';
import type { Clock } from '../runtime/clock.js';
import { withEither } from '../runtime/either-signal.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Connection, Endpoint } from './connection.js';
import { isLate } from './fault.js';
import type { Interval } from './range.js';
import { openWatch } from './watch-stream.js';

/** Why a session has ended, and whether the next one may go on from the same position. */
export interface Ending {
  readonly next: 'resume' | 'list';
  readonly reason: string;
  /** Nothing is wrong: go on at once, the copy counts as synced meanwhile. */
  readonly planned?: boolean;
}

export interface SessionOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly watched: Interval;
  readonly position: () => bigint;
  /** The copy was listed just before: it is at the head, up to what the watch will bring. */
  readonly fresh: boolean;
  readonly listedAtMs: number;
  readonly resyncMs: number;
  readonly epoch: string | undefined;
  readonly readHead: (endpoint: Endpoint) => Promise<{ readonly head: bigint; readonly epoch: string | undefined }>;
  readonly reachesWithin: (ms: number, storeRevision: bigint, signal: AbortSignal) => Promise<boolean>;
  readonly onEvents: (events: readonly IEvent[]) => void;
  /** The watch was alive and complete at this monotonic time. */
  readonly onProof: (atMs: number) => void;
  /** Its reason is the Ending that somebody outside wants. */
  readonly interrupt: AbortSignal;
}

const CREATE_TIMEOUT_MS = 5000;
const HEARTBEAT_MS = 3000;
/** How long a watch may owe us a revision that a read has shown before we list instead. */
export const REACH_GRACE_MS = 250;
/** A store that others write to as well makes revisions that our watch never shows: list for them this often at most. */
const DOUBT_MIN_MS = 10_000;

export function followWatch(options: SessionOptions): Promise<Ending> {
  const { clock, connection } = options;
  const endpoint = connection.current();
  const over = new AbortController();
  const created = new AbortController();
  return new Promise<Ending>((resolve) => {
    const finish = (ending: Ending): void => {
      if (over.signal.aborted) return;
      over.abort();
      closeWatch();
      resolve(ending);
    };
    const finishAfter = (ms: number, signals: readonly AbortSignal[], end: () => void): void => {
      withEither(signals, (either) => clock.sleep(ms, either)).then(end, () => {}); // rejects when there is nothing left to end
    };
    const broken = (reason: string, isSilent: boolean): void => {
      connection.failed(endpoint, isSilent);
      finish({ next: 'resume', reason });
    };
    const closeWatch = openWatch(endpoint.client, options.watched, options.position() + 1n, {
      created: (storeRevision) => {
        created.abort();
        const position = options.position();
        if (storeRevision < position) {
          // Either this member lags, or the store is not the one we knew. A list, which asks the quorum, tells which.
          connection.failed(endpoint, false);
          finish({
            next: 'list',
            reason: `${endpoint.address} is at revision ${storeRevision}, we are at ${position}`,
          });
          return;
        }
        if (options.fresh) options.onProof(options.listedAtMs);
        finishAfter(options.resyncMs, [over.signal], () => finish({ next: 'list', reason: 'resync', planned: true }));
        beat(options, endpoint, over.signal).then(finish, (error: unknown) => broken(messageOf(error), isLate(error)));
      },
      events: options.onEvents,
      cancelled: (reason) => finish({ next: 'list', reason: `the watch was cancelled: ${reason}` }),
      broken: (error) => broken(messageOf(error), isLate(error)),
    });
    finishAfter(CREATE_TIMEOUT_MS, [created.signal, over.signal], () => broken('the watch was not created', true));
    const interrupted = (): void => finish(options.interrupt.reason as Ending); // by the contract of `interrupt`
    if (options.interrupt.aborted) interrupted();
    else options.interrupt.addEventListener('abort', interrupted, { signal: over.signal });
  });
}

/** Resolves when the reads and the watch disagree, throws when a read fails. */
async function beat(options: SessionOptions, endpoint: Endpoint, over: AbortSignal): Promise<Ending> {
  const { clock, position } = options;
  let isComplete = options.fresh;
  let headBefore = 0n;
  while (!over.aborted) {
    const sentMs = clock.monotonic();
    const { head, epoch } = await options.readHead(endpoint);
    if (epoch !== options.epoch) return { next: 'list', reason: 'the epoch of the store has changed' };
    isComplete ||= await options.reachesWithin(REACH_GRACE_MS, head, over);
    const isOwed = position() < headBefore && sentMs - options.listedAtMs > DOUBT_MIN_MS;
    if (!isComplete || isOwed) return { next: 'list', reason: 'a revision did not come by watch', planned: true };
    if (!over.aborted) options.onProof(sentMs);
    headBefore = head;
    await clock.sleep(Math.max(0, sentMs + HEARTBEAT_MS - clock.monotonic()), over).catch(() => {}); // over: the loop ends
  }
  return { next: 'resume', reason: 'ended before' };
}
