/** Probe results to a verdict: so many successes in a row to become healthy, so many failures to become unhealthy. Pure. */
import type { HealthVerdict } from './actual.js';

export interface Thresholds {
  /** Successes in a row that make it healthy. */
  readonly rise: number;
  /** Failures in a row that make it unhealthy. */
  readonly fall: number;
}

/**
 * Failures in a row that turn one that has never answered from `starting` to `unhealthy`: at the pace of STARTING_INTERVAL_MS
 * ten seconds, in which an app may load what it needs.
 */
export const STARTING_FALL = 40;

export interface HealthState {
  readonly verdict: HealthVerdict;
  /** In a row, of the kind that speaks against the verdict (for `starting`: of the last kind). */
  readonly successes: number;
  readonly failures: number;
  /** The last failure, for people; empty while healthy. */
  readonly reason: string;
}

export const initialHealth: HealthState = { verdict: 'starting', successes: 0, failures: 0, reason: '' };

/** `failure` is undefined for a success. */
export function nextHealth(state: HealthState, failure: string | undefined, thresholds: Thresholds): HealthState {
  if (failure === undefined) {
    const successes = state.successes + 1;
    const isHealthy = state.verdict === 'healthy' || successes >= thresholds.rise;
    return isHealthy
      ? { verdict: 'healthy', successes, failures: 0, reason: '' }
      : { ...state, successes, failures: 0 };
  }
  const failures = state.failures + 1;
  const fall = state.verdict === 'starting' ? Math.max(thresholds.fall, STARTING_FALL) : thresholds.fall;
  const verdict = failures >= fall ? 'unhealthy' : state.verdict;
  return { verdict, successes: 0, failures, reason: failure };
}

/** App and sidecar as one: both must be healthy, either can spoil it. */
export function jointHealth(app: HealthState, sidecar: HealthState): { verdict: HealthVerdict; reason: string } {
  const reasons = [app.reason && `app: ${app.reason}`, sidecar.reason && `sidecar: ${sidecar.reason}`];
  const reason = reasons.filter((text) => text !== '').join('; ');
  if (app.verdict === 'healthy' && sidecar.verdict === 'healthy') return { verdict: 'healthy', reason: '' };
  const isUnhealthy = app.verdict === 'unhealthy' || sidecar.verdict === 'unhealthy';
  return { verdict: isUnhealthy ? 'unhealthy' : 'starting', reason };
}
