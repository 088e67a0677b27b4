/**
 * The leader among the pilots carries out what next-evictions.ts decides: after each change, and when something is due. All
 * that it writes is fenced by its term. It does nothing on a copy of the store that may be old.
 */
import { serviceKind } from '../../model/service.js';
import type { Clock } from '../../runtime/clock.js';
import { Latest } from '../../runtime/latest.js';
import type { Logger } from '../../runtime/logger.js';
import { messageOf } from '../../runtime/mesh-error.js';
import { type Election, standForElection, type Term } from '../../store/election.js';
import type { EventLog } from '../../store/event-log.js';
import type { Mirror, MirrorBatch, Registrar, Store, Transaction } from '../../store/store.js';
import type { SnapshotState } from '../snapshot.js';
import { followFacts, type GuardFacts, noFacts } from './facts.js';
import { type GuardPolicy, policyOf, type TermMemory } from './guard.js';
import { newsOf, nodeGone } from './news.js';
import { holdFrom, nextEvictions, noMemory } from './next-evictions.js';
import { type EvictionStep, operationsOf } from './steps.js';

/** The pilots' one leader holds `leader/pilot`. */
export const PILOT_ROLE = 'pilot';
/** Decisions at least this far apart: leases end in bursts. */
const ROUND_INTERVAL_MS = 100;
const RETRY_MS = 1000;
const MAX_OPERATIONS = 90;
const MAX_QUESTIONS = 200;
const MAX_LOGGED = 10;

export interface GuardLoopOptions {
  readonly store: Store;
  readonly registrar: Registrar;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventLog;
  /** Of this pilot. */
  readonly id: string;
  readonly state: () => SnapshotState;
  /** Is the view complete, and the store the one that it came from? */
  readonly isTrusted: () => boolean;
  readonly done: (step: EvictionStep) => void;
}

export interface GuardLoop {
  /** After the state was brought up to this batch. */
  changed(batch: MirrorBatch): void;
  /** Something has changed that is not in the store: the view is complete now. */
  note(): void;
  /** What this pilot shows of it, whether it leads or not. */
  facts(): GuardFacts;
  isLeader(): boolean;
  close(): Promise<void>;
}

