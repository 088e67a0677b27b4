/** All that runs and all that is reported about it, at one revision of the store, for one request. */
import type { EvictionStatus } from '../../model/api.js';
import type { Definition } from '../../model/definition.js';
import type { AckStatus, LoadFact, NodeStatus, PilotStatus } from '../../model/leased-values.js';
import { fullName } from '../../model/names.js';
import type { Refusal } from '../../model/refusal.js';
import type { Release } from '../../model/release.js';
import { valueOf } from '../../model/stored-value.js';
import type { Entry } from '../../store/store.js';
import { followFacts, noFacts } from '../eviction/facts.js';
import { PILOT_ROLE } from '../eviction/guard-loop.js';
import { evictionStatus } from '../eviction/shown.js';
import { meshRanges } from '../mesh-ranges.js';
import { type MeshState, meshStateOf } from '../mesh-state.js';
import { readNamingRoots } from '../naming-roots.js';
import { refusedIn } from '../quarantine/in-effect.js';
import { grayStatus } from '../release/gray-status.js';
import { publishedEntries } from '../staged.js';
import { readRefusal } from '../stored-values.js';
import { ackStateOf } from '../wait-for-acks.js';
import type { ApiContext } from './context.js';

export interface MeshView {
  readonly state: MeshState;
  /** Definitions that are not in effect as they stand. */
  readonly refused: ReadonlyMap<Definition, Refusal>;
  readonly nodes: ReadonlyMap<string, NodeStatus>;
  readonly pilots: readonly PilotStatus[];
  readonly acks: ReadonlyMap<string, AckStatus>;
  /** By service (`<ns>/<name>`). */
  readonly facts: ReadonlyMap<string, readonly LoadFact[]>;
  readonly eviction: EvictionStatus;
  /** Store revision of each release, by service. */
  readonly releasedAt: ReadonlyMap<string, bigint>;
}

export async function readMeshView(api: ApiContext, signal: AbortSignal): Promise<MeshView> {
  const { entries, storeRevision } = await api.store.list(meshRanges(api.store.keys), {}, signal);
  const view = meshViewOf(api, entries, storeRevision);
  const { roots } = view.state.snapshot.mesh.naming;
  if (roots.length === 0) return view;
  const foreign = await readNamingRoots(api.store, roots, storeRevision, signal);
  return meshViewOf(api, [...entries, ...foreign], storeRevision);
}

export function meshViewOf(api: ApiContext, listed: readonly Entry[], storeRevision: bigint): MeshView {
  const { keys } = api.store;
  const entries = publishedEntries(listed, keys);
  const nodes = new Map<string, NodeStatus>();
  const facts = new Map<string, LoadFact[]>();
  const releasedAt = new Map<string, bigint>();
  const refusals: Refusal[] = [];
  for (const { key, value, modRevision } of entries) {
    const parsed = keys.parse(key);
    if (parsed?.kind === 'node') {
      const status = valueOf<NodeStatus>(value, ['node']);
      if (status !== undefined) nodes.set(parsed.node, status);
    } else if (parsed?.kind === 'fact') {
      const fact = valueOf<LoadFact>(value, ['revision', 'versions']);
      const service = fullName(parsed.namespace, parsed.service);
      if (fact !== undefined) facts.set(service, [...(facts.get(service) ?? []), fact]);
    } else if (parsed?.kind === 'release') {
      releasedAt.set(fullName(parsed.namespace, parsed.service), modRevision);
    } else if (parsed?.kind === 'quarantine') {
      const refusal = readRefusal(value);
      if (refusal !== undefined) refusals.push(refusal);
    }
  }
  const state = meshStateOf(entries, storeRevision, { keys, kinds: api.kinds });
  const batch = { storeRevision, puts: entries, deletes: [], relisted: true, regressed: false };
  const leader = entries.find(({ key }) => key === keys.leader(PILOT_ROLE))?.value;
  const eviction = evictionStatus(state, followFacts(noFacts, batch, keys), leader);
  const refused = refusedIn(state.snapshot.definitions, refusals, api.kinds);
  return { state, refused, nodes, facts, releasedAt, eviction, ...ackStateOf(entries, keys) };
}

export function grayStatusIn(view: MeshView, release: Release) {
  const service = fullName(release.namespace, release.service);
  const live = new Set(view.pilots.map((pilot) => pilot.id));
  return grayStatus(release, {
    facts: view.facts.get(service) ?? [],
    acks: [...view.acks].filter(([pilot]) => live.has(pilot)).map(([, ack]) => ack),
    storeRevision: view.releasedAt.get(service) ?? 0n,
  });
}
