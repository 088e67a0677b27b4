/**
 * A history checker in Jepsen's manner. The store numbers its own writes, so nothing has to be searched for: what clients
 * were told and shown is compared with the events of the store, and each comparison is linear.
 */
import type { MirrorBatch } from '../../src/store/store.js';

/** One change of one key, as the store itself tells it when all is over. */
export interface HistoryEvent {
  readonly storeRevision: bigint;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
}

export type WriteOutcome =
  | { readonly kind: 'acked'; readonly storeRevision: bigint }
  /** A comparison did not hold at this revision. */
  | { readonly kind: 'refused'; readonly storeRevision: bigint }
  /** It failed, and it was said that it may have been written all the same. */
  | { readonly kind: 'ambiguous' }
  /** It failed, and it was said that it never arrived. */
  | { readonly kind: 'failed' };

interface Timed {
  readonly calledMs: number;
  readonly endedMs: number;
}

export interface WriteRecord extends Timed {
  /** Values are unique in the whole trial, so that a value tells who wrote it. */
  readonly puts: Readonly<Record<string, string>>;
  /** Keys; they may not have been there. */
  readonly deletes?: readonly string[];
  readonly compare?: { readonly key: string; readonly modRevision: bigint };
  readonly outcome: WriteOutcome;
}

/** All keys at one revision. */
export interface ReadRecord extends Timed {
  readonly storeRevision: bigint;
  readonly values: Readonly<Record<string, string>>;
}

export type WatchedBatch = Pick<MirrorBatch, 'storeRevision' | 'relisted'> & {
  readonly puts: readonly { readonly key: string; readonly value: string }[];
  readonly deletes: readonly { readonly key: string }[];
};

export interface Trial {
  /** Ascending, from the first write on. */
  readonly events: readonly HistoryEvent[];
  readonly writes: readonly WriteRecord[];
  readonly reads: readonly ReadRecord[];
  /** What each watcher was told, in order. */
  readonly watches: readonly (readonly WatchedBatch[])[];
}

/** What cannot be, in words, at most a few of each kind; empty when every promise was kept. */
export function checkHistory(trial: Trial): string[] {
  const history = indexOf(trial.events);
  return [
    checkAnswers(history, trial.writes),
    checkRealTime(trial.writes),
    checkReads(history, trial),
    ...trial.watches.map((batches) => checkWatch(trial.events, batches)),
  ].flatMap((violations) => violations.slice(0, 5));
}

interface History {
  readonly byKey: ReadonlyMap<string, readonly HistoryEvent[]>;
  readonly byValue: ReadonlyMap<string, readonly HistoryEvent[]>;
}

function indexOf(events: readonly HistoryEvent[]): History {
  const byKey = new Map<string, HistoryEvent[]>();
  const byValue = new Map<string, HistoryEvent[]>();
  for (const event of events) {
    append(byKey, event.key, event);
    if (event.value !== undefined) append(byValue, event.value, event);
  }
  return { byKey, byValue };
}

function append<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name);
  if (list) list.push(item);
  else lists.set(name, [item]);
}

/** The last change of the key up to this revision. */
function newest({ byKey }: History, key: string, storeRevision: bigint): HistoryEvent | undefined {
  return byKey.get(key)?.findLast((event) => event.storeRevision <= storeRevision);
}

/** 0n when the key is not there, as in a comparison. */
function modRevision(history: History, key: string, storeRevision: bigint): bigint {
  const event = newest(history, key, storeRevision);
  return event?.value === undefined ? 0n : event.storeRevision;
}

/** Each write stands in the history exactly as its writer was told: acked once, at its revision; refused or failed never. */
function checkAnswers(history: History, writes: readonly WriteRecord[]): string[] {
  const known = new Set(writes.flatMap(({ puts }) => Object.values(puts)));
  const foreign = [...history.byValue.keys()].filter((value) => !known.has(value));
  return [
    ...foreign.map((value) => `nobody wrote ${value}`),
    ...[...history.byKey.keys()].flatMap((key) => checkDeletions(history, key, writes)),
    ...writes.flatMap((write) => checkAnswer(history, write)),
  ];
}

/** A deletion is of an acknowledged write, or of one without an answer, each of which may have made one. */
function checkDeletions({ byKey }: History, key: string, writes: readonly WriteRecord[]): string[] {
  const asked = writes.filter(({ deletes }) => deletes?.includes(key)).map(({ outcome }) => outcome);
  const acked = new Set(asked.flatMap((outcome) => (outcome.kind === 'acked' ? [outcome.storeRevision] : [])));
  const ambiguous = asked.filter(({ kind }) => kind === 'ambiguous').length;
  const deleted = (byKey.get(key) ?? []).filter(({ value }) => value === undefined);
  const unasked = deleted.filter(({ storeRevision }) => !acked.has(storeRevision));
  return unasked.slice(ambiguous).map(({ storeRevision }) => `nobody deleted ${key} at ${storeRevision}`);
}

