/**
 * When too many vanish together it is the registry that is in trouble, not they: a store that lost leases, a network that cut
 * agents off. Then nobody may be removed. These are the figures of that rule, and what it is decided from.
 */
import { MESH_SCOPE } from '../../model/eviction.js';
import { durationMs } from '../../model/fields.js';
import type { MeshSpec } from '../../model/mesh.js';
import type { Health } from '../../model/service-shape.js';
import type { ServiceSources } from '../endpoints.js';
import type { GuardFacts } from './facts.js';

export interface Threshold {
  /** More than this share must be lost, in percent … */
  readonly percent: number;
  /** … and at least so many. */
  readonly min: number;
}

export interface GuardPolicy {
  /** Of the agents' leases. What is lost within twice this time is lost together. */
  readonly ttlMs: number;
  /** From suspicion to removal. */
  readonly lingerMs: number;
  readonly service: Threshold;
  readonly mesh: Threshold;
}

export function policyOf({ leaseTtl, eviction }: MeshSpec): GuardPolicy {
  const { linger, freeze } = eviction;
  return { ttlMs: durationMs(leaseTtl), lingerMs: durationMs(linger), service: freeze.service, mesh: freeze.mesh };
}

export interface GuardWorld extends GuardFacts {
  /** By service (`<ns>/<name>`). */
  readonly sources: ReadonlyMap<string, ServiceSources>;
  /** Undefined: not asked yet. */
  readonly isLeaseAlive: (lease: string) => boolean | undefined;
  /** Health check of a service; undefined where a connection is the check. */
  readonly healthOf: (service: string) => Health | undefined;
}

/** Monotonic milliseconds of this process: the clocks of two machines are never compared. */
export interface TermMemory {
  /** A leader has begun, or its store was away: nobody is evicted within one TTL. */
  readonly heldSinceMs: number;
  /** By `<ns>/<service>/<id>`: since when it counts as lost, and since when this leader has known. */
  readonly sightings: ReadonlyMap<string, { readonly lostAtMs: number; readonly seenAtMs: number }>;
  /** Of what is frozen: since when so few are missing that it may thaw. */
  readonly calmSinceMs: ReadonlyMap<string, number>;
  /** Of the last eviction by a witness's word. */
  readonly witnessedAtMs: number;
}

export interface Now {
  /** For decisions. */
  readonly monotonicMs: number;
  /** For people. */
  readonly wallMs: number;
}

/** Of a service or of the mesh. Whom an operator has given up is not counted. */
export interface Losses {
  readonly size: number;
  readonly lost: number;
  /** Of `lost`: within the last two TTLs. */
  readonly recent: number;
}

/** All of a service is too many at any pace: there is nothing left that could serve. */
export function isAlarm(scope: string, policy: GuardPolicy, { size, lost, recent }: Losses): boolean {
  const isAll = scope !== MESH_SCOPE && size > 0 && lost >= size;
  return isAll || recent >= limitOf(scope, policy, size);
}

/** Less than half of what would freeze it. Whoever is missing still counts, however long ago it was lost. */
export function isCalm(scope: string, policy: GuardPolicy, { size, lost }: Losses): boolean {
  const limit = limitOf(scope, policy, size);
  return lost < (scope === MESH_SCOPE ? limit : Math.min(limit, Math.max(size, 1))) / 2;
}

/** So many losses at once freeze a scope of this size. */
function limitOf(scope: string, policy: GuardPolicy, size: number): number {
  const { percent, min } = scope === MESH_SCOPE ? policy.mesh : policy.service;
  return Math.max(min, Math.floor((size * percent) / 100) + 1);
}
