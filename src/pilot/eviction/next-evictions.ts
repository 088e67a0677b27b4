/**
 * The two stages of an eviction and the guard, decided from what the store shows and what this leader remembers of its term.
 * The leader asks again after every change and whenever something is due, so steps may fail or be cut off.
 *
 * Whoever is missing is a suspect at once (UNHEALTHY: Envoy does without it) and evicted after the linger. Nobody is evicted
 * within one TTL after a leader has begun or the store was away; nobody of what is frozen, unless another node's agent has
 * seen it dead: one per second then, and down to half of the service.
 */
import { MESH_SCOPE } from '../../model/eviction.js';
import type { GuardPolicy, GuardWorld, Now, TermMemory } from './guard.js';
import { isGivenUp, nextFreezes } from './next-freezes.js';
import type { EvictedBy, EvictionStep } from './steps.js';
import { type Lost, type Survey, survey } from './survey.js';

const WITNESS_PACE_MS = 1000;

export const noMemory: TermMemory = {
  heldSinceMs: Number.NEGATIVE_INFINITY,
  sightings: new Map(),
  calmSinceMs: new Map(),
  witnessedAtMs: Number.NEGATIVE_INFINITY,
};

/** A leader begins, or its store was away: what it finds may be the trouble of the store. */
export function holdFrom(memory: TermMemory, nowMs: number): TermMemory {
  return { ...memory, heldSinceMs: nowMs };
}

export interface NextEvictions {
  /** Freezes first: they must be written before anybody is removed. */
  readonly steps: readonly EvictionStep[];
  readonly memory: TermMemory;
  /** Leases of which it must be known whether they live. */
  readonly questions: readonly string[];
  /** When to look again although nothing has changed; Infinity for never. */
  readonly dueMs: number;
}

export function nextEvictions(world: GuardWorld, policy: GuardPolicy, before: TermMemory, now: Now): NextEvictions {
  const found = survey(world, before, now);
  const frozen = nextFreezes(found, world, policy, before, now);
  const removed = removals(found, frozen.held, world, policy, before, now.monotonicMs);
  return {
    steps: [...frozen.steps, ...found.steps, ...removed.steps],
    questions: found.questions,
    memory: {
      heldSinceMs: before.heldSinceMs,
      sightings: new Map(found.lost.map(({ key, lostAtMs, seenAtMs }) => [key, { lostAtMs, seenAtMs }])),
      calmSinceMs: frozen.calmSinceMs,
      witnessedAtMs: removed.witnessedAtMs,
    },
    dueMs: Math.min(frozen.dueMs, removed.dueMs),
  };
}

interface Removals {
  readonly steps: readonly EvictionStep[];
  readonly witnessedAtMs: number;
  readonly dueMs: number;
}

/** Who is removed now, longest missing first. */
function removals(
  { lost, sizes }: Pick<Survey, 'lost' | 'sizes'>,
  held: ReadonlySet<string>,
  world: GuardWorld,
  { ttlMs, lingerMs }: GuardPolicy,
  before: TermMemory,
  nowMs: number,
): Removals {
  const steps: EvictionStep[] = [];
  const left = new Map(sizes);
  let { witnessedAtMs } = before;
  let dueMs = Number.POSITIVE_INFINITY;
  const remove = (one: Lost, by: EvictedBy): void => {
    left.set(one.scope, (left.get(one.scope) ?? 0) - 1);
    steps.push(evict(one, by));
  };
  for (const one of lost.toSorted((a, b) => a.seenAtMs - b.seenAtMs || (a.key < b.key ? -1 : 1))) {
    // Written down first, so that every pilot and the next leader know of it.
    if (one.suspicion === undefined) continue;
    const isHeld = held.has(one.scope) || held.has(MESH_SCOPE);
    if (isHeld && !(isSeenDead(one, world) && mayLose(one.scope, left.get(one.scope) ?? 0, world))) continue;
    const paceMs = isHeld ? witnessedAtMs + WITNESS_PACE_MS : 0;
    const readyMs = Math.max(one.seenAtMs + lingerMs, before.heldSinceMs + ttlMs, paceMs);
    if (nowMs < readyMs) {
      dueMs = Math.min(dueMs, readyMs);
    } else if (isHeld) {
      witnessedAtMs = nowMs;
      remove(one, 'witness');
    } else {
      const isThawed = [one.scope, MESH_SCOPE].some((scope) => isGivenUp(one, scope, world.freezes));
      remove(one, isThawed ? 'thaw' : 'linger');
    }
  }
  return { steps, witnessedAtMs, dueMs };
}

/** By an agent of another node, and seen alive by none. */
function isSeenDead({ key, member }: Lost, { witnesses }: GuardWorld): boolean {
  const words = [...witnesses].flatMap(([node, report]) => (node === member.node ? [] : (report[key] ?? [])));
  return words.length > 0 && words.every(({ alive }) => !alive);
}

/** Half of what there was before must stay, whatever witnesses say: they may be cut off as well. */
function mayLose(scope: string, left: number, { freezes }: GuardWorld): boolean {
  const before = [scope, MESH_SCOPE].map((name) => freezes.get(name)?.value.sizes[scope] ?? 0);
  return (left - 1) * 2 >= Math.max(left, ...before);
}

function evict({ namespace, service, id, member, suspicion }: Lost, by: EvictedBy): EvictionStep {
  // Only who has one gets here.
  const { value } = suspicion as NonNullable<Lost['suspicion']>;
  const isManaged = member.lease === undefined;
  return { action: 'evict', namespace, service, id, eviction: { ...value, state: 'evicted' }, isManaged, by };
}
