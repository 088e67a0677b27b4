/** Goal: no history of a store lets a proxy route to what is not there, or leaves it with nothing; the long form of the unit test. */
import { describe } from 'vitest';
import { scenario } from '../support/scenario.js';
import { storeHistoryLaws } from '../support/store-histories.js';

describe('store histories', () => {
  scenario(
    'xds-histories',
    'random histories of a store, streams that break off, resources that are refused, in the engine and a model proxy',
    { suite: { histories: 50, seed: 1 }, lab: { histories: 100_000, seed: Date.now() } },
    async ({ parameters: { histories, seed } }) => {
      const startedMs = performance.now();
      const laws = Object.entries(storeHistoryLaws);
      const numRuns = Math.ceil(histories / laws.length);
      for (const [, holds] of laws) holds({ seed, numRuns });
      return {
        lastedMs: performance.now() - startedMs,
        sent: numRuns * laws.length,
        failed: 0,
        recoveredMs: 0,
        facts: { laws: laws.length },
      };
    },
  );
});
