/**
 * Sums of what the callers' Envoys report about the two versions of a release, since its last transition. Pure.
 *
 * When a proxy acknowledges a transition, its window is cut there, so that none mixes requests of before and after, which
 * would draw the measured share towards the old weight. Only windows that began at or after the cut count. What is lost
 * lies between the acknowledgement and the arrival of the cut at Envoy on its other stream: one round trip to the pilot,
 * about a millisecond. A command returns only after the acknowledgement has gone through the store as well, which takes
 * longer, so that what its user sends then is counted.
 */

import type { LoadFact } from '../../model/leased-values.js';
import { clusterStatName } from '../../model/names.js';
import { isActive, type Release } from '../../model/release.js';

export interface Counts {
  readonly requests: number;
  readonly errors: number;
}

/** What one proxy reports about one service in one window, by version as in statistics names (dots are `_`); '' is plain traffic. */
export type ServiceLoad = ReadonlyMap<string, Counts>;

export interface Window {
  readonly proxy: string;
  /** Wall time at its end. */
  readonly at: number;
  /** When it began, on the pilot's monotonic clock: when the report came, less the interval that it covers by Envoy's clock. */
  readonly beganMs: number;
  readonly load: ServiceLoad;
}

export interface Tally {
  /** Of the release: of its last transition. */
  readonly revision: number;
  readonly startedAt: number;
  readonly stable: Counts;
  readonly gray: Counts;
  readonly lastGrayAt: number | undefined;
  /** When the window of each proxy was cut, on the pilot's monotonic clock: those that have acknowledged the transition. */
  readonly cuts: ReadonlyMap<string, number>;
}

/** Two clocks measure the second of a window, and Envoy's part of it is rounded. A window of before the cut is off by far more. */
const TOLERANCE_MS = 20;

const none: Counts = { requests: 0, errors: 0 };

/** Begins anew with each transition. */
export function tallyFor(release: Release, before: Tally | undefined): Tally {
  if (before?.revision === release.revision) return before;
  return {
    revision: release.revision,
    startedAt: release.startedAt,
    stable: none,
    gray: none,
    lastGrayAt: before?.startedAt === release.startedAt ? before.lastGrayAt : undefined,
    cuts: new Map(),
  };
}

export function withCut(tally: Tally, proxy: string, cutMs: number): Tally {
  return { ...tally, cuts: new Map([...tally.cuts, [proxy, cutMs]]) };
}

/** What does not count is still seen: whether the gray version gets requests is of interest most after a rollback. */
export function addWindow(tally: Tally, release: Release, window: Window): Tally {
  const { proxy, beganMs, load } = window;
  const stable = countsOf(release, plainIs(release) === 'stable', release.stable, load);
  const gray = countsOf(release, plainIs(release) === 'gray', release.gray, load);
  const counts = beganMs >= (tally.cuts.get(proxy) ?? Number.POSITIVE_INFINITY) - TOLERANCE_MS;
  return {
    ...tally,
    stable: counts ? sum(tally.stable, stable) : tally.stable,
    gray: counts ? sum(tally.gray, gray) : tally.gray,
    lastGrayAt: gray.requests > 0 ? window.at : tally.lastGrayAt,
  };
}

export function forgetProxy(tally: Tally, proxy: string): Tally {
  return { ...tally, cuts: new Map([...tally.cuts].filter(([one]) => one !== proxy)) };
}

export function factOf(tally: Tally, release: Release): LoadFact {
  return {
    revision: tally.revision,
    versions: { [release.stable]: tally.stable, [release.gray]: tally.gray },
    ...(tally.lastGrayAt === undefined ? {} : { lastGrayAt: tally.lastGrayAt }),
  };
}

/** Traffic without a version goes to the stable one, which after a promotion is the gray one. */
function plainIs(release: Release): 'stable' | 'gray' {
  return release.phase === 'succeeded' ? 'gray' : 'stable';
}

function countsOf({ namespace, service }: Release, withPlain: boolean, version: string, load: ServiceLoad): Counts {
  const own = load.get(statVersion(namespace, service, version)) ?? none;
  return withPlain ? sum(own, load.get('') ?? none) : own;
}

/** The version part of `clusterStatName`. */
function statVersion(namespace: string, service: string, version: string): string {
  return clusterStatName(namespace, service, version).slice(clusterStatName(namespace, service, '').length);
}

function sum(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors };
}

/** How long after its end a release is still measured, so that the last request to the gray version can be shown. */
export const MEASURED_AFTER_MS = 60_000;

export function isMeasured(release: Release, now: number): boolean {
  return isActive(release) || now - release.since < MEASURED_AFTER_MS;
}
