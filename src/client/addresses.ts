import { decodeNamingValue } from '../store/naming.js';
import type { Entry } from '../store/store.js';

/** Sorted, each once. What cannot be read is left out: it is its writer's mistake, and the others still serve. */
export function addressesOf(entries: Iterable<Entry>): readonly string[] {
  const addresses = new Set<string>();
  for (const { value } of entries) {
    const decoded = decodeNamingValue(value);
    if (decoded.kind === 'endpoint') addresses.add(decoded.address);
  }
  return [...addresses].sort();
}
