/** Leases and the keys on them. Time is a parameter: monotonic milliseconds. */
import { EtcdError } from './etcd-error.js';

/** What a real etcd with default election timeout grants at least. */
export const MIN_TTL_S = 2;
const MAX_TTL_S = 9_000_000_000;

export interface Lease {
  readonly id: string;
  readonly ttlSeconds: number;
  readonly expiresMs: number;
  readonly keys: ReadonlySet<string>;
}

type MutableLease = { id: string; ttlSeconds: number; expiresMs: number; keys: Set<string> };

export class Leases {
  readonly #leases = new Map<string, MutableLease>();

  get(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  all(): Iterable<Lease> {
    return this.#leases.values();
  }

  grant(id: string, ttlSeconds: number, nowMs: number): Lease {
    if (this.#leases.has(id)) throw new EtcdError('leaseExists');
    if (ttlSeconds > MAX_TTL_S) throw new EtcdError('leaseTtlTooLarge');
    const granted = Math.max(MIN_TTL_S, ttlSeconds);
    const lease = { id, ttlSeconds: granted, expiresMs: nowMs + granted * 1000, keys: new Set<string>() };
    this.#leases.set(id, lease);
    return lease;
  }

  /** Undefined when the lease is gone. */
  renew(id: string, nowMs: number): Lease | undefined {
    const lease = this.#leases.get(id);
    if (lease) lease.expiresMs = nowMs + lease.ttlSeconds * 1000;
    return lease;
  }

  renewAll(nowMs: number): void {
    for (const id of this.#leases.keys()) this.renew(id, nowMs);
  }

  drop(id: string): void {
    this.#leases.delete(id);
  }

  /** A key hangs on one lease at most: on that of its last write. */
  move(key: string, from: string, to: string): void {
    this.#leases.get(from)?.keys.delete(key);
    this.#leases.get(to)?.keys.add(key);
  }

  checkExists(id: string): void {
    if (!this.#leases.has(id)) throw new EtcdError('leaseNotFound');
  }

  expired(nowMs: number): string[] {
    return [...this.#leases.values()].filter((lease) => lease.expiresMs <= nowMs).map((lease) => lease.id);
  }
}
