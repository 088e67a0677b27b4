import { describe, expect, it } from 'vitest';
import { styleFor } from '../../../src/cli/output/color.js';
import { formatProblemCount, formatProblems } from '../../../src/cli/output/problems.js';
import type { Problem } from '../../../src/model/problem.js';

const tty = { stdin: false, stdout: false, stderr: false };
const style = styleFor({ env: {}, isTTY: tty }, 'stderr', false);
const text = 'spec:\n  rules:\n    - destination: { host: reviews }\n      wieght: 10\n';
const problem: Problem = {
  code: 'MESH1003',
  severity: 'error',
  file: 'routes/reviews.yaml',
  line: 4,
  column: 7,
  path: 'Route default/reviews spec.rules[0]',
  message: 'unknown key "wieght"',
  hint: 'did you mean "weight"?',
};

describe('problems', () => {
  it('show their place, their hint and the line with a caret under the word', () => {
    expect(formatProblems([problem], () => text, style)).toBe(
      [
        'routes/reviews.yaml:4:7 MESH1003 unknown key "wieght" (did you mean "weight"?) [Route default/reviews spec.rules[0]]',
        '  3 |     - destination: { host: reviews }',
        '  4 |       wieght: 10',
        '    |       ^^^^^^',
        '',
      ].join('\n'),
    );
  });

  it('keep the caret under the word behind tabs', () => {
    const found = formatProblems([{ ...problem, line: 1, column: 3 }], () => '\t\tkey: 1', style);
    expect(found).toContain('    | \t\t^^^\n');
  });

  it('are a line each when the file is not at hand', () => {
    expect(formatProblems([problem, problem], () => undefined, style).split('\n')).toHaveLength(3);
  });

  it('are counted by what they are', () => {
    const warning: Problem = { ...problem, severity: 'warning' };
    expect(formatProblemCount([problem, problem], 'nothing applied')).toBe('2 problems, nothing applied.');
    expect(formatProblemCount([problem, warning], 'nothing applied')).toBe('1 problem and 1 warning, nothing applied.');
    expect(formatProblemCount([warning], 'nothing applied')).toBe('1 warning.');
  });
});
