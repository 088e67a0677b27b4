/**
 * Which sidecars are served from the last good configuration, and until when. A sidecar that starts asks here before it asks
 * the pilots (Envoy does not know their cluster yet in its first moment), so it is turned away while a pilot serves. But a
 * pilot may serve everybody else and refuse this one: then it asks again and again, and is let in.
 */

/** For as long a sidecar is turned away while a pilot serves. */
const PATIENCE_MS = 2000;
/** A sidecar that does not ask for this long has found a pilot. */
const FORGET_MS = 60_000;
/** How long it may stay at least, doubled with each time that it had to come back. */
const MIN_STAY_MS = 1000;
const MAX_STAY_MS = 30_000;

interface Visit {
  proxy: string;
  askedSinceMs: number;
  askedLastMs: number;
  /** How often it was let in. */
  stays: number;
  /** Since when it is here; undefined while it is not. */
  sinceMs: number | undefined;
  streams: number;
}

export interface Stays {
  mayBegin(instance: string, doesPilotServe: boolean, nowMs: number): boolean;
  begin(instance: string, proxy: string, nowMs: number): void;
  end(instance: string): void;
  has(instance: string): boolean;
  /** Proxies that may be sent back when a pilot serves. */
  mayEnd(nowMs: number): readonly string[];
}

export function createStays(): Stays {
  const visits = new Map<string, Visit>();
  const visitOf = (instance: string, nowMs: number): Visit => {
    let visit = visits.get(instance);
    if (visit === undefined || (visit.streams === 0 && nowMs - visit.askedLastMs > FORGET_MS)) {
      visit = { proxy: '', askedSinceMs: nowMs, askedLastMs: nowMs, stays: 0, sinceMs: undefined, streams: 0 };
      visits.set(instance, visit);
    }
    return visit;
  };
  return {
    mayBegin(instance, doesPilotServe, nowMs) {
      const visit = visitOf(instance, nowMs);
      visit.askedLastMs = nowMs;
      return !doesPilotServe || nowMs - visit.askedSinceMs >= PATIENCE_MS;
    },
    begin(instance, proxy, nowMs) {
      const visit = visitOf(instance, nowMs);
      visit.proxy = proxy;
      visit.stays += 1;
      visit.streams += 1;
      visit.sinceMs = nowMs;
    },
    end(instance) {
      const visit = visits.get(instance);
      if (visit === undefined) return;
      visit.streams -= 1;
      if (visit.streams === 0) visit.sinceMs = undefined;
    },
    has: (instance) => (visits.get(instance)?.streams ?? 0) > 0,
    mayEnd: (nowMs) =>
      [...visits.values()]
        .filter(({ sinceMs, stays }) => sinceMs !== undefined && nowMs - sinceMs >= minStayMs(stays))
        .map(({ proxy }) => proxy),
  };
}

function minStayMs(stays: number): number {
  return Math.min(MAX_STAY_MS, MIN_STAY_MS * 2 ** (stays - 1));
}
