import { createHash } from 'node:crypto';

/** Enough that two of a mesh's instances do not meet by accident, short enough to read aloud. */
const DIGEST_CHARACTERS = 12;

/** Content hash of plain data: the order of keys and absent values do not matter. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex')
    .slice(0, DIGEST_CHARACTERS);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
