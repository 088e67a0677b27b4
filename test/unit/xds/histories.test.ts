/** Goal: no history of a store lets a proxy route to what is not there; method: test/support/store-histories.ts, with one seed. */
import { describe, test } from 'vitest';
import { storeHistoryLaws } from '../../support/store-histories.js';

const RUNS = { seed: 6, numRuns: 500 };

describe('store histories', () => {
  for (const [law, holds] of Object.entries(storeHistoryLaws)) test(law, () => holds(RUNS));
});
