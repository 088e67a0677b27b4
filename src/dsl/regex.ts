const MAX_REGEX_CHARS = 1024;

/** What RE2 leaves out of the usual syntax, since it cannot be matched in linear time. */
const refused: readonly (readonly [RegExp, string])[] = [
  [/\(\?<?[=!]/, 'RE2 has no look-around'],
  [/\\[1-9]/, 'RE2 has no back references'],
];

/** Why Envoy would refuse this regular expression, as far as it can be known here; undefined when it looks right. */
export function regexProblem(text: string): string | undefined {
  if (text === '') return 'a regular expression must not be empty';
  if (text.length > MAX_REGEX_CHARS) return `a regular expression has at most ${MAX_REGEX_CHARS} characters`;
  const found = refused.find(([pattern]) => pattern.test(text));
  if (found !== undefined) return found[1];
  try {
    // RE2 writes flags as (?i) and named groups as (?P<name>…), which JavaScript spells otherwise or not at all.
    new RegExp(
      text
        .replaceAll(/\(\?[imsU-]+\)/g, '')
        .replaceAll(/\(\?[imsU-]+:/g, '(?:')
        .replaceAll('(?P<', '(?<'),
    );
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
