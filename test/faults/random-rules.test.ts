/** Goal: what is translated stands by itself whatever the rules are, and `mesh resolve` says what Envoy does. */
import { describe } from 'vitest';
import { scenario } from '../support/scenario.js';
import { laws } from '../support/translation-laws.js';

describe('random rules', () => {
  scenario(
    'translate-properties',
    'random rules, held to the laws of translation',
    { suite: { rules: 3, seed: 1 }, lab: { rules: 2000, seed: Date.now() } },
    async ({ parameters: { rules, seed } }) => {
      const startedMs = performance.now();
      for (const holds of Object.values(laws)) holds({ seed, numRuns: rules });
      return { lastedMs: performance.now() - startedMs, sent: rules, failed: 0, recoveredMs: 0 };
    },
  );
});
