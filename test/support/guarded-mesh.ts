/** A registry without a store: keys, leases and a clock in hand, one leader that decides, and what every pilot would show. */
import { allKinds } from '../../src/dsl/kinds.js';
import type { WitnessReport } from '../../src/model/eviction.js';
import type { InstanceRecord, InstanceState } from '../../src/model/instance.js';
import { followFacts, noFacts } from '../../src/pilot/eviction/facts.js';
import type { GuardPolicy } from '../../src/pilot/eviction/guard.js';
import { holdFrom, nextEvictions, noMemory } from '../../src/pilot/eviction/next-evictions.js';
import { type EvictionStep, operationsOf } from '../../src/pilot/eviction/steps.js';
import { emptySnapshot, updateSnapshot } from '../../src/pilot/snapshot.js';
import { keysUnder } from '../../src/store/keys.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import type { Compare, Entry, MirrorBatch, Transaction } from '../../src/store/store.js';

export const keys = keysUnder('lightmesh/');
export const policy: GuardPolicy = {
  ttlMs: 10_000,
  lingerMs: 60_000,
  service: { percent: 30, min: 3 },
  mesh: { percent: 15, min: 5 },
};
/** Somewhere in the epoch; the monotonic clock begins at 0. */
const WALL_MS = 1_700_000_000_000;

export class GuardedMesh {
  readonly entries = new Map<string, Entry>();
  readonly leases = new Set<string>();
  nowMs = 0;
  /** The leader's wall clock is off by so much. */
  skewMs = 0;
  /** Sees each step before it is carried out. */
  beforeStep: (step: EvictionStep) => void = () => {};
  state = emptySnapshot;
  facts = noFacts;
  #memory = holdFrom(noMemory, 0);
  #storeRevision = 0n;
  #answers = new Map<string, boolean>();
  dueMs = Number.POSITIVE_INFINITY;

  /** The record of an agent's instance, and its naming key under the agent's lease. */
  run(service: string, id: string, node: string, state: InstanceState = 'healthy'): void {
    const record = recordOf(service, id, node, state);
    this.put(keys.instance(node, id), JSON.stringify(record));
    if (state === 'healthy') this.register(service, id, node);
  }

  register(service: string, id: string, node: string): void {
    const address = addressOf(id);
    const value = encodeNamingValue({ address, mesh: { instance: id, version: 'v1', node } });
    this.put(namingKey({ namespace: 'default', service, version: 'v1' }, address), value, leaseOf(node));
  }

  /** Its agent lives, and has a lease. */
  startAgent(node: string): void {
    this.leases.add(leaseOf(node));
    this.put(keys.node(node), JSON.stringify({ node }), leaseOf(node));
  }

  registerSelf(service: string, address: string, lease: string): void {
    this.leases.add(lease);
    const value = JSON.stringify({ Op: 0, Addr: address, Metadata: null });
    this.put(namingKey({ namespace: 'default', service }, address), value, lease);
  }

