/** What is frozen and what thaws, per service and for the mesh. */
import { formatDurationMs } from '../../model/duration.js';
import { MESH_SCOPE } from '../../model/eviction.js';
import type { StoredFreeze } from './facts.js';
import { type GuardPolicy, type GuardWorld, isAlarm, isCalm, type Losses, type Now, type TermMemory } from './guard.js';
import type { EvictionStep } from './steps.js';
import type { Lost, Survey } from './survey.js';

export interface NextFreezes {
  readonly steps: readonly EvictionStep[];
  /** Frozen, or to be frozen: nobody of these is removed by time alone. */
  readonly held: ReadonlySet<string>;
  readonly calmSinceMs: ReadonlyMap<string, number>;
  readonly dueMs: number;
}

/** A service, or the mesh. */
interface Scope {
  readonly name: string;
  readonly size: number;
  readonly missing: readonly Lost[];
  readonly stored: StoredFreeze | undefined;
}

export function nextFreezes(
  { lost, sizes }: Pick<Survey, 'lost' | 'sizes'>,
  { freezes }: Pick<GuardWorld, 'freezes'>,
  policy: GuardPolicy,
  before: TermMemory,
  now: Now,
): NextFreezes {
  const windowMs = 2 * policy.ttlMs;
  const heldUntilMs = before.heldSinceMs + policy.ttlMs;
  const steps: EvictionStep[] = [];
  const held = new Set<string>();
  const calmSinceMs = new Map<string, number>();
  let dueMs = Number.POSITIVE_INFINITY;
  for (const scope of scopesOf(lost, sizes, freezes)) {
    const { name, missing, stored } = scope;
    const losses = lossesOf(scope, freezes, now.monotonicMs - windowMs);
    const isOn = stored !== undefined && stored.value.thaw === undefined;
    if (!isOn && isAlarm(name, policy, losses)) {
      held.add(name);
      // Nobody is removed before anyway, and after a restart of everything those that are missing are on their way.
      if (now.monotonicMs < heldUntilMs) {
        dueMs = Math.min(dueMs, heldUntilMs);
        continue;
      }
      const freeze = { since: now.wallMs, why: describe(losses, windowMs), sizes: sizesOf(missing, sizes) };
      steps.push({ action: 'freeze', scope: name, freeze, modRevision: stored?.modRevision ?? 0n, isNew: true });
    } else if (isOn && isCalm(name, policy, losses)) {
      held.add(name);
      const sinceMs = before.calmSinceMs.get(name) ?? now.monotonicMs;
      calmSinceMs.set(name, sinceMs);
      if (now.monotonicMs < sinceMs + windowMs) dueMs = Math.min(dueMs, sinceMs + windowMs);
      else steps.push({ action: 'thaw', scope: name, modRevision: stored.modRevision, by: undefined });
    } else if (isOn) {
      held.add(name);
      // Of a service that began to lose after the mesh was frozen, this is what there was.
      const known = { ...sizesOf(missing, sizes), ...stored.value.sizes };
      if (Object.keys(known).length > Object.keys(stored.value.sizes).length) {
        const freeze = { ...stored.value, sizes: known };
        steps.push({ action: 'freeze', scope: name, freeze, modRevision: stored.modRevision, isNew: false });
      }
    } else if (stored !== undefined && !missing.some((one) => isGivenUp(one, name, freezes))) {
      // Whom the operator has given up is gone, or back.
      steps.push({ action: 'thaw', scope: name, modRevision: stored.modRevision, by: stored.value.thaw?.by });
    }
  }
  return { steps, held, calmSinceMs, dueMs };
}

/** Written down as missing before the operator said that those who are missing are gone. */
export function isGivenUp({ suspicion }: Lost, scope: string, freezes: GuardWorld['freezes']): boolean {
  const stored = freezes.get(scope);
  if (stored?.value.thaw === undefined || suspicion === undefined) return false;
  return suspicion.createRevision < stored.modRevision;
}

/** Those that miss somebody or are frozen. */
function scopesOf(lost: readonly Lost[], sizes: Survey['sizes'], freezes: GuardWorld['freezes']): Scope[] {
  const missing = new Map<string, Lost[]>([...freezes.keys(), MESH_SCOPE].map((name) => [name, []]));
  for (const one of lost) {
    for (const name of [one.scope, MESH_SCOPE]) {
      const list = missing.get(name);
      if (list === undefined) missing.set(name, [one]);
      else list.push(one);
    }
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return [...missing].map(([name, list]) => {
    const size = name === MESH_SCOPE ? total : (sizes.get(name) ?? 0);
    return { name, size, missing: list, stored: freezes.get(name) };
  });
}

function lossesOf({ name, size, missing }: Scope, freezes: GuardWorld['freezes'], sinceMs: number): Losses {
  const counted = missing.filter((one) => !isGivenUp(one, name, freezes) && !isGivenUp(one, one.scope, freezes));
  const recent = counted.filter(({ lostAtMs }) => lostAtMs > sinceMs);
  return { size: size - (missing.length - counted.length), lost: counted.length, recent: recent.length };
}

function sizesOf(missing: readonly Lost[], sizes: Survey['sizes']): Record<string, number> {
  return Object.fromEntries(missing.map(({ scope }) => [scope, sizes.get(scope) ?? 0]));
}

function describe({ size, lost, recent }: Losses, windowMs: number): string {
  if (lost >= size) return `all of its ${size} instances are missing`;
  return `${recent} of ${size} instances vanished within ${formatDurationMs(windowMs)}`;
}
