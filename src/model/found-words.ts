/** The words of messages about shapes: YAML's, not those of the schema library. */

const shapes: Readonly<Record<string, readonly [name: string, hint: string]>> = {
  array: ['a list', 'write [a, b], or lines that begin with "- "'],
  object: ['a map', 'write { key: value }, or indented lines of key: value'],
  record: ['a map', 'write { key: value }, or indented lines of key: value'],
  string: ['a string', 'write a string'],
  number: ['a number', 'write a number'],
  int: ['a whole number', 'write a whole number'],
  boolean: ['true or false', 'write true or false'],
};

export function shapeName(expected: string): string {
  return shapes[expected]?.[0] ?? `a ${expected}`;
}

/** What to do about a value of the wrong shape; quotes, where they are what is wrong. */
export function shapeHint(expected: string, found: unknown): string {
  const isQuotedNumber = typeof found === 'string' && found.trim() !== '' && Number.isFinite(Number(found));
  if (isQuotedNumber && (expected === 'number' || expected === 'int')) return `write it without quotes: ${found}`;
  if (expected === 'string' && ['number', 'boolean'].includes(typeof found))
    return `write it in quotes: "${String(found)}"`;
  return shapes[expected]?.[1] ?? `write ${shapeName(expected)}`;
}

export function isMap(value: unknown): value is object {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

const MAX_SHOWN = 60;

/** A value as it stands in a message, cut where it is long. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isMap(value)) return 'a map';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