function checkAnswer(history: History, { puts, deletes = [], compare, outcome }: WriteRecord): string[] {
  const found = Object.entries(puts).map(([key, value]) => ({ key, value, at: history.byValue.get(value) ?? [] }));
  const [name = 'nothing'] = Object.values(puts);
  const revisions = new Set(found.flatMap(({ at }) => at.map((event) => event.storeRevision)));
  const isWhole = found.every(({ key, at }) => at.length === 1 && at[0]?.key === key) && revisions.size <= 1;
  switch (outcome.kind) {
    case 'acked': {
      const { storeRevision } = outcome;
      if (!isWhole || (found.length > 0 && !revisions.has(storeRevision))) {
        return [`${name} was acked at ${storeRevision}, the history has it at [${[...revisions].join()}]`];
      }
      const left = deletes.find((key) => modRevision(history, key, storeRevision) !== 0n);
      if (left !== undefined) return [`${left} was deleted at ${storeRevision}, the history still has it`];
      const held = compare && modRevision(history, compare.key, storeRevision - 1n) === compare.modRevision;
      return held === false ? [`${name} was acked at ${storeRevision} although its comparison did not hold`] : [];
    }
    case 'refused': {
      if (revisions.size > 0) return [`${name} was refused, and is in the history`];
      const held = compare && modRevision(history, compare.key, outcome.storeRevision) === compare.modRevision;
      return held === true ? [`${name} was refused although its comparison held`] : [];
    }
    case 'failed':
      return revisions.size > 0 ? [`${name} never arrived, it was said, and is in the history`] : [];
    case 'ambiguous':
      return revisions.size > 0 && !isWhole ? [`${name} was written in parts or more than once`] : [];
  }
}

/** Who was answered before another one asked has the lower revision, and no two have the same. */
function checkRealTime(writes: readonly WriteRecord[]): string[] {
  const acked = writes.flatMap(({ outcome, ...times }) =>
    outcome.kind === 'acked' ? [{ ...times, storeRevision: outcome.storeRevision }] : [],
  );
  acked.sort((a, b) => (a.storeRevision < b.storeRevision ? -1 : 1));
  const violations: string[] = [];
  let lastCalledMs = Number.NEGATIVE_INFINITY; // of all writes with a lower revision
  for (const [i, { storeRevision, calledMs, endedMs }] of acked.entries()) {
    if (acked[i - 1]?.storeRevision === storeRevision) violations.push(`two writes were acked at ${storeRevision}`);
    if (endedMs < lastCalledMs) violations.push(`${storeRevision} was acked before a lower revision was asked for`);
    lastCalledMs = Math.max(lastCalledMs, calledMs);
  }
  return violations;
}

/** A read at a revision shows the newest of each key up to it, and nothing that was acked before it was asked for is later. */
function checkReads(history: History, { reads, writes }: Trial): string[] {
  const violations: string[] = [];
  for (const { storeRevision, values, calledMs } of reads) {
    for (const key of new Set([...history.byKey.keys(), ...Object.keys(values)])) {
      const expected = newest(history, key, storeRevision)?.value;
      if (values[key] !== expected) {
        violations.push(`a read at ${storeRevision} has ${key} = ${values[key]}, the history ${expected}`);
      }
    }
    const missed = writes.find(
      ({ outcome, endedMs }) => outcome.kind === 'acked' && endedMs < calledMs && outcome.storeRevision > storeRevision,
    );
    if (missed) violations.push(`a read at ${storeRevision} is older than what was acked before it`);
  }
  return violations;
}

/** A watcher's copy is the history's state at every step, and what it was told at a revision is all that happened there. */
function checkWatch(events: readonly HistoryEvent[], batches: readonly WatchedBatch[]): string[] {
  const truth = new Map<string, string>();
  const copy = new Map<string, string>();
  const violations: string[] = [];
  let next = 0;
  let position = -1n;
  const moveTo = (storeRevision: bigint): void => {
    for (let event = events[next]; event && event.storeRevision <= storeRevision; event = events[++next]) {
      if (event.value === undefined) truth.delete(event.key);
      else truth.set(event.key, event.value);
    }
  };
  for (const { storeRevision, puts, deletes, relisted } of batches) {
    if (storeRevision <= position) violations.push(`a watch went from ${position} to ${storeRevision}`);
    if (!relisted) {
      moveTo(storeRevision - 1n);
      if (!sameMap(copy, truth)) violations.push(`a watch has lost something between ${position} and ${storeRevision}`);
    }
    for (const { key } of deletes) copy.delete(key);
    for (const { key, value } of puts) copy.set(key, value);
    moveTo(storeRevision);
    if (!sameMap(copy, truth)) violations.push(`a watch shows another state at ${storeRevision} than the history`);
    position = storeRevision;
  }
  moveTo(events.at(-1)?.storeRevision ?? 0n);
  if (!sameMap(copy, truth)) violations.push(`a watch has not seen the end: it is at ${position}`);
  return violations;
}

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
