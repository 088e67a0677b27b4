import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { referencePages } from '../../../src/cli/reference.js';

const pages = [...(await referencePages())];

describe('the reference pages', () => {
  it.each(pages)('%s is what the code says (else: npm run docs)', (name, text) => {
    const file = new URL(`../../../docs/reference/${name}`, import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});
