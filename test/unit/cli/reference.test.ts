import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { performancePage } from '../../../bench/pages/performance.js';
import { referencePages } from '../../../src/cli/reference.js';

const pages = [
  ...[...(await referencePages())].map(([name, text]) => [`reference/${name}`, text] as const),
  ['performance.md', performancePage()] as const,
];

describe('the reference pages', () => {
  it.each(pages)('%s is what the code and the benches say (else: npm run docs)', (name, text) => {
    const file = new URL(`../../../docs/${name}`, import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});
