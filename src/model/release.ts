import type { ServiceSpec } from './service-shape.js';

/** A condition under which a request goes to the gray version whatever the weight. All that is given must hold. */
export interface ReleaseMatch {
  /** Lower-case header name. */
  readonly header: string;
  readonly exact: string;
}

/**
 * The states that a release by hand passes through. `succeeded` stays effective until the definitions name the new version
 * themselves; `rolled-back` and `undone` have no effect on traffic.
 */
export type ReleasePhase = 'step' | 'paused' | 'succeeded' | 'rolled-back' | 'undone';

/** One transition, newest last. */
export interface ReleaseTransition {
  readonly at: number;
  readonly revision: number;
  readonly phase: ReleasePhase;
  /** Percent of plain traffic for the gray version. */
  readonly weight: number;
  readonly by: string;
  readonly reason: string;
}

/** A gray release of one service: an overlay over the user's routes, which are never edited. Key `release/<ns>/<service>`. */
export interface Release {
  readonly service: string;
  readonly namespace: string;
  /** The version that plain traffic had when the release began. */
  readonly stable: string;
  readonly gray: string;
  readonly phase: ReleasePhase;
  /** Percent, 0 to 100, two decimals. */
  readonly weight: number;
  /** Weights that `promote` walks through, ascending; empty: straight to 100. */
  readonly steps: readonly number[];
  readonly matches: readonly ReleaseMatch[];
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Of the last transition. */
  readonly since: number;
  /** Mesh revision of the last transition. */
  readonly revision: number;
  /** The last transitions, at most MAX_TRANSITIONS. */
  readonly history: readonly ReleaseTransition[];
}

export const MAX_TRANSITIONS = 50;

export type ActiveRelease = Release & { readonly phase: 'step' | 'paused' };

/** Does it move traffic now? */
export function isActive(release: Release | undefined): release is ActiveRelease {
  return release?.phase === 'step' || release?.phase === 'paused';
}

/**
 * The version that plain traffic gets. A succeeded release stands in for the definition until that names the new version
 * (or any other than the old one) itself.
 */
export function effectiveStable(
  service: Pick<ServiceSpec, 'stable'>,
  release: Release | undefined,
): string | undefined {
  if (release?.phase === 'succeeded' && service.stable === release.stable) return release.gray;
  return service.stable;
}

/** What a definition that says `version` means while a succeeded release stands in for it. */
export function effectiveVersion(service: ServiceSpec, release: Release | undefined, version: string): string {
  const replaced = release?.phase === 'succeeded' && service.stable === release.stable && version === release.stable;
  return replaced ? release.gray : version;
}
