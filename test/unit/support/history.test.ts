/**
 * The history checker is what says that nothing was lost, so it is checked itself: an honest trial passes, and the same
 * trial with one lie in it, at a place drawn by a seed, does not.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkHistory,
  type HistoryEvent,
  type ReadRecord,
  type Trial,
  type WriteRecord,
} from '../../support/history.js';

const KEYS = ['a', 'b', 'c'];
const WRITES = 40;

type Draw = (below: number) => number;

/** The generator of Park and Miller: a seed is a trial. */
function drawFrom(seed: number): Draw {
  let state = (seed % 2147483646) + 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

/** What an honest store tells two clients that take turns, some of whose answers get lost, a reader and two watchers. */
function honestTrial(draw: Draw): Trial {
  const state = new Map<string, { value: string; storeRevision: bigint }>();
  const events: HistoryEvent[] = [];
  const writes: WriteRecord[] = [];
  const reads: ReadRecord[] = [];
  let storeRevision = 1n;
  for (let n = 0; n < WRITES; n++) {
    const times = { calledMs: n * 10 - draw(9), endedMs: n * 10 + 1 + draw(8) };
    const key = KEYS[draw(KEYS.length)] as string;
    const seen = state.get(key)?.storeRevision ?? 0n;
    const stale = draw(4) === 0 ? seen + 1n : seen;
    const puts = Object.fromEntries([key, ...KEYS].slice(0, 1 + draw(2)).map((one, i) => [one, `v${n}.${i}`]));
    const compare = { key, modRevision: draw(3) === 0 ? stale : seen };
    const answerIsLost = draw(6) === 0;
    if (compare.modRevision !== seen) {
      writes.push({ ...times, puts, compare, outcome: { kind: 'refused', storeRevision } });
    } else if (answerIsLost && draw(2) === 0) {
      writes.push({ ...times, puts, compare, outcome: { kind: draw(2) === 0 ? 'ambiguous' : 'failed' } });
    } else {
      storeRevision += 1n + BigInt(draw(2));
      for (const [one, value] of Object.entries(puts)) {
        state.set(one, { value, storeRevision });
        events.push({ storeRevision, key: one, value });
      }
      const outcome = answerIsLost ? ({ kind: 'ambiguous' } as const) : ({ kind: 'acked', storeRevision } as const);
      writes.push({ ...times, puts, compare, outcome });
    }
    if (draw(5) === 0 && state.has(key)) {
      state.delete(key);
      events.push({ storeRevision: ++storeRevision, key, value: undefined });
      const outcome = draw(4) === 0 ? ({ kind: 'ambiguous' } as const) : ({ kind: 'acked', storeRevision } as const);
      writes.push({ calledMs: times.endedMs, endedMs: times.endedMs, puts: {}, deletes: [key], outcome });
    }
    if (draw(3) === 0) {
      const values = Object.fromEntries([...state].map(([one, { value }]) => [one, value]));
      reads.push({ storeRevision, values, calledMs: times.endedMs, endedMs: times.endedMs });
    }
  }
  return { events, writes, reads, watches: [watchOf(events, -1), watchOf(events, draw(events.length))] };
}

/** Event by event, with one list instead of what comes before the given one. */
function watchOf(events: readonly HistoryEvent[], listedAt: number): Trial['watches'][number] {
  const listed = events[listedAt]?.storeRevision ?? -1n;
  const before = new Map(
    events.filter((event) => event.storeRevision <= listed).map((event) => [event.key, event.value]),
  );
  const puts = [...before].flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
  const first = listedAt < 0 ? [] : [{ storeRevision: listed, relisted: true, puts, deletes: [] }];
  const revisions = [...new Set(events.map((event) => event.storeRevision))].filter((revision) => revision > listed);
  const rest = revisions.map((storeRevision) => {
    const here = events.filter((event) => event.storeRevision === storeRevision);
    return {
      storeRevision,
      relisted: false,
      puts: here.flatMap(({ key, value }) => (value === undefined ? [] : [{ key, value }])),
      deletes: here.filter(({ value }) => value === undefined).map(({ key }) => ({ key })),
    };
  });
  return [...first, ...rest];
}

const without = <T>(list: readonly T[], index: number): T[] => list.filter((_, i) => i !== index);
const withThe = <T>(list: readonly T[], index: number, change: (item: T) => T): T[] =>
  list.map((item, i) => (i === index ? change(item) : item));

/** Draws one of those that fit. A trial that has none is no trial of this lie, and another one is drawn. */
function pick<T>(draw: Draw, list: readonly T[], fits: (item: T) => boolean = () => true): number {
  const indexes = list.flatMap((item, i) => (fits(item) ? [i] : []));
  fc.pre(indexes.length > 0);
  return indexes[draw(indexes.length)] as number;
}

/** Puts, and the answer came. */
const isAcked = ({ puts, outcome }: WriteRecord): boolean => outcome.kind === 'acked' && Object.keys(puts).length > 0;
const onFirstWatch = (
  trial: Trial,
  change: (batches: Trial['watches'][number]) => Trial['watches'][number],
): Trial => ({
  ...trial,
  watches: trial.watches.map((batches, i) => (i === 0 ? change(batches) : batches)),
});

const lies: Readonly<Record<string, (trial: Trial, draw: Draw) => Trial>> = {
  'an acknowledged write is gone': (trial, draw) => {
    const lost = trial.writes[pick(draw, trial.writes, isAcked)] as WriteRecord;
    return { ...trial, events: trial.events.filter(({ value }) => !Object.values(lost.puts).includes(value ?? '')) };
  },
  'a write was applied twice': (trial, draw) => {
    const { key, value } = trial.events[pick(draw, trial.events, ({ value }) => value !== undefined)] as HistoryEvent;
    const storeRevision = (trial.events.at(-1)?.storeRevision ?? 0n) + 1n;
    return { ...trial, events: [...trial.events, { storeRevision, key, value }] };
  },
  'a write was acknowledged at the revision of another one': (trial, draw) => {
    const index = pick(draw, trial.writes, isAcked);
    const other = trial.writes.find((write, i) => i !== index && isAcked(write)) as WriteRecord;
    return { ...trial, writes: withThe(trial.writes, index, (write) => ({ ...write, outcome: other.outcome })) };
  },
  'a write that was refused is there': (trial, draw) => {
    const index = pick(draw, trial.writes, isAcked);
    const refused = { kind: 'refused', storeRevision: 1n } as const;
    return { ...trial, writes: withThe(trial.writes, index, (write) => ({ ...write, outcome: refused })) };
  },
  'a write that never arrived, it was said, is there': (trial, draw) => {
    const index = pick(draw, trial.writes, isAcked);
    return { ...trial, writes: withThe(trial.writes, index, (write) => ({ ...write, outcome: { kind: 'failed' } })) };
  },
  'a comparison that did not hold was taken for one that did': (trial, draw) => {
    const index = pick(draw, trial.writes, isAcked);
    const compare = { key: 'a', modRevision: 999_999n };
    return { ...trial, writes: withThe(trial.writes, index, (write) => ({ ...write, compare })) };
  },
  'a later write was asked for after an earlier one had its answer, and has the lower revision': (trial, draw) => {
    const late = pick(draw, without(trial.writes, 0), isAcked) + 1;
    const first = trial.writes.findIndex(isAcked);
    if (late === first) return lies['a write was applied twice']?.(trial, draw) as Trial;
    const writes = withThe(trial.writes, first, (write) => ({ ...write, calledMs: 1e6, endedMs: 1e6 + 1 }));
    return { ...trial, writes };
  },
  'half of a write is missing': (trial, draw) => {
    const index = pick(draw, trial.events, ({ value }) => value?.endsWith('.1') ?? false);
    return { ...trial, events: without(trial.events, index) };
  },
  'somebody else has written': (trial, draw) => {
    const index = pick(draw, trial.events, ({ value }) => value !== undefined);
    return { ...trial, events: withThe(trial.events, index, (event) => ({ ...event, value: 'foreign' })) };
  },
  'a deletion that was acknowledged is not there': (trial, draw) => {
    const index = pick(draw, trial.writes, ({ deletes, outcome }) => deletes !== undefined && outcome.kind === 'acked');
    const { outcome } = trial.writes[index] as WriteRecord;
    const at = outcome.kind === 'acked' ? outcome.storeRevision : 0n;
    return { ...trial, events: trial.events.filter((event) => event.storeRevision !== at) };
  },
  'something was deleted that nobody asked for': (trial) => {
    const last = trial.events.at(-1)?.storeRevision ?? 0n;
    const gone = { storeRevision: last + 1n, key: KEYS[0] as string, value: undefined };
    const events = [...trial.events, gone];
    return { ...trial, events, watches: [watchOf(events, -1)] };
  },
  'a read shows what was not there': (trial, draw) => {
    const index = pick(draw, trial.reads);
    const reads = withThe(trial.reads, index, (read) => ({ ...read, values: { ...read.values, a: 'v999.0' } }));
    return { ...trial, reads };
  },
  'a read leaves a key out': (trial, draw) => {
    const index = pick(draw, trial.reads, ({ values }) => Object.keys(values).length > 0);
    const reads = withThe(trial.reads, index, (read) => {
      return { ...read, values: Object.fromEntries(Object.entries(read.values).slice(1)) };
    });
    return { ...trial, reads };
  },
  'a read is older than what was acknowledged before it': (trial) => {
    const [first] = trial.reads as [ReadRecord];
    const lastAcked = trial.writes.findLast(isAcked) as WriteRecord;
    return { ...trial, reads: [...trial.reads, { ...first, calledMs: lastAcked.endedMs + 1, endedMs: 1e6 }] };
  },
  'a watch leaves a revision out': (trial, draw) =>
    onFirstWatch(trial, (batches) => without(batches, pick(draw, batches))),
  'a watch is at an end too early': (trial) => onFirstWatch(trial, (batches) => batches.slice(0, -1)),
  'a watch repeats itself': (trial, draw) =>
    onFirstWatch(trial, (batches) => {
      const index = pick(draw, batches);
      return batches.flatMap((batch, i) => (i === index ? [batch, batch] : [batch]));
    }),
  'a watch tells two revisions in the wrong order': (trial, draw) =>
    onFirstWatch(trial, (batches) => {
      const index = draw(batches.length - 1);
      return batches.map((batch, i) => batches[i === index ? i + 1 : i === index + 1 ? i - 1 : i] ?? batch);
    }),
  'a watch shows another value': (trial, draw) =>
    onFirstWatch(trial, (batches) => {
      const index = pick(draw, batches, ({ puts }) => puts.length > 0);
      return withThe(batches, index, (batch) => ({
        ...batch,
        puts: batch.puts.map(({ key }) => ({ key, value: 'other' })),
      }));
    }),
  'a watch misses a deletion': (trial, draw) =>
    onFirstWatch(trial, (batches) => {
      const index = pick(draw, batches, ({ deletes }) => deletes.length > 0);
      return withThe(batches, index, (batch) => ({ ...batch, deletes: [] }));
    }),
};

describe('the history checker', () => {
  it('finds nothing in an honest trial', () => {
    fc.assert(
      fc.property(fc.nat(1e9), (seed) => {
        expect(checkHistory(honestTrial(drawFrom(seed)))).toEqual([]);
      }),
    );
  });

  it.each(Object.entries(lies))('finds that %s', (_, lie) => {
    fc.assert(
      fc.property(fc.nat(1e9), (seed) => {
        const draw = drawFrom(seed);
        expect(checkHistory(lie(honestTrial(draw), draw))).not.toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
