import { expect, test } from 'vitest';
import { isStopped } from '../../../src/agent/stopped-process.js';

test('a stopped process is told by its state, whatever it is called', () => {
  expect(isStopped('42 (node) T 1 42 42 0')).toBe(true);
  expect(isStopped('42 (node) S 1 42 42 0')).toBe(false);
  expect(isStopped('42 (a) T (b) R 1 42 42 0')).toBe(false);
  expect(isStopped('42 (a) R (b) T 1 42 42 0')).toBe(true);
  expect(isStopped('')).toBe(false);
});