  endLease(lease: string): void {
    this.leases.delete(lease);
    this.#apply(
      [],
      [...this.entries.values()].filter((entry) => entry.lease === lease).map(({ key }) => key),
    );
  }

  witness(node: string, report: WitnessReport): void {
    this.put(keys.witness(node), JSON.stringify(report));
  }

  thaw(scope: string): void {
    const key = scope === 'mesh' ? keys.freeze() : keys.freeze(...(scope.split('/') as [string, string]));
    const freeze = JSON.parse(this.entries.get(key)?.value ?? '{}') as object; // as the leader has written it
    this.put(key, JSON.stringify({ ...freeze, thaw: { at: 0, by: 'ops', why: '' } }));
  }

  put(key: string, value: string, lease = '0'): void {
    this.#apply([{ key, value, lease }], []);
  }

  delete(key: string): void {
    this.#apply([], [key]);
  }

  /** Another pilot leads from now on: it knows what the store has and nothing else. */
  changeLeader(skewMs = 0): void {
    this.skewMs = skewMs;
    this.#memory = holdFrom(noMemory, this.nowMs);
    this.#answers.clear();
  }

  /** The leader could not see the store for a while. */
  storeWasAway(): void {
    this.#memory = holdFrom(this.#memory, this.nowMs);
  }

  /** One round of the leader, carried out. */
  round(): readonly EvictionStep[] {
    const now = { monotonicMs: this.nowMs, wallMs: WALL_MS + this.nowMs + this.skewMs };
    const world = {
      ...this.facts,
      sources: this.state.sources,
      isLeaseAlive: (lease: string) => this.#answers.get(lease),
      healthOf: () => undefined,
    };
    const next = nextEvictions(world, policy, this.#memory, now);
    this.#memory = next.memory;
    this.dueMs = next.questions.length > 0 ? this.nowMs : next.dueMs;
    this.#answers = new Map(next.questions.map((lease) => [lease, this.leases.has(lease)]));
    for (const step of next.steps) {
      this.beforeStep(step);
      this.#transact(operationsOf(step, keys));
    }
    return next.steps;
  }

  /** Rounds until nothing is left to do now. */
  settle(): EvictionStep[] {
    const steps: EvictionStep[] = [];
    for (let round = 0; round < 20; round++) {
      const some = this.round();
      steps.push(...some);
      if (some.length === 0 && this.#answers.size === 0) return steps;
    }
    throw new Error(`the leader does not settle: ${JSON.stringify(steps.slice(-3))}`);
  }

  /** Lets time pass, with a round whenever one is due. */
  pass(ms: number): EvictionStep[] {
    const endMs = this.nowMs + ms;
    const steps = this.settle();
    while (this.dueMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.dueMs);
      steps.push(...this.settle());
    }
    this.nowMs = endMs;
    steps.push(...this.settle());
    return steps;
  }

  /** `v1-1 HEALTHY` or `10.0.0.1:80 UNHEALTHY`, as every pilot's EDS would have it. */
  shown(service: string): string[] {
    const endpoints = this.state.snapshot.endpoints.get(`default/${service}`) ?? [];
    return endpoints.map((e) => `${e.instance || `${e.address}:${e.port}`} ${e.health}`).toSorted();
  }

  frozen(): string[] {
    return [...this.facts.freezes.keys()].toSorted();
  }

  /** A pilot that has just been started: from one list of all there is. */
  freshState() {
    const batch = batchOf(this.#storeRevision, [...this.entries.values()], []);
    return updateSnapshot(emptySnapshot, batch, { keys, kinds: allKinds });
  }

  #transact({ compare, put, delete: deleted }: Transaction): void {
    if (!compare.every((one) => this.#holds(one))) return;
    const gone = deleted.map((target) => target as string); // the leader deletes single keys
    this.#apply(
      put.map(({ key, value }) => ({ key, value, lease: '0' })),
      gone,
    );
  }

  #holds(compare: Compare): boolean {
    return 'modRevision' in compare && (this.entries.get(compare.key)?.modRevision ?? 0n) === compare.modRevision;
  }

  #apply(puts: readonly Pick<Entry, 'key' | 'value' | 'lease'>[], gone: readonly string[]): void {
    this.#storeRevision++;
    const revision = this.#storeRevision;
    const written = puts.map((put): Entry => {
      const createRevision = this.entries.get(put.key)?.createRevision ?? revision;
      return { ...put, modRevision: revision, createRevision };
    });
    const deletes = gone.flatMap((key) => {
      const previous = this.entries.get(key);
      return previous === undefined ? [] : [{ key, previous }];
    });
    for (const entry of written) this.entries.set(entry.key, entry);
    for (const { key } of deletes) this.entries.delete(key);
    const batch: MirrorBatch = { ...batchOf(revision, written, []), deletes };
    this.state = updateSnapshot(this.state, batch, { keys, kinds: allKinds });
    this.facts = followFacts(this.facts, batch, keys);
  }
}

export function leaseOf(node: string): string {
  return `lease-${node}`;
}

function addressOf(id: string): string {
  return `10.0.0.1:${portOf(id)}`;
}

/** `web-12` listens on 20012. */
function portOf(id: string): number {
  return 20_000 + Number(id.slice(id.lastIndexOf('-') + 1));
}

function recordOf(service: string, id: string, node: string, state: InstanceState): InstanceRecord {
  return {
    instance: id,
    namespace: 'default',
    service,
    version: 'v1',
    node,
    cluster: 'room',
    region: 'r',
    zone: 'z',
    address: '10.0.0.1',
    ports: { app: { http: 1 }, inbound: { http: portOf(id) }, proxy: 2, metrics: 3, upstreams: {} },
    labels: {},
    state,
    reason: '',
    container: '',
    sidecar: '',
    startedAt: 0,
    planRevision: 1,
  };
}

function batchOf(storeRevision: bigint, puts: readonly Entry[], deletes: MirrorBatch['deletes']): MirrorBatch {
  return { storeRevision, puts, deletes, relisted: false, regressed: false };
}
