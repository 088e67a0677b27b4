import { expect, test } from 'vitest';
import type { Release } from '../../../src/model/release.js';
import {
  addWindow,
  type Counts,
  factOf,
  isMeasured,
  type Tally,
  tallyFor,
} from '../../../src/pilot/release/load-tally.js';

const release: Release = {
  service: 'web',
  namespace: 'default',
  stable: 'v1',
  gray: 'v2.1',
  phase: 'step',
  weight: 10,
  steps: [],
  matches: [],
  reason: '',
  startedAt: 1000,
  since: 1000,
  revision: 5,
  history: [],
};

const counts = (requests: number, errors = 0): Counts => ({ requests, errors });

function report(tally: Tally, of: Release, isAcked: boolean, load: Record<string, Counts>, proxy = 'p'): Tally {
  return addWindow(tally, of, { proxy, at: 2000, isAcked, load: new Map(Object.entries(load)) });
}

const fresh = (flowing: readonly string[] = []): Tally => tallyFor(release, undefined, new Set(flowing));
const busy = { v1: counts(90, 1), v2_1: counts(10) };

test('plain traffic counts for the stable version, and for the gray one after success', () => {
  const load = { '': counts(7), v1: counts(1), v2_1: counts(2) };
  const active = report(fresh(), release, true, load);
  expect([active.stable.requests, active.gray.requests]).toEqual([8, 2]);
  const succeeded: Release = { ...release, phase: 'succeeded', revision: 6 };
  const after = report(tallyFor(succeeded, undefined, new Set()), succeeded, true, load);
  expect([after.stable.requests, after.gray.requests]).toEqual([1, 9]);
});

test('the window in which a busy proxy learned of the transition is left out, the next one counts', () => {
  const mixed = report(fresh(['p']), release, true, busy);
  expect(mixed.stable.requests).toBe(0);
  const whole = report(mixed, release, true, busy);
  expect([whole.stable, whole.gray]).toEqual([counts(90, 1), counts(10)]);
});

test('the first window of a proxy that was silent before counts at once', () => {
  expect(report(fresh(), release, true, busy).gray.requests).toBe(10);
});

test('what a proxy sends before it has acknowledged does not count', () => {
  const before = report(fresh(), release, false, busy);
  expect(before.stable.requests).toBe(0);
  const learning = report(before, release, true, busy);
  expect(learning.stable.requests).toBe(0);
  expect(report(learning, release, true, busy).stable.requests).toBe(90);
});

test('a transition begins the sums anew and remembers who was busy and when the gray version was last seen', () => {
  const first = report(fresh(), release, true, busy);
  const back: Release = { ...release, phase: 'rolled-back', weight: 0, revision: 6 };
  const second = tallyFor(back, first, new Set());
  expect(second).toMatchObject({ stable: counts(0), gray: counts(0), lastGrayAt: 2000 });
  expect(report(second, back, true, busy).stable.requests).toBe(0);
});

test('a new release forgets when the gray version of the last one was seen', () => {
  const first = report(fresh(), release, true, busy);
  expect(tallyFor({ ...release, revision: 9, startedAt: 9000 }, first, new Set()).lastGrayAt).toBe(undefined);
});

test('a fact names the versions as they are called', () => {
  expect(factOf(report(fresh(), release, true, busy), release)).toEqual({
    revision: 5,
    versions: { v1: counts(90, 1), 'v2.1': counts(10) },
    lastGrayAt: 2000,
  });
});

test('a release is measured while it runs and for a minute after', () => {
  expect(isMeasured(release, 10 ** 9)).toBe(true);
  const ended: Release = { ...release, phase: 'rolled-back', since: 1000 };
  expect([isMeasured(ended, 60_999), isMeasured(ended, 61_000)]).toEqual([true, false]);
});
