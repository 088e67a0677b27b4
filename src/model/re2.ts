/**
 * RE2, the regular expressions of Envoy, in those of JavaScript: everything is written out, so that no rule of the one differs
 * in the other. What RE2 does not know is refused. (Syntax: github.com/google/re2/wiki/Syntax; RE2 matches whole texts here.)
 */

export type Re2 =
  | { readonly kind: 'regex'; readonly matches: (text: string) => boolean }
  | { readonly kind: 'refused'; readonly reason: string };

/** A matcher of whole texts, or why RE2 would refuse the expression. */
export function compileRe2(source: string): Re2 {
  try {
    const regex = new RegExp(`^(?:${translate(source)})$`, 'u');
    return { kind: 'regex', matches: (text) => regex.test(text) };
  } catch (error) {
    return { kind: 'refused', reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  // JavaScript repeats the translated expression, which nobody wrote.
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^Invalid regular expression: .*: (.)/su, (_, first: string) => first.toLowerCase());
}

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
}

interface Reader {
  readonly chars: readonly string[];
  at: number;
  /** Of the groups that are open; the last one counts. */
  readonly flags: Flags[];
}

const MAX_REPEATS = 1000;

function translate(source: string): string {
  const reader: Reader = {
    chars: Array.from(source),
    at: 0,
    flags: [{ ignoreCase: false, multiline: false, dotAll: false }],
  };
  let out = '';
  while (reader.at < reader.chars.length) out += next(reader);
  return out;
}

const rest = (reader: Reader): string => reader.chars.slice(reader.at).join('');
const flagsOf = (reader: Reader): Flags => reader.flags.at(-1) as Flags;

function next(reader: Reader): string {
  const char = reader.chars[reader.at++] as string;
  const flags = flagsOf(reader);
  switch (char) {
    case '\\':
      return escape(reader);
    case '[':
      return characterClass(reader);
    case '(':
      return group(reader);
    case ')':
      if (reader.flags.length > 1) reader.flags.pop();
      return ')';
    case '.':
      return flags.dotAll ? '[^]' : '[^\\n]';
    case '^':
      return flags.multiline ? '(?<![^\\n])' : BEGIN;
    case '$':
      return flags.multiline ? '(?![^\\n])' : END;
    case '{':
      return repeat(reader);
    case '*':
    case '+':
    case '?':
    case '|':
      return char;
    default:
      return literal(char, flags);
  }
}

const BEGIN = '(?<![^])';
const END = '(?![^])';

function repeat(reader: Reader): string {
  const found = /^(\d+)(?:(,)(\d*))?\}/.exec(rest(reader));
  if (found === null) return literal('{', flagsOf(reader)); // `{`, `{,5}`: text, in RE2
  const [whole, low = '', comma = '', high = ''] = found;
  if (Math.max(Number(low), Number(high)) > MAX_REPEATS) throw new Error(`repeats more than ${MAX_REPEATS} times`);
  reader.at += whole.length;
  return `{${low}${comma}${high}}`;
}

function group(reader: Reader): string {
  const flags = flagsOf(reader);
  const text = rest(reader);
  if (!text.startsWith('?')) {
    reader.flags.push(flags);
    return '(';
  }
  const named = /^\?P?<([A-Za-z_]\w*)>/.exec(text);
  if (named !== null) {
    reader.at += named[0].length;
    reader.flags.push(flags);
    return `(?<${named[1]}>`;
  }
  if (/^\?<?[=!]/.test(text)) throw new Error('RE2 has no look-around');
  const set = /^\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(text);
  if (set === null) throw new Error('RE2 has no such group');
  const [whole, on = '', off = '', end] = set;
  reader.at += whole.length;
  const changed = withFlags(withFlags(flags, on, true), off, false);
  if (end === ':') {
    reader.flags.push(changed);
    return '(?:';
  }
  // From here to the end of the group.
  reader.flags[reader.flags.length - 1] = changed;
  return '';
}

/** U, the other greed, changes what is found first, and never whether a whole text matches. */
function withFlags(flags: Flags, words: string, value: boolean): Flags {
  return {
    ignoreCase: words.includes('i') ? value : flags.ignoreCase,
    multiline: words.includes('m') ? value : flags.multiline,
    dotAll: words.includes('s') ? value : flags.dotAll,
  };
}

/** Ranges of code points, as inside of [ ]. */
const perlClasses: Readonly<Record<string, string>> = {
  d: '0-9',
  D: '\\0-/:-\\u{10ffff}',
  w: '0-9A-Za-z_',
  W: '\\0-/:-@\\[-\\^`\\{-\\u{10ffff}',
  s: '\\t\\n\\f\\r ',
  S: '\\0-\\x08\\x0b\\x0e-\\x1f!-\\u{10ffff}',
};

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\0-\\x7f',
  blank: '\\t ',
  cntrl: '\\0-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

