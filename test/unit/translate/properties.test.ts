/** Laws of translation that hold for any rules. Seeded: a failure shows the rules, and comes again. */
import { describe, it } from 'vitest';
import { laws } from '../../support/translation-laws.js';

const A_BUSY_MACHINE_MS = 60_000;

describe('for any right rules', () => {
  it.each(Object.entries(laws))('%s', (_says, holds) => holds({ seed: 20_261_127, numRuns: 12 }), A_BUSY_MACHINE_MS);
});
