/** The first half of the decision: who is missing, and what is to be written down about who came, who is missing and who is back. */
import type { Eviction } from '../../model/eviction.js';
import type { ServiceSources, StoredEviction } from '../endpoints.js';
import type { GuardWorld, Now, TermMemory } from './guard.js';
import { isLost, type Member, type Members, membersOf } from './members.js';
import type { EvictionStep, Of } from './steps.js';

/** A member that is missing and not evicted yet. Times are monotonic milliseconds. */
export interface Lost extends Of {
  /** `<ns>/<service>` */
  readonly scope: string;
  /** `<ns>/<service>/<id>` */
  readonly key: string;
  readonly member: Member;
  /** What the store has about it; undefined when it was lost just now. */
  readonly suspicion: StoredEviction | undefined;
  /** Since when it counts as lost. */
  readonly lostAtMs: number;
  /** Since when this leader has known. */
  readonly seenAtMs: number;
}

export interface Survey {
  readonly steps: readonly EvictionStep[];
  /** Leases of which it must be known whether they live. */
  readonly questions: readonly string[];
  readonly lost: readonly Lost[];
  /** By service: how many addresses callers see, whatever their health. */
  readonly sizes: ReadonlyMap<string, number>;
}

export function survey(world: GuardWorld, { sightings }: Pick<TermMemory, 'sightings'>, now: Now): Survey {
  const steps: EvictionStep[] = [];
  const questions = new Set<string>();
  const lost: Lost[] = [];
  const sizes = new Map<string, number>();
  for (const [scope, sources] of world.sources) {
    const [namespace = '', service = ''] = scope.split('/');
    const of = (id: string): Of => ({ namespace, service, id });
    const members = membersOf(sources);
    steps.push(...bookkeeping(members, sources, world, of));
    let size = members.all.size;
    for (const member of members.unregistered) {
      if (!isLost(member, world)) continue;
      const suspicion = sources.evictions.get(member.id);
      const verdict = suspicion?.value.state ?? howLost(member, world);
      if (verdict === 'evicted' || verdict === 'left') size--;
      if (verdict === 'left') steps.push({ action: 'forget', ...of(member.id) });
      if (verdict === 'unknown') questions.add(member.lease ?? '');
      if (verdict === 'lost') {
        steps.push({ action: 'suspect', ...of(member.id), eviction: suspicionOf(member, world.healthOf(scope), now) });
      }
      if (verdict !== 'lost' && verdict !== 'suspect') continue;
      const key = `${scope}/${member.id}`;
      // Inherited from the leader before: its clock tells how old the loss is, but the linger begins anew.
      const ageMs = suspicion === undefined ? 0 : Math.max(0, now.wallMs - suspicion.value.since);
      const sighting = sightings.get(key) ?? { lostAtMs: now.monotonicMs - ageMs, seenAtMs: now.monotonicMs };
      lost.push({ ...of(member.id), scope, key, member, suspicion, ...sighting });
    }
    if (size > 0) sizes.set(scope, size);
  }
  return { steps, questions: [...questions], lost, sizes };
}

/** Who registers itself is remembered, and who is back or has left is no suspect any more. */
function bookkeeping(
  members: Members,
  { evictions }: ServiceSources,
  world: GuardWorld,
  of: (id: string) => Of,
): readonly EvictionStep[] {
  const cleared = [...evictions.keys()].flatMap((id): EvictionStep[] => {
    const member = members.all.get(id);
    if (member === undefined) return [{ action: 'clear', ...of(id), why: 'left' }];
    return isLost(member, world) ? [] : [{ action: 'clear', ...of(id), why: 'returned' }];
  });
  return [
    ...[...members.unseen].map(([id, seen]) => ({ action: 'remember', ...of(id), seen }) as const),
    ...members.obsolete.map((id) => ({ action: 'forget', ...of(id) }) as const),
    ...cleared,
  ];
}

/** What registers itself leaves in order when it takes its key away; when its lease has ended, nobody has said anything. */
function howLost({ lease }: Member, world: GuardWorld): 'lost' | 'left' | 'unknown' {
  if (lease === undefined) return 'lost';
  if (lease === '0') return 'left';
  const isAlive = world.isLeaseAlive(lease);
  return isAlive === undefined ? 'unknown' : isAlive ? 'left' : 'lost';
}

function suspicionOf({ address, node, version, lease }: Member, health: Eviction['health'], now: Now): Eviction {
  const why = lease === undefined ? 'the lease of its agent has ended' : 'its lease has ended';
  return {
    state: 'suspect',
    since: now.wallMs,
    why,
    address,
    node,
    version,
    ...(health === undefined ? {} : { health }),
  };
}