function escape(reader: Reader): string {
  const char = reader.chars[reader.at];
  switch (char) {
    case undefined:
      throw new Error('it ends in a backslash');
    case 'A':
      reader.at++;
      return BEGIN;
    case 'z':
      reader.at++;
      return END;
    case 'b':
    case 'B':
      reader.at++;
      return `\\${char}`;
    case 'Q':
      return quoted(reader);
  }
  const set = escapedClass(reader);
  return set === undefined ? literal(escapedChar(reader), flagsOf(reader)) : `[${set}]`;
}

function quoted(reader: Reader): string {
  reader.at++;
  const text = rest(reader);
  const end = text.indexOf('\\E');
  const inside = Array.from(end < 0 ? text : text.slice(0, end));
  reader.at += inside.length + (end < 0 ? 0 : 2);
  return inside.map((char) => literal(char, flagsOf(reader))).join('');
}

/** `\d`, `\pL`, `\p{Greek}` as the inside of a class; undefined when it is a single character. */
function escapedClass(reader: Reader): string | undefined {
  const char = reader.chars[reader.at] as string;
  const perl = perlClasses[char];
  if (perl !== undefined) {
    reader.at++;
    return perl;
  }
  const property = /^([pP])(?:\{(\^?)(\w+)\}|(\w))/.exec(rest(reader));
  if (property === null) return undefined;
  const [whole, letter, not, long, short] = property;
  reader.at += whole.length;
  const name = long ?? short ?? '';
  const isNegated = (letter === 'P') !== (not === '^');
  // One or two letters are a general category, more are a script.
  return `\\${isNegated ? 'P' : 'p'}{${name.length > 2 ? `Script=${name}` : name}}`;
}

const controls: Readonly<Record<string, string>> = {
  a: '\u0007',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function escapedChar(reader: Reader): string {
  const text = rest(reader);
  const hex = /^x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/.exec(text);
  const octal = /^(0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(text);
  const found = hex ?? octal;
  if (found !== null) {
    reader.at += found[0].length;
    const digits = hex === null ? found[0] : (hex[1] ?? hex[2] ?? '');
    return String.fromCodePoint(Number.parseInt(digits, hex === null ? 8 : 16));
  }
  const char = reader.chars[reader.at++] as string;
  if (/[1-9]/.test(char)) throw new Error('RE2 has no back references');
  const control = controls[char];
  if (control === undefined && /[0-9A-Za-z]/.test(char)) throw new Error(`RE2 has no \\${char}`);
  return control ?? char;
}

function characterClass(reader: Reader): string {
  const { ignoreCase } = flagsOf(reader);
  let inside = '';
  const isNegated = reader.chars[reader.at] === '^';
  if (isNegated) reader.at++;
  for (let first = true; ; first = false) {
    const char = reader.chars[reader.at];
    if (char === undefined) throw new Error('missing ]');
    if (char === ']' && !first) break;
    inside += classItem(reader, ignoreCase);
  }
  reader.at++;
  return `[${isNegated ? '^' : ''}${inside}]`;
}

function classItem(reader: Reader, ignoreCase: boolean): string {
  const posix = /^\[:(\^?)(\w+):\]/.exec(rest(reader));
  if (posix !== null) {
    const ranges = posixClasses[posix[2] as string];
    if (ranges === undefined || posix[1] === '^') throw new Error(`RE2 has no ${posix[0]} that we know`);
    reader.at += posix[0].length;
    return ignoreCase ? ranges.replace(/^(a-z|A-Z)$/, 'A-Za-z') : ranges;
  }
  if (reader.chars[reader.at] === '\\') {
    reader.at++;
    const set = escapedClass(reader);
    if (set !== undefined) return set;
    reader.at--;
  }
  const low = classChar(reader);
  const isRange = reader.chars[reader.at] === '-' && ![']', undefined].includes(reader.chars[reader.at + 1]);
  if (!isRange) return range(low, low, ignoreCase);
  reader.at++;
  return range(low, classChar(reader), ignoreCase);
}

function classChar(reader: Reader): string {
  const char = reader.chars[reader.at++] as string;
  return char === '\\' ? escapedChar(reader) : char;
}

const A = 0x41;
const Z = 0x5a;
const CASE = 0x20;

/** The letters of ASCII fold; a script beyond it is as it is written. */
function range(low: string, high: string, ignoreCase: boolean): string {
  const [from, to] = [low.codePointAt(0) as number, high.codePointAt(0) as number];
  if (from > to) throw new Error('range out of order');
  const shifted = [
    [A, Z, CASE],
    [A + CASE, Z + CASE, -CASE],
  ].map(([first = 0, last = 0, by = 0]) => [Math.max(from, first) + by, Math.min(to, last) + by] as const);
  const ranges = [[from, to] as const, ...(ignoreCase ? shifted.filter(([a, b]) => a <= b) : [])];
  return ranges.map(([a, b]) => `${code(a)}-${code(b)}`).join('');
}

const code = (point: number): string => `\\u{${point.toString(16)}}`;

function literal(char: string, { ignoreCase }: Flags): string {
  return ignoreCase && /[A-Za-z]/.test(char) ? `[${range(char, char, true)}]` : code(char.codePointAt(0) as number);
}
