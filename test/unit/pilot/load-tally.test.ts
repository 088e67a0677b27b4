import { expect, test } from 'vitest';
import type { Release } from '../../../src/model/release.js';
import {
  addWindow,
  type Counts,
  factOf,
  forgetProxy,
  isMeasured,
  type Tally,
  tallyFor,
  withCut,
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

/** A window of one second that came at `cameMs`. */
function report(tally: Tally, of: Release, cameMs: number, load: Record<string, Counts>): Tally {
  return addWindow(tally, of, { proxy: 'p', at: 2000, beganMs: cameMs - 1000, load: new Map(Object.entries(load)) });
}

const fresh = (): Tally => tallyFor(release, undefined);
const cut = (tally = fresh()): Tally => withCut(tally, 'p', 5000);
const busy = { v1: counts(90, 1), v2_1: counts(10) };

test('plain traffic counts for the stable version, and for the gray one after success', () => {
  const load = { '': counts(7), v1: counts(1), v2_1: counts(2) };
  const active = report(cut(), release, 6000, load);
  expect([active.stable.requests, active.gray.requests]).toEqual([8, 2]);
  const succeeded: Release = { ...release, phase: 'succeeded', revision: 6 };
  const after = report(cut(tallyFor(succeeded, undefined)), succeeded, 6000, load);
  expect([after.stable.requests, after.gray.requests]).toEqual([1, 9]);
});

test('windows that began at the cut or after it count', () => {
  const first = report(cut(), release, 6000, busy);
  expect([first.stable, first.gray]).toEqual([counts(90, 1), counts(10)]);
  const second = report(first, release, 7000, busy);
  expect([second.stable, second.gray]).toEqual([counts(180, 2), counts(20)]);
});

test('a report that was on its way when the window was cut does not count', () => {
  expect(report(cut(), release, 5002, busy)).toMatchObject({ stable: counts(0), gray: counts(0), lastGrayAt: 2000 });
});

test('a window may seem a few milliseconds older than it is', () => {
  expect(report(cut(), release, 5997, busy).gray.requests).toBe(10);
});

test('what a proxy sends before it has acknowledged, and after it has left, does not count', () => {
  expect(report(fresh(), release, 6000, busy).stable.requests).toBe(0);
  expect(report(withCut(fresh(), 'q', 5000), release, 6000, busy).stable.requests).toBe(0);
  expect(report(forgetProxy(cut(), 'p'), release, 6000, busy).stable.requests).toBe(0);
});

test('a transition begins the sums and the cuts anew and remembers when the gray version was last seen', () => {
  const first = report(cut(), release, 6000, busy);
  const back: Release = { ...release, phase: 'rolled-back', weight: 0, revision: 6 };
  const second = tallyFor(back, first);
  expect(second).toMatchObject({ stable: counts(0), gray: counts(0), lastGrayAt: 2000 });
  expect(report(second, back, 7000, busy).stable.requests).toBe(0);
});

test('a new release forgets when the gray version of the last one was seen', () => {
  const first = report(cut(), release, 6000, busy);
  expect(tallyFor({ ...release, revision: 9, startedAt: 9000 }, first).lastGrayAt).toBe(undefined);
});

test('a fact names the versions as they are called', () => {
  expect(factOf(report(cut(), release, 6000, busy), release)).toEqual({
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
