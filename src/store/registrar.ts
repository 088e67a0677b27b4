/**
 * One lease for all keys of this process, kept by one loop: delete what is unwanted, renew or replace the lease, write
 * what is missing, compare with what the store says hangs on the lease. Every step may be repeated without harm.
 */
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { hintFor, shortReason } from './advice.js';
import type { Connection } from './connection.js';
import { faultOf } from './fault.js';
import { type KeepAlive, openKeepAlive } from './keep-alive.js';
import {
  deleteKeys,
  type Fence,
  firstBatch,
  grantLease,
  keysOfLease,
  putKeys,
  revokeLease,
  takeKey,
} from './lease-calls.js';
import { Settled } from './settled.js';
import type { Claim, Registrar, RegistrarOptions, RegistrarState } from './store.js';

export interface RegistrarContext {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY: Backoff = { baseMs: 100, maxMs: 300 };
/** In one life of a lease. */
const RENEWALS = 3;
const CALL_LIMIT_MS = 1500;
const REVOKE_LIMIT_MS = 2000;
const DEFAULT_TOUCH_MS = 20 * 60_000;
const MIN_TOUCH_MS = 60_000;
/** A write whose answer was lost may still arrive, after a newer one: write those keys once more when it no longer can. */
const SETTLE_MS = 10_000;

export function openRegistrar(context: RegistrarContext, options: RegistrarOptions): Registrar {
  return new LeasedKeys(context, options);
}

class LeasedKeys implements Registrar {
  leaseId: string | undefined;
  claimRevision: bigint | undefined;

  readonly #context: RegistrarContext;
  readonly #keepAlive: KeepAlive;
  readonly #claim: Claim | undefined;
  readonly #ttlSeconds: number;
  readonly #touchMs: number;
  /** Several tries must fit into one TTL. */
  readonly #limitMs: number;
  readonly #wanted = new Map<string, string>();
  readonly #unwritten = new Set<string>();
  readonly #unwanted = new Set<string>();
  readonly #lent = new Set<string>();
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(state: RegistrarState) => void>();
  readonly #settled = new Settled(this.#closing.signal);
  readonly #running: Promise<void>;
  #wake = new AbortController();
  #validUntilMs = Number.NEGATIVE_INFINITY;
  #renewAtMs = Number.NEGATIVE_INFINITY;
  #compareAtMs = Number.NEGATIVE_INFINITY;
  #touchAtMs: number;
  #settleAtMs = Number.POSITIVE_INFINITY;
  #wasAlive = false;
  #keepLease = false;

  constructor(context: RegistrarContext, options: RegistrarOptions) {
    this.#context = context;
    this.#keepAlive = openKeepAlive(context.connection, context.clock);
    this.#claim = options.claim;
    this.#ttlSeconds = options.ttlSeconds;
    this.#touchMs = Math.max(MIN_TOUCH_MS, options.touchMs ?? DEFAULT_TOUCH_MS);
    this.#limitMs = Math.min(CALL_LIMIT_MS, (options.ttlSeconds * 1000) / 6);
    this.#touchAtMs = context.clock.monotonic() + this.#touchMs;
    this.#running = this.#run();
  }

