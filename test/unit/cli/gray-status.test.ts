import { describe, expect, it } from 'vitest';
import { styleFor } from '../../../src/cli/output/color.js';
import { bar, formatCount, formatGrayStatus, nextCommands } from '../../../src/cli/output/gray-status.js';
import { clockTime } from '../../../src/cli/output/time.js';
import type { GrayStatus } from '../../../src/model/api.js';

const isTTY = { stdin: false, stdout: false, stderr: false };
const unicode = styleFor({ env: {}, isTTY }, 'stdout', false);
const ascii = styleFor({ env: { LC_ALL: 'C' }, isTTY }, 'stdout', false);
const at = 1_700_000_000_000;
const status: GrayStatus = {
  service: 'reviews',
  namespace: 'default',
  stable: 'v1',
  gray: 'v2',
  phase: 'step',
  step: 2,
  steps: [5, 25, 50, 100],
  weight: 25,
  share: 24.612,
  matches: [{ header: 'x-group', exact: 'beta' }],
  reason: '',
  startedAt: at,
  since: at + 5000,
  revision: 431,
  stableCounts: { requests: 13_724, errors: 16 },
  grayCounts: { requests: 4480, errors: 0 },
  lastGrayAt: at + 9000,
  proxies: { acked: 5, total: 6 },
  history: [
    { at, revision: 430, phase: 'step', weight: 5, by: 'ana', reason: '' },
    { at: at + 5000, revision: 431, phase: 'step', weight: 25, by: 'li', reason: '' },
  ],
};

describe('gray status', () => {
  it('shows what was asked, what was measured, who has it and what comes next', () => {
    const [first, second] = [clockTime(at), clockTime(at + 5000)];
    expect(formatGrayStatus(status, unicode)).toBe(
      [
        'reviews   v1 → v2   in progress',
        `started   ${first} by ana · revision 431`,
        'asked     ▕█████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▏ 25 %   step 2/4 of 5, 25, 50, 100',
        'measured  ▕█████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▏ 24.6 % of 18,204 requests since the last change (incl. matched requests)',
        'match     header x-group=beta → v2 always',
        '  v1      13,724 requests, 16 errors (0.12 %)',
        `  v2      4,480 requests, 0 errors (0.00 %), last reported at ${clockTime(at + 9000)}`,
        'proxies   5/6 acknowledged',
        `timeline  ${first} → 5 %   ${second} → 25 %`,
        'next      mesh gray status reviews   or   mesh gray promote reviews   or   mesh gray rollback reviews',
        '',
      ].join('\n'),
    );
  });

  it('needs no more than ASCII where the terminal has no more', () => {
    // Everything but the names of the user.
    expect(formatGrayStatus(status, ascii)).toMatch(/^[\n\x20-\x7e]+$/);
    expect(bar(25, ascii)).toBe('[#####...............]');
  });

  it('draws a little of something as something, and nothing as nothing', () => {
    expect(bar(0.01, ascii)).toBe('[#...................]');
    expect(bar(0, ascii)).toBe('[....................]');
    expect(bar(100, ascii)).toBe('[####################]');
  });

  it('says so when nothing was measured yet', () => {
    expect(formatGrayStatus({ ...status, share: null }, unicode)).toContain('no request since the last change');
  });

  it('names the namespace in the next commands where it is not the default', () => {
    expect(nextCommands({ ...status, namespace: 'shop', phase: 'paused' })).toEqual([
      'mesh gray resume reviews -n shop',
      'mesh gray rollback reviews -n shop',
    ]);
  });

  it('groups digits by three', () => {
    expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  });
});
