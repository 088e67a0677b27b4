/** Text of the store, read back: its writers are trusted, damage by a disk or by somebody's hand is not. */

export type Read<Value> = { readonly value: Value } | { readonly wrong: string };

/** The one place where text of the store becomes a type: the fields that its readers stand on must be there. */
export function readObject<Value extends object>(
  text: string,
  required: readonly (keyof Value & string)[],
): Read<Value> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { wrong: 'the value is not JSON' };
  }
  if (!isObject(value)) return { wrong: 'the value is not a JSON object' };
  const missing = required.filter((field) => value[field] === undefined);
  if (missing.length > 0) return { wrong: `the value has no ${missing.join(', ')}` };
  return { value: value as Value };
}

/** For lists, where one damaged value must not hide the others. */
export function valueOf<Value extends object>(
  text: string,
  required: readonly (keyof Value & string)[],
): Value | undefined {
  const read = readObject<Value>(text, required);
  return 'value' in read ? read.value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
