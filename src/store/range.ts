/**
 * Ranges of keys. Keys sort by their bytes, as etcd sorts them; an interval is half open, `end` excluded, and
 * `end: undefined` means "to the last key there is".
 */
export type Range =
  | { readonly prefix: string }
  | { readonly key: string }
  | { readonly start: string; readonly end: string };

export interface Interval {
  readonly start: Buffer;
  readonly end: Buffer | undefined;
}

export function toInterval(range: Range): Interval {
  if ('key' in range) return { start: Buffer.from(range.key), end: Buffer.from(`${range.key}\0`) };
  if ('prefix' in range) return { start: Buffer.from(range.prefix), end: prefixEnd(Buffer.from(range.prefix)) };
  return { start: Buffer.from(range.start), end: Buffer.from(range.end) };
}

/** The first key after all keys with this prefix; undefined when there is none (an empty prefix, or only 0xff bytes). */
export function prefixEnd(prefix: Buffer): Buffer | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] ?? 0xff;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, last), Buffer.of(byte + 1)]);
  }
  return undefined;
}

/** The smallest single interval that covers all of them: what one watch has to ask for. */
export function hull(intervals: readonly Interval[]): Interval {
  const start = intervals.map((interval) => interval.start).reduce((a, b) => (a.compare(b) <= 0 ? a : b));
  const end = intervals
    .map((interval) => interval.end)
    .reduce((a, b) => (a && b ? (a.compare(b) >= 0 ? a : b) : undefined));
  return { start, end };
}

/** Sorted and without overlaps, so that listing them gives every key once. */
export function disjoint(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => a.start.compare(b.start))) {
    const last = merged.at(-1);
    if (last && (last.end === undefined || last.end.compare(next.start) >= 0))
      merged[merged.length - 1] = hull([last, next]);
    else merged.push(next);
  }
  return merged;
}

export function covers(intervals: readonly Interval[], key: Buffer): boolean {
  return intervals.some(({ start, end }) => start.compare(key) <= 0 && (end === undefined || key.compare(end) < 0));
}
