import type { IRangeRequest } from 'etcd3';
import type { Connection } from './connection.js';
import { toEntry } from './entry.js';
import { faultOf } from './fault.js';
import type { Interval } from './range.js';
import type { Entry, Listing, ListOptions } from './store.js';

const PAGE_KEYS = 1000;
/** A listing is seconds at most; a compaction that overtakes it twice in a row is not bad luck. */
const MAX_STARTS = 3;

/** Everything in the intervals as it was at one revision: that of the first page, unless the caller names one. */
export async function listIntervals(
  connection: Connection,
  intervals: readonly Interval[],
  options: ListOptions = {},
  signal?: AbortSignal,
): Promise<Listing> {
  for (let start = 1; ; start++) {
    try {
      return await listOnce(connection, intervals, options, signal);
    } catch (error) {
      const overtaken = options.revision === undefined && faultOf((error as Error).cause) === 'compacted';
      if (!overtaken || start >= MAX_STARTS) throw error;
    }
  }
}

async function listOnce(
  connection: Connection,
  intervals: readonly Interval[],
  options: ListOptions,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const entries: Entry[] = [];
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  let at = options.revision;
  for (const interval of options.descending ? intervals.toReversed() : intervals) {
    let rest: Interval | undefined = interval;
    while (rest && (entries.length < limit || at === undefined)) {
      const request = pageOf(rest, Math.min(PAGE_KEYS, Math.max(1, limit - entries.length)), options, at);
      const page = await connection.call(
        `list ${describe(interval)}`,
        (client, o) => client.kv.range(request, o),
        signal,
      );
      at ??= BigInt(page.header.revision);
      for (const kv of page.kvs) if (entries.length < limit) entries.push(toEntry(kv));
      rest = page.more ? restAfter(rest, page.kvs.at(-1)?.key, options.descending) : undefined;
    }
  }
  return { entries, storeRevision: at ?? 0n };
}

function pageOf(interval: Interval, keys: number, options: ListOptions, at: bigint | undefined): IRangeRequest {
  return {
    key: interval.start.length === 0 ? Buffer.of(0) : interval.start,
    range_end: interval.end ?? Buffer.of(0),
    limit: keys,
    ...(at === undefined ? {} : { revision: String(at) }),
    ...(options.descending ? { sort_order: 'Descend', sort_target: 'Key' } : {}),
  };
}

function restAfter(
  interval: Interval,
  last: Buffer | undefined,
  descending: boolean | undefined,
): Interval | undefined {
  if (!last) return undefined;
  return descending
    ? { start: interval.start, end: last }
    : { start: Buffer.concat([last, Buffer.of(0)]), end: interval.end };
}

function describe(interval: Interval): string {
  return interval.start.length === 0 ? 'all keys' : `keys from ${interval.start.toString()}`;
}
