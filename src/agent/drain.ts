/** The two waits of a drain: until no proxy sends new requests, and until the last one in flight is answered. */
import type { AckStatus } from '../model/leased-values.js';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import type { Store } from '../store/store.js';

const ACK_LIMIT_MS = 10_000;
const ACK_POLL_MS = 100;
const IDLE_LIMIT_MS = 10_000;
const IDLE_POLL_MS = 100;
/** A request may be on its way to the sidecar while we ask. */
const IDLE_LOOKS = 2;

/**
 * Until every live pilot says that all its proxies have acknowledged this write. Answers those that have not in time, empty
 * when all have: waiting for a proxy that hangs must not keep a node from its plan for ever.
 */
export async function untilAcknowledged(
  store: Store,
  storeRevision: bigint,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const deadline = clock.monotonic() + ACK_LIMIT_MS;
  for (;;) {
    const laggards = await laggardsBehind(store, storeRevision, signal);
    if (laggards.length === 0 || clock.monotonic() >= deadline) return laggards;
    await clock.sleep(ACK_POLL_MS, signal);
  }
}

async function laggardsBehind(store: Store, storeRevision: bigint, signal: AbortSignal): Promise<readonly string[]> {
  const { entries } = await store.list(store.keys.below('ack'), {}, signal);
  return entries.flatMap((entry) => {
    const ack = valueOf<AckStatus>(entry.value, ['storeRevision', 'laggards']);
    if (ack === undefined || BigInt(ack.storeRevision) >= storeRevision) return [];
    const key = store.keys.parse(entry.key);
    const pilot = key?.kind === 'ack' ? key.pilot : entry.key;
    return ack.laggards.length === 0 ? [`pilot ${pilot}`] : ack.laggards.map((proxy) => `${proxy} of pilot ${pilot}`);
  });
}

/** Until the sidecar has no request in flight, looked at twice. Answers how many there still are when the time is up. */
export async function untilIdle(
  inFlight: (signal: AbortSignal) => Promise<number>,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  const deadline = clock.monotonic() + IDLE_LIMIT_MS;
  for (let idleLooks = 0; ; ) {
    const count = await inFlight(signal);
    idleLooks = count === 0 ? idleLooks + 1 : 0;
    if (idleLooks >= IDLE_LOOKS || clock.monotonic() >= deadline) return count;
    await clock.sleep(IDLE_POLL_MS, signal);
  }
}
