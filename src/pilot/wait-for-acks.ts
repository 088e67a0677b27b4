/** Waits until the proxies of every live pilot have acknowledged a revision of the store. */

import type { AckWaitResponse } from '../model/api.js';
import type { AckStatus, PilotStatus } from '../model/leased-values.js';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import { withEither } from '../runtime/either-signal.js';
import type { Keys } from '../store/keys.js';
import type { Entry, Store } from '../store/store.js';

export interface AckState {
  readonly pilots: readonly PilotStatus[];
  /** By pilot. */
  readonly acks: ReadonlyMap<string, AckStatus>;
}

export function ackStateOf(entries: Iterable<Entry>, keys: Keys): AckState {
  const pilots: PilotStatus[] = [];
  const acks = new Map<string, AckStatus>();
  for (const { key, value } of entries) {
    const parsed = keys.parse(key);
    if (parsed?.kind === 'pilot') {
      const status = valueOf<PilotStatus>(value, ['id']);
      if (status !== undefined) pilots.push(status);
    } else if (parsed?.kind === 'ack') {
      const status = valueOf<AckStatus>(value, ['storeRevision', 'laggards', 'proxies']);
      if (status !== undefined) acks.set(parsed.pilot, status);
    }
  }
  return { pilots, acks };
}

/** Who has not acknowledged that revision: proxies by name, or a whole pilot that has not said anything yet. */
export function laggardsAt(state: AckState, storeRevision: bigint): readonly string[] {
  return state.pilots.flatMap(({ id }) => {
    const ack = state.acks.get(id);
    if (ack === undefined) return [`pilot ${id}`];
    if (BigInt(ack.storeRevision) >= storeRevision) return [];
    return ack.laggards.length > 0 ? ack.laggards : [`pilot ${id}`];
  });
}

/** Something that says when to look again: the pilot's own mirror, or one that is opened for this wait. */
export interface AckFeed {
  entries(): Iterable<Entry>;
  onChange(listener: () => void): () => void;
}

export type Acknowledged = Pick<AckWaitResponse, 'acked' | 'laggards'>;

/** Answers with the laggards when `timeoutMs` is over. */
export async function waitForAcks(
  feed: AckFeed,
  keys: Keys,
  storeRevision: bigint,
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Acknowledged> {
  const look = (): readonly string[] => laggardsAt(ackStateOf(feed.entries(), keys), storeRevision);
  let laggards = look();
  if (laggards.length === 0 || timeoutMs <= 0) return { acked: laggards.length === 0, laggards };
  const done = new AbortController();
  const stop = feed.onChange(() => {
    laggards = look();
    if (laggards.length === 0) done.abort(new Error('acknowledged'));
  });
  const either = signal === undefined ? [done.signal] : [done.signal, signal];
  try {
    await withEither(either, (ended) => clock.sleep(timeoutMs, ended));
  } catch {
    signal?.throwIfAborted(); // else everyone has acknowledged
  } finally {
    stop();
  }
  return { acked: laggards.length === 0, laggards };
}

/** For where no pilot's mirror is at hand; closes what it opened. */
export async function withAckFeed<Result>(store: Store, act: (feed: AckFeed) => Promise<Result>): Promise<Result> {
  const listeners = new Set<() => void>();
  const ranges = [store.keys.below('ack'), store.keys.below('pilot')];
  const mirror = store.mirror({
    list: ranges,
    watch: ranges,
    onChange: () => {
      for (const listener of listeners) listener();
    },
  });
  try {
    await mirror.whenListed;
    return await act({
      entries: () => mirror.entries.values(),
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
  } finally {
    await mirror.close();
  }
}
