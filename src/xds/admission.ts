/**
 * Who may come in when all come at once. A new stream costs a whole configuration, an old one only what changes: after a
 * restart of the pilot, or under a client that connects for ever, those that are served already must not notice it.
 */
import type { Clock } from '../runtime/clock.js';

export interface AdmissionLimits {
  /** New streams that may begin in a second, once `burst` of them have. */
  readonly perSecond: number;
  readonly burst: number;
}

export interface Admission {
  /** Resolves when it is this stream's turn; rejects with the signal's reason when it leaves before. */
  enter(peer: string, signal: AbortSignal): Promise<void>;
}

/**
 * A token bucket. Those who wait are served by turns of their address, so that a host that connects too often waits behind
 * itself, and each address in the order of arrival.
 */
export function createAdmission({ perSecond, burst }: AdmissionLimits, clock: Clock): Admission {
  const waiting = new Map<string, Set<() => void>>();
  let tokens = burst;
  let countedAtMs = clock.monotonic();
  let isServing = false;

  const refill = (): void => {
    const nowMs = clock.monotonic();
    tokens = Math.min(burst, tokens + ((nowMs - countedAtMs) / 1000) * perSecond);
    countedAtMs = nowMs;
  };
  const admitNext = (): void => {
    const [turn] = waiting;
    if (!turn) return;
    const [address, queue] = turn;
    const [admit] = queue;
    waiting.delete(address);
    if (admit) queue.delete(admit);
    if (queue.size > 0) waiting.set(address, queue); // behind the others
    tokens -= 1;
    admit?.();
  };
  const serve = async (): Promise<void> => {
    isServing = true;
    while (waiting.size > 0) {
      refill();
      if (tokens >= 1) admitNext();
      else await clock.sleep(Math.ceil(((1 - tokens) / perSecond) * 1000));
    }
    isServing = false;
  };

  return {
    enter(peer, signal) {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      const address = addressOf(peer);
      refill();
      if (waiting.size === 0 && tokens >= 1) {
        tokens -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const queue = waiting.get(address) ?? new Set();
        const admit = (): void => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = (): void => {
          queue.delete(admit);
          if (queue.size === 0 && waiting.get(address) === queue) waiting.delete(address);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.set(address, queue.add(admit));
        if (!isServing) void serve(); // it never rejects
      });
    },
  };
}

/** Without the port. */
function addressOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':'));
}
