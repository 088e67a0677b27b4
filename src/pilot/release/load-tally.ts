/**
 * Sums of what the callers' Envoys report about the two versions of a release, since its last transition. Pure.
 *
 * A report covers the second or so before it. The one in which a proxy learned of the transition mixes requests of before and
 * after, and is left out, or the measured share would drift towards the old weight. Only where the proxy had sent nothing to
 * the service in the window before, it counts: whoever starts a release and then tries it wants to see those requests.
 */

import type { LoadFact } from '../../model/api.js';
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
  /** Had the proxy acknowledged the transition when this report came? */
  readonly isAcked: boolean;
  readonly load: ServiceLoad;
}

export interface Tally {
  /** Of the release: of its last transition. */
  readonly revision: number;
  readonly startedAt: number;
  readonly stable: Counts;
  readonly gray: Counts;
  readonly lastGrayAt: number | undefined;
  /** Proxies whose windows lie entirely after the transition from now on. */
  readonly settled: ReadonlySet<string>;
  /** Proxies that sent something to the service in their last window. */
  readonly flowing: ReadonlySet<string>;
}

const none: Counts = { requests: 0, errors: 0 };

/** Begins anew with each transition; what the proxies were doing is carried over. */
export function tallyFor(release: Release, before: Tally | undefined, flowing: ReadonlySet<string>): Tally {
  if (before?.revision === release.revision) return before;
  return {
    revision: release.revision,
    startedAt: release.startedAt,
    stable: none,
    gray: none,
    lastGrayAt: before?.startedAt === release.startedAt ? before.lastGrayAt : undefined,
    settled: new Set(),
    flowing: before?.flowing ?? flowing,
  };
}

export function addWindow(tally: Tally, release: Release, window: Window): Tally {
  const { proxy, load, isAcked } = window;
  const stable = countsOf(release, plainIs(release) === 'stable', release.stable, load);
  const gray = countsOf(release, plainIs(release) === 'gray', release.gray, load);
  const isWhole = tally.settled.has(proxy) || !tally.flowing.has(proxy);
  const counts = isAcked && isWhole;
  return {
    ...tally,
    stable: counts ? sum(tally.stable, stable) : tally.stable,
    gray: counts ? sum(tally.gray, gray) : tally.gray,
    lastGrayAt: gray.requests > 0 ? window.at : tally.lastGrayAt,
    settled: isAcked ? withProxy(tally.settled, proxy) : tally.settled,
    flowing: isFlowing(load) ? withProxy(tally.flowing, proxy) : withoutProxy(tally.flowing, proxy),
  };
}

export function forgetProxy(tally: Tally, proxy: string): Tally {
  return { ...tally, settled: withoutProxy(tally.settled, proxy), flowing: withoutProxy(tally.flowing, proxy) };
}

export function factOf(tally: Tally, release: Release): LoadFact {
  return {
    revision: tally.revision,
    versions: { [release.stable]: tally.stable, [release.gray]: tally.gray },
    ...(tally.lastGrayAt === undefined ? {} : { lastGrayAt: tally.lastGrayAt }),
  };
}

export function isFlowing(load: ServiceLoad): boolean {
  return [...load.values()].some((counts) => counts.requests > 0);
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

function withProxy(proxies: ReadonlySet<string>, proxy: string): ReadonlySet<string> {
  return proxies.has(proxy) ? proxies : new Set([...proxies, proxy]);
}

function withoutProxy(proxies: ReadonlySet<string>, proxy: string): ReadonlySet<string> {
  return proxies.has(proxy) ? new Set([...proxies].filter((one) => one !== proxy)) : proxies;
}

/** How long after its end a release is still measured, so that the last request to the gray version can be shown. */
export const MEASURED_AFTER_MS = 60_000;

export function isMeasured(release: Release, now: number): boolean {
  return isActive(release) || now - release.since < MEASURED_AFTER_MS;
}
