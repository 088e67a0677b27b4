import { describe, expect, it } from 'vitest';
import { effectiveStable, effectiveVersion, type Release } from '../../../src/model/release.js';
import { serviceSchema } from '../../../src/model/service-shape.js';

const service = serviceSchema.parse({ port: 9080, stable: 'v1' });
const release = (phase: Release['phase']): Release => ({
  service: 'reviews',
  namespace: 'default',
  stable: 'v1',
  gray: 'v2',
  phase,
  weight: 10,
  steps: [],
  matches: [],
  reason: '',
  startedAt: 0,
  since: 0,
  revision: 1,
  history: [],
});

describe('a succeeded release', () => {
  it('stands in for the definition that still names the old version', () => {
    expect(effectiveStable(service, release('succeeded'))).toBe('v2');
    expect(effectiveVersion(service, release('succeeded'), 'v1')).toBe('v2');
    expect(effectiveVersion(service, release('succeeded'), 'v3')).toBe('v3');
  });

  it('retires when the definition names the new version itself', () => {
    const updated = { ...service, stable: 'v2' };
    expect(effectiveStable(updated, release('succeeded'))).toBe('v2');
    expect(effectiveVersion(updated, release('succeeded'), 'v1')).toBe('v1');
  });

  it.each(['step', 'paused', 'rolled-back', 'undone'] as const)('has no such effect while it is %s', (phase) => {
    expect(effectiveStable(service, release(phase))).toBe('v1');
  });
});
