import { expect, test } from 'vitest';
import { Recent } from '../../../src/runtime/recent.js';

test('makes what it knows only once, and forgets what nobody asks for', () => {
  const made: string[] = [];
  const recent = new Recent<string>(2);
  const get = (text: string): string =>
    recent.get(text, () => {
      made.push(text);
      return text.toUpperCase();
    });
  for (const text of ['a', 'b', 'a', 'c', 'a']) expect(get(text)).toBe(text.toUpperCase());
  expect(made).toEqual(['a', 'b', 'c']);
  for (const text of ['d', 'e', 'f', 'g']) get(text);
  get('a');
  expect(made).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'a']);
});
