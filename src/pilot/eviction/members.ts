/** Who belongs to a service, and who of them is lost: it should be in the registry, is not, and nobody who lives has said why. */
import type { SeenAddress } from '../../model/eviction.js';
import { hostPort } from '../../model/host-port.js';
import type { InstanceRecord } from '../../model/instance.js';
import { presenceOf, type ServiceSources } from '../endpoints.js';
import { remember } from '../translate/remember.js';
import type { GuardFacts } from './facts.js';

export interface Member {
  /** Instance id, or the address of what registers itself. */
  readonly id: string;
  readonly isRegistered: boolean;
  /** The node whose agent, as long as it lives, answers for whether it is registered; undefined for nobody but itself. */
  readonly spokesman: string | undefined;
  /** `ip:port`. */
  readonly address: string;
  /** Empty where unknown. */
  readonly node: string;
  readonly version: string;
  /** Of what registers itself: the lease whose end explains that its key has gone. */
  readonly lease: string | undefined;
}

export interface Members {
  /** By id; those that are evicted too, while their record stands. */
  readonly all: ReadonlyMap<string, Member>;
  readonly unregistered: readonly Member[];
  /** What registers itself and is not remembered so, by address. */
  readonly unseen: ReadonlyMap<string, SeenAddress>;
  /** Addresses that are remembered in vain: an agent answers for them. */
  readonly obsolete: readonly string[];
}

/** Costs something only where a service has changed. */
export const membersOf = remember((sources: ServiceSources): Members => {
  const { managed, selfRegistered, missing } = presenceOf(sources);
  const all = new Map<string, Member>();
  for (const [id, { record, isRegistered }] of managed) {
    if (record.state === 'starting') continue; // nobody has used it yet
    const { node, version } = record;
    // A `mesh sidecar` (plan revision 0) keeps its registration itself.
    const spokesman = record.planRevision > 0 ? node : undefined;
    all.set(id, { id, isRegistered, spokesman, address: addressOf(record), node, version, lease: undefined });
  }
  const unseen = new Map<string, SeenAddress>();
  for (const [address, { version, mesh, lease }] of selfRegistered) {
    all.set(address, selfMember(address, { version, mesh, lease }, true));
    if (!isSameSeen(sources.seen.get(address), { version, mesh, lease })) unseen.set(address, { version, mesh, lease });
  }
  for (const [address, seen] of missing) all.set(address, selfMember(address, seen, false));
  return {
    all,
    unregistered: [...all.values()].filter(({ isRegistered }) => !isRegistered),
    unseen,
    obsolete: [...sources.seen.keys()].filter((address) => !all.has(address)),
  };
});

export function isLost({ isRegistered, spokesman }: Member, { liveNodes }: Pick<GuardFacts, 'liveNodes'>): boolean {
  return !isRegistered && (spokesman === undefined || !liveNodes.has(spokesman));
}

function selfMember(address: string, { version, mesh, lease }: SeenAddress, isRegistered: boolean): Member {
  const node = typeof mesh['node'] === 'string' ? mesh['node'] : '';
  return { id: address, isRegistered, spokesman: undefined, address, node, version, lease };
}

function isSameSeen(before: SeenAddress | undefined, after: SeenAddress): boolean {
  if (before?.lease !== after.lease || before.version !== after.version) return false;
  return JSON.stringify(before.mesh) === JSON.stringify(after.mesh);
}

function addressOf({ address, ports }: InstanceRecord): string {
  const [port] = Object.values(ports.inbound);
  return port === undefined ? address : hostPort(address, port);
}
