import { expect, test } from 'vitest';
import { MadeOf } from '../../../src/runtime/made-of.js';

test('makes one object of one text', () => {
  let made = 0;
  const texts = new MadeOf<{ readonly n: number }>();
  const get = (text: string) => texts.get(text, () => ({ n: made++ }));
  const first = get('a');
  expect(get('a')).toBe(first);
  expect(get('b')).not.toBe(first);
  expect(made).toBe(2);
});
