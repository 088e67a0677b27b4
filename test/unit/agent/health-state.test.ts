import { describe, expect, test } from 'vitest';
import {
  type HealthState,
  initialHealth,
  jointHealth,
  nextHealth,
  STARTING_FALL,
} from '../../../src/agent/health-state.js';

const thresholds = { rise: 2, fall: 3 };
/** `+` is a success, `-` a failure. */
const after = (results: string, from: HealthState = initialHealth): HealthState =>
  results
    .split('')
    .reduce((state, result) => nextHealth(state, result === '+' ? undefined : 'refused', thresholds), from);

describe('a probed instance', () => {
  test('is starting until it has answered so many times in a row', () => {
    expect(after('').verdict).toBe('starting');
    expect(after('+').verdict).toBe('starting');
    expect(after('+-+').verdict).toBe('starting');
    expect(after('++').verdict).toBe('healthy');
  });

  test('stays starting while it loads, and is unhealthy when it takes too long', () => {
    expect(after('-'.repeat(STARTING_FALL - 1))).toMatchObject({ verdict: 'starting', reason: 'refused' });
    expect(after('-'.repeat(STARTING_FALL)).verdict).toBe('unhealthy');
  });

  test('becomes unhealthy by failures in a row only', () => {
    expect(after('++--').verdict).toBe('healthy');
    expect(after('++--+--').verdict).toBe('healthy');
    expect(after('++---')).toMatchObject({ verdict: 'unhealthy', reason: 'refused' });
  });

  test('comes back by successes in a row', () => {
    expect(after('++---+').verdict).toBe('unhealthy');
    expect(after('++---+-++')).toMatchObject({ verdict: 'healthy', reason: '' });
  });
});

describe('app and sidecar together', () => {
  const healthy = after('++');
  const unhealthy = after('++---');

  test('are healthy when both are', () => {
    expect(jointHealth(healthy, healthy)).toEqual({ verdict: 'healthy', reason: '' });
    expect(jointHealth(healthy, initialHealth).verdict).toBe('starting');
  });

  test('are unhealthy when either is, and say which', () => {
    expect(jointHealth(healthy, unhealthy)).toEqual({ verdict: 'unhealthy', reason: 'sidecar: refused' });
    expect(jointHealth(unhealthy, initialHealth)).toEqual({ verdict: 'unhealthy', reason: 'app: refused' });
  });
});
