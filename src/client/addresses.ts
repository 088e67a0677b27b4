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

/** The list as callers are given it. */
export interface Given {
  readonly addresses: readonly string[];
  /** Monotonic time at which addresses that nobody has registered any more are given up; undefined while they are registered. */
  readonly heldUntilMs: number | undefined;
}

export const nothingGiven: Given = { addresses: [], heldUntilMs: undefined };

/** As long as the mesh leaves an instance among the endpoints after its lease has ended. */
export const HOLD_MS = 60_000;

/**
 * A service whose instances are all gone at once is rather trouble of the registry than the death of all of them: the last
 * list is held until somebody registers, or for HOLD_MS. Not longer, since addresses are used again by other services.
 */
export function nextGiven(before: Given, registered: readonly string[], nowMs: number): Given {
  if (registered.length > 0) return { addresses: registered, heldUntilMs: undefined };
  if (before.addresses.length === 0) return nothingGiven;
  const heldUntilMs = before.heldUntilMs ?? nowMs + HOLD_MS;
  return nowMs < heldUntilMs ? { addresses: before.addresses, heldUntilMs } : nothingGiven;
}
