/**
 * Plain data as YAML text that every reader understands alike. Every text is quoted: YAML 1.1 (PyYAML, so compose 1.29)
 * reads `yes`, `22:22`, `1_000` and `2026-11-21` as something else than YAML 1.2 does.
 */

const MAX_LINE = 110;
const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_./-]*$/;
/** Read as a boolean or null by YAML 1.1. */
const RESERVED = /^(y|n|yes|no|on|off|true|false|null)$/i;

/** A scalar that cannot break out of its place, whatever is in it. */
export function quoted(value: unknown): string {
  if (typeof value === 'string') return quotedText(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  // Finite and without an exponent: all that the plans hold. Anything else does not survive the check after rendering.
  if (typeof value === 'number') return String(value);
  throw new Error(`a scalar was expected, found ${typeof value}`);
}

/** Printable ASCII stays; the rest is escaped, since what counts as a line break or as printable differs between readers. */
function quotedText(text: string): string {
  return JSON.stringify(text).replace(/[^\u0020-\u007e]/gu, (character) => {
    const hex = (character.codePointAt(0) as number).toString(16); // a match is never empty
    return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
}

export function key(name: string): string {
  return PLAIN_KEY.test(name) && !RESERVED.test(name) ? name : quotedText(name);
}

/** What stands behind `key:`: a scalar on the same line, or a block indented by so many spaces. */
export function yamlBlock(value: unknown, indent: number): string {
  const pad = `\n${' '.repeat(indent)}`;
  if (Array.isArray(value)) {
    const line = value.every(isScalar) ? ` [${value.map(quoted).join(', ')}]` : undefined;
    if (line !== undefined && line.length + indent <= MAX_LINE) return line;
    return value.map((item) => `${pad}- ${yamlBlock(item, indent + 2).trimStart()}`).join('');
  }
  if (isScalar(value)) return ` ${quoted(value)}`;
  const entries = Object.entries(value as object).filter(([, inner]) => inner !== undefined);
  if (entries.length === 0) return ' {}';
  return entries.map(([name, inner]) => `${pad}${key(name)}:${yamlBlock(inner, indent + 2)}`).join('');
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value !== 'object';
}
