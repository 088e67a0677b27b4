import { describe, expect, it } from 'vitest';
import type { GrayResponse, GrayStatus } from '../../../src/model/api.js';
import { cli, fakePilot } from '../../support/cli-io.js';

const status = (acked: number, total: number): GrayStatus => ({
  service: 'reviews',
  namespace: 'default',
  stable: 'v1',
  gray: 'v2',
  phase: 'rolled-back',
  step: 0,
  steps: [],
  weight: 0,
  share: null,
  matches: [],
  reason: '',
  startedAt: 0,
  since: 0,
  revision: 7,
  stableCounts: { requests: 0, errors: 0 },
  grayCounts: { requests: 0, errors: 0 },
  lastGrayAt: null,
  proxies: { acked, total },
  history: [],
});

async function rollBack(acked: number, total: number): Promise<string> {
  const answer: GrayResponse = { revision: 7, storeRevision: '12', status: status(acked, total), advice: [] };
  const { fetch } = fakePilot({ 'POST /v1/gray/default/reviews/rollback': answer });
  const { exit, stderr } = await cli(['gray', 'rollback', 'reviews'], { fetch });
  expect(exit).toBe(0);
  return stderr;
}

describe('mesh gray rollback', () => {
  it('says when not every proxy has acknowledged it', async () => {
    expect(await rollBack(3, 4)).toContain('3 of 4 proxies have acknowledged so far. Who lags: mesh proxy status');
  });

  it('says nothing of proxies when all have', async () => {
    expect(await rollBack(4, 4)).not.toContain('acknowledged');
  });
});