  set(key: string, value: string): void {
    this.#unwanted.delete(key);
    if (this.#wanted.get(key) === value) return;
    this.#wanted.set(key, value);
    this.#unwritten.add(key);
    this.#wake.abort();
  }

  remove(key: string): Promise<void> {
    this.#wanted.delete(key);
    this.#unwritten.delete(key);
    this.#unwanted.add(key);
    this.#wake.abort();
    return this.#settled.when(() => !this.#unwanted.has(key));
  }

  flush(signal?: AbortSignal): Promise<void> {
    const isDone = (): boolean => this.isAlive() && this.#unwritten.size === 0 && this.#unwanted.size === 0;
    return this.#settled.when(isDone, signal);
  }

  isAlive(): boolean {
    return this.aliveForMs() > 0;
  }

  aliveForMs(): number {
    if (this.#isUnclaimed()) return 0;
    return Math.max(0, this.#validUntilMs - this.#context.clock.monotonic());
  }

  lend(key: string): () => void {
    this.#lent.add(key);
    return () => this.#lent.delete(key);
  }

  onState(listener: (state: RegistrarState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(options: { readonly keepLease?: boolean } = {}): Promise<void> {
    if (this.#closing.signal.aborted) return this.#running;
    this.#keepLease = options.keepLease ?? false;
    this.#closing.abort(new MeshError('MESH2008', 'the registrar is closed'));
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#context;
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      this.#wake = new AbortController();
      // After a stall of this process the lease may be over, and the next step make it good again: say so in between.
      if (!this.isAlive()) this.#announce('it was not renewed in time');
      try {
        await this.#step();
        failures = 0;
        this.#announce(undefined);
        await this.#sleep(this.#dueInMs());
      } catch (error) {
        if (faultOf(error) === 'lease-gone') this.#loseLease();
        const reason = shortReason(error);
        if (failures++ === 0) {
          log.warn({ reason, hint: hintFor(error) }, 'could not renew the registration in the store');
        }
        this.#announce(reason);
        await clock.sleep(backoffMs(RETRY, failures, Math.random), this.#closing.signal).catch(() => {}); // closed
      }
    }
    await this.#revoke();
  }

  async #step(): Promise<void> {
    const { clock } = this.#context;
    await this.#deleteUnwanted();
    if (this.leaseId === undefined) await this.#grant();
    else if (clock.monotonic() >= this.#renewAtMs) await this.#renew(this.leaseId);
    if (this.leaseId !== undefined && this.#isUnclaimed()) await this.#takeClaim(this.leaseId);
    if (clock.monotonic() >= Math.min(this.#touchAtMs, this.#settleAtMs)) this.#writeAllAgain();
    if (this.leaseId !== undefined) await this.#writeUnwritten(this.leaseId);
    this.#settled.lookAgain();
  }

  async #grant(): Promise<void> {
    const { connection, clock, log } = this.#context;
    const sentMs = clock.monotonic();
    const lease = await grantLease(connection, this.#ttlSeconds, this.#limitMs);
    this.leaseId = lease.id;
    this.#extend(sentMs, lease.ttlMs);
    for (const key of this.#wanted.keys()) this.#unwritten.add(key);
    log.debug({ lease: lease.id, keys: this.#wanted.size }, 'opened a lease in the store');
  }

  #isUnclaimed(): boolean {
    return this.#claim !== undefined && this.claimRevision === undefined;
  }

  async #takeClaim(leaseId: string): Promise<void> {
    const { connection } = this.#context;
    const { key, onHeld } = this.#claim as Claim; // asked for by #isUnclaimed
    const value = this.#wanted.get(key) ?? '';
    const taken = await takeKey(connection, leaseId, key, value, this.#limitMs);
    if ('heldBy' in taken) {
      onHeld(taken.heldBy);
      throw new MeshError('MESH2004', `somebody else has ${key}`);
    }
    this.claimRevision = taken.createRevision;
    await this.#deleteUnwanted();
  }

  #fence(): Fence | undefined {
    const { claimRevision: createRevision } = this;
    return this.#claim && createRevision !== undefined ? { key: this.#claim.key, createRevision } : undefined;
  }

  #requireClaim(isOurs: boolean): void {
    if (isOurs) return;
    this.claimRevision = undefined;
    throw new MeshError('MESH2004', `${this.#claim?.key} is no longer ours`);
  }

  async #renew(leaseId: string): Promise<void> {
    const sentMs = this.#context.clock.monotonic();
    const ttlMs = await this.#keepAlive.renew(leaseId, this.#limitMs);
    if (ttlMs === 0) throw new Error('etcdserver: requested lease not found');
    this.#extend(sentMs, ttlMs);
    // Once in a lease's life is enough, and spares etcd two thirds of what agents cost it while nothing happens.
    if (sentMs < this.#compareAtMs) return;
    this.#compareAtMs = sentMs + ttlMs - ttlMs / RENEWALS / 2;
    await this.#compareWithStore(leaseId);
  }

  /** Counted from when we asked: the server's count cannot have begun earlier. */
  #extend(sentMs: number, ttlMs: number): void {
    this.#validUntilMs = sentMs + ttlMs;
    this.#renewAtMs = sentMs + ttlMs / RENEWALS;
  }

  /** Somebody may have deleted or taken over a key of ours, or a delayed write may have brought back an unwanted one. */
  async #compareWithStore(leaseId: string): Promise<void> {
    const { connection, log } = this.#context;
    const keys = await keysOfLease(connection, leaseId, this.#limitMs);
    if (!keys) throw new Error('etcdserver: requested lease not found');
    if (this.#claim && !keys.has(this.#claim.key)) this.claimRevision = undefined;
    const lost = [...this.#wanted.keys()].filter((key) => !keys.has(key) && !this.#unwritten.has(key));
    for (const key of lost) this.#unwritten.add(key);
    if (lost.length > 0)
      log.warn({ keys: lost.slice(0, 10), count: lost.length }, 'registered keys were gone from the store');
    for (const key of keys) if (!this.#wanted.has(key) && !this.#lent.has(key)) this.#unwanted.add(key);
    await this.#deleteUnwanted();
  }

  async #deleteUnwanted(): Promise<void> {
    while (this.#unwanted.size > 0 && !this.#isUnclaimed()) {
      const keys = [...firstBatch(this.#unwanted, () => '').keys()];
      this.#requireClaim(await deleteKeys(this.#context.connection, keys, this.#fence(), this.#limitMs));
      for (const key of keys) this.#unwanted.delete(key);
      this.#settled.lookAgain();
    }
  }

  async #writeUnwritten(leaseId: string): Promise<void> {
    const { connection, clock } = this.#context;
    while (this.#unwritten.size > 0 && this.#unwanted.size === 0 && clock.monotonic() < this.#renewAtMs) {
      const batch = firstBatch(this.#unwritten, (key) => this.#wanted.get(key) ?? '');
      try {
        this.#requireClaim(await putKeys(connection, leaseId, batch, this.#fence(), this.#limitMs));
      } catch (error) {
        if (faultOf(error) === 'no-answer') this.#settleAtMs = clock.monotonic() + SETTLE_MS;
        throw error;
      }
      for (const [key, value] of batch) {
        if (this.#wanted.get(key) === value) this.#unwritten.delete(key);
        else if (!this.#wanted.has(key)) this.#unwanted.add(key);
      }
    }
  }

  #writeAllAgain(): void {
    for (const key of this.#wanted.keys()) this.#unwritten.add(key);
    this.#touchAtMs = this.#context.clock.monotonic() + this.#touchMs;
    this.#settleAtMs = Number.POSITIVE_INFINITY;
  }

  #loseLease(): void {
    this.leaseId = undefined;
    this.claimRevision = undefined;
    this.#validUntilMs = Number.NEGATIVE_INFINITY;
  }

  async #revoke(): Promise<void> {
    this.#keepAlive.close();
    const { connection, log } = this.#context;
    const { leaseId } = this;
    const fence = this.#fence();
    this.#loseLease();
    this.#announce('closed');
    const limitMs = REVOKE_LIMIT_MS / connection.addresses.length;
    if (this.#keepLease && fence) {
      // It would only keep a successor waiting; without it, the lease says the same a little later.
      await deleteKeys(connection, [fence.key], fence, limitMs).catch(() => {});
    }
    if (leaseId === undefined || this.#keepLease) return;
    for (const _ of connection.addresses) {
      try {
        return await revokeLease(connection, leaseId, limitMs);
      } catch (error) {
        if (faultOf(error) === 'lease-gone') return;
        log.warn({ reason: messageOf(error) }, 'could not revoke the lease; its keys vanish when it runs out');
      }
    }
  }

  #dueInMs(): number {
    const dueMs = Math.min(this.#renewAtMs, this.#touchAtMs, this.#settleAtMs);
    const isBusy = this.#unwanted.size > 0 || this.#unwritten.size > 0;
    return isBusy ? 0 : Math.max(0, dueMs - this.#context.clock.monotonic());
  }

  async #sleep(ms: number): Promise<void> {
    await this.#context.clock.sleep(ms, this.#wake.signal).catch(() => {}); // woken: there is work
  }

  #announce(reason: string | undefined): void {
    const alive = this.isAlive();
    if (alive === this.#wasAlive) return;
    this.#wasAlive = alive;
    for (const listener of this.#listeners) listener({ alive, leaseId: this.leaseId, reason });
  }
}
