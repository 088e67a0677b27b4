import { describe, expect, it } from 'vitest';
import { formatPairs, formatTable } from '../../../src/cli/output/table.js';

describe('a table', () => {
  it('is as wide as its widest cell and ends no line with blanks', () => {
    const text = formatTable(
      ['NAME', 'STATE'],
      [
        ['reviews-v1-7', 'healthy'],
        ['a', ''],
      ],
    );
    expect(text).toBe('NAME          STATE\nreviews-v1-7  healthy\na\n');
  });

  it('counts what is seen, not colour codes nor bytes', () => {
    const text = formatTable(
      ['A', 'B'],
      [
        ['\u001b[32mok\u001b[39m', 'x'],
        ['評価', 'y'],
      ],
    );
    expect(text.split('\n').slice(1, 3)).toEqual(['\u001b[32mok\u001b[39m    x', '評価  y']);
  });

  it('aligns the values of pairs', () => {
    expect(
      formatPairs([
        ['a', '1'],
        ['bcd', '2'],
      ]),
    ).toBe('a    1\nbcd  2\n');
  });
});
