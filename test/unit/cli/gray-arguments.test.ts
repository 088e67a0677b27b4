import { describe, expect, it } from 'vitest';
import { parseMatch, parseShift, parseSteps, parseWeight } from '../../../src/cli/gray-arguments.js';

describe('words of mesh gray', () => {
  it.each([
    ['25', { weight: 25 }],
    ['0.5', { weight: 0.5 }],
    ['12.25%', { weight: 12.25 }],
    ['+10', { delta: 10 }],
    ['-5', { delta: -5 }],
    ['100', { weight: 100 }],
  ])('shift %s', (text, expected) => {
    expect(parseShift(text)).toEqual(expected);
  });

  it.each(['', '140', '-', '10.125', '1e1', 'ten', '+-5', '100.01'])('refuses the weight "%s" with a hint', (text) => {
    expect(() => parseShift(text)).toThrow(expect.objectContaining({ code: 'MESH2007', hint: expect.any(String) }));
  });

  it('reads a header match, its name in lower case and its value as it stands', () => {
    expect(parseMatch('header:X-User=Jason=1')).toEqual({ header: 'x-user', exact: 'Jason=1' });
  });

  it.each(['x-user=jason', 'header:=a', 'header:x-user', 'header:x-user=', 'cookie:a=b'])(
    'refuses the match "%s"',
    (text) => {
      expect(() => parseMatch(text)).toThrow(expect.objectContaining({ code: 'MESH2007' }));
    },
  );

  it('reads ascending steps and refuses others', () => {
    expect(parseSteps('1, 5,25,50,100')).toEqual([1, 5, 25, 50, 100]);
    expect(() => parseSteps('5,5')).toThrow(/ascend/);
    expect(() => parseSteps('5,')).toThrow(/not a weight/);
    expect(parseWeight('0')).toBe(0);
  });
});
