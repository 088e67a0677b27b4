import { describe, expect, it } from 'vitest';
import { compileRe2 } from '../../../src/model/re2.js';

const matches = (source: string, text: string): boolean => {
  const compiled = compileRe2(source);
  if (compiled.kind === 'refused') throw new Error(compiled.reason);
  return compiled.matches(text);
};

describe('an RE2 expression matches', () => {
  it.each([
    ['a whole text', 'a|bc', 'bc'],
    ['without regard to case, from a flag on', 'a(?i)bC', 'aBc'],
    ['without regard to case, in a group', '(?i:a[b-d])e', 'ACe'],
    ['a dot that takes a line end', '(?s)a.b', 'a\nb'],
    ['a named group', '(?P<year>\\d{4})-(?<month>\\d\\d)', '2026-11'],
    ['a class of POSIX', '[[:alpha:]_]+[[:digit:]]', 'ab_1'],
    ['a bracket that stands first', '[]a]+', 'a]'],
    ['quoted text', '\\Qa.b\\E+', 'a.bb'],
    ['a brace that repeats nothing', 'a{,2}', 'a{,2}'],
    ['a script', '\\p{Greek}\\pL', 'αb'],
    ['a code point', '\\x41\\x{42}\\103', 'ABC'],
    ['an escaped dash', '[a\\-z]+', 'a-z'],
    ['a slash and a dash that need no escape', '/v1/[^/]+-x', '/v1/ab-x'],
    ['the other greed', '(?U)a+b', 'aab'],
    ['lines', '(?m)a$\n^b', 'a\nb'],
    ['no word', '\\W\\S\\D', '-xy'],
  ])('%s', (_what, source, text) => {
    expect(matches(source, text)).toBe(true);
  });

  it.each([
    ['only a part', 'b', 'abc'],
    ['the other case', 'abc', 'ABC'],
    ['beyond the group of a flag', '(?:(?i)a)b', 'AB'],
    ['a line end by a dot', 'a.b', 'a\nb'],
    ['the dash of a range', '[a-c]', '-'],
  ])('but not %s', (_what, source, text) => {
    expect(matches(source, text)).toBe(false);
  });
});

describe('what RE2 does not know is refused', () => {
  it.each([
    ['a(?=b)', 'RE2 has no look-around'],
    ['(?<!a)b', 'RE2 has no look-around'],
    ['(a)\\1', 'RE2 has no back references'],
    ['(?>a)', 'RE2 has no such group'],
    ['a\\Z', 'RE2 has no \\Z'],
    ['[a', 'missing ]'],
    ['[z-a]', 'range out of order'],
    ['a{1001}', 'more than 1000'],
    ['a**', 'nothing to repeat'],
    ['(a', 'unterminated group'],
    ['a)', 'unmatched'],
    ['a\\', 'ends in a backslash'],
  ])('%s', (source, reason) => {
    const compiled = compileRe2(source);
    expect(compiled.kind === 'refused' ? compiled.reason.toLowerCase() : '').toContain(reason.toLowerCase());
  });
});