export function openGuardLoop(options: GuardLoopOptions): GuardLoop {
  const { store, registrar, mirror, clock, log, events, id, state, isTrusted, done } = options;
  const closing = new AbortController();
  let facts: GuardFacts = noFacts;
  let memory: TermMemory = noMemory;
  let answers = new Map<string, boolean>();
  let due = new AbortController();
  let isFailing = false;

  const round = async (): Promise<void> => {
    const term = election.term();
    due.abort(new Error('another round'));
    if (term === undefined || !mirror.synced || !isTrusted()) return;
    try {
      await decideAndWrite(term);
      isFailing = false;
    } catch (error) {
      if (term.signal.aborted || closing.signal.aborted) return;
      if (!isFailing) log.warn({ pilot: id, reason: messageOf(error) }, 'could not carry out evictions; trying on');
      isFailing = true;
      lookAgainAfter(RETRY_MS);
    }
  };
  const decideAndWrite = async (term: Term): Promise<void> => {
    const { sources, snapshot } = state();
    const policy = policyOf(snapshot.mesh);
    const now = { monotonicMs: clock.monotonic(), wallMs: clock.now() };
    const world = {
      ...facts,
      sources,
      isLeaseAlive: (lease: string) => answers.get(lease),
      healthOf: (service: string) => {
        const [namespace, name = ''] = service.split('/');
        return snapshot.definitions.get(serviceKind, namespace, name)?.spec.health;
      },
    };
    const next = nextEvictions(world, policy, memory, now);
    memory = next.memory;
    await write(term, next.steps, policy);
    answers = await ask(next.questions.slice(0, MAX_QUESTIONS), term.signal);
    if (answers.size > 0) rounds.note();
    lookAgainAfter(next.dueMs - clock.monotonic());
  };
  /** Up to where somebody else was faster: what follows may not hold any more. */
  const write = async (term: Term, all: readonly EvictionStep[], policy: GuardPolicy): Promise<void> => {
    let written = 0n;
    for (const steps of batches(all)) {
      const { ok, storeRevision } = await term.transact(joined(steps.map((step) => operationsOf(step, store.keys))));
      written = storeRevision;
      if (ok) tell(steps, policy);
      else rounds.note();
      if (!ok) break;
    }
    // It must be seen before the next decision.
    await mirror.reach(written, term.signal);
  };
  const tell = (steps: readonly EvictionStep[], policy: GuardPolicy): void => {
    const told = new Map<string, string[]>();
    for (const step of steps) {
      done(step);
      const news = newsOf(step, policy);
      if (news === undefined) continue;
      events.record(news);
      const { reason, kind, namespace, name, message } = news;
      if (kind === 'Instance') told.set(reason, [...(told.get(reason) ?? []), name]);
      else log[step.action === 'freeze' ? 'error' : 'info']({ pilot: id, kind, namespace, name }, message);
    }
    // Thousands may vanish at once; `mesh status` has them all.
    for (const [reason, names] of told) {
      log.info({ pilot: id, count: names.length, first: names.slice(0, MAX_LOGGED) }, `instances ${reason}`);
    }
  };
  /** Its return is told by the agent itself. */
  const tellOfNode = (key: string): void => {
    const parsed = store.keys.parse(key);
    if (parsed?.kind === 'node') events.record(nodeGone(parsed.node));
  };
  const ask = async (leases: readonly string[], signal: AbortSignal): Promise<Map<string, boolean>> => {
    const found = await Promise.all(
      leases.map(async (lease) => [lease, await store.isLeaseAlive(lease, signal)] as const),
    );
    return new Map(found);
  };
  const lookAgainAfter = (ms: number): void => {
    if (!Number.isFinite(ms)) return;
    due = new AbortController();
    // A reminder: called off by the next round.
    void clock.sleep(Math.max(0, ms), due.signal).then(
      () => rounds.note(),
      () => undefined,
    );
  };
  const rounds = new Latest(clock, ROUND_INTERVAL_MS, round);
  const hold = (before: TermMemory): void => {
    memory = holdFrom(before, clock.monotonic());
    rounds.note();
  };
  const stopListening = mirror.onState(({ synced }) => {
    if (synced) hold(memory);
  });
  const election: Election = standForElection({
    store,
    registrar,
    clock,
    log,
    role: PILOT_ROLE,
    id,
    onLeading: () => {
      events.record({ reason: 'leader', tone: 'normal', kind: 'Pilot', name: id, message: `${id} leads the pilots` });
      hold(noMemory);
    },
  });
  return {
    changed(batch) {
      facts = followFacts(facts, batch, store.keys);
      if (election.term() !== undefined) for (const { key } of batch.deletes) tellOfNode(key);
      rounds.note();
    },
    note: () => rounds.note(),
    facts: () => facts,
    isLeader: () => election.term() !== undefined,
    async close() {
      closing.abort(new Error('closed'));
      stopListening();
      await election.close();
      await rounds.close();
      due.abort(new Error('closed'));
    },
  };
}

/** What compares goes alone, so that it holds up nothing else. */
function batches(steps: readonly EvictionStep[]): readonly (readonly EvictionStep[])[] {
  const lone = steps.filter(({ action }) => action === 'freeze' || action === 'thaw').map((step) => [step]);
  const others = steps.filter(({ action }) => action !== 'freeze' && action !== 'thaw');
  const chunks: EvictionStep[][] = [];
  // An eviction is two operations at most.
  const size = MAX_OPERATIONS / 2;
  for (let from = 0; from < others.length; from += size) chunks.push(others.slice(from, from + size));
  return [...lone, ...chunks];
}

function joined(all: readonly Transaction[]): Transaction {
  return {
    compare: all.flatMap(({ compare }) => compare),
    put: all.flatMap(({ put }) => put),
    delete: all.flatMap((one) => one.delete),
  };
}
