import { compileRe2 } from '../model/re2.js';

const MAX_REGEX_CHARS = 1024;

/** Why Envoy would refuse this regular expression, as far as it can be known here; undefined when it looks right. */
export function regexProblem(text: string): string | undefined {
  if (text === '') return 'a regular expression must not be empty';
  if (text.length > MAX_REGEX_CHARS) return `a regular expression has at most ${MAX_REGEX_CHARS} characters`;
  const compiled = compileRe2(text);
  return compiled.kind === 'refused' ? compiled.reason : undefined;
}
