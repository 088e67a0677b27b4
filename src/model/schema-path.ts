/** Looks into a zod schema along a path, for hints. */
import { z } from 'zod';

type Path = readonly PropertyKey[];

/** The keys that a strict object allows at a path, for the hint after an unknown one. */
export function keysAt(schema: z.ZodType, path: Path): string[] {
  const found = path.reduce<unknown>((at, part) => inner(at, part)?.schema, schema);
  const object = unwrap(found);
  return object instanceof z.ZodObject ? Object.keys(object.shape as object) : [];
}

/** A path as far as it names fields of the schema: without positions in lists and without the user's own keys of maps. */
export function knownPath(schema: z.ZodType, path: Path): string[] {
  const known: string[] = [];
  let at: unknown = schema;
  for (const part of path) {
    const next = inner(at, part);
    if (next === undefined) break;
    if (next.isField) known.push(String(part));
    at = next.schema;
  }
  return known;
}

/** The other spelling that proto3 JSON allows for a field: `connection_pool` for `connectionPool`. */
export function camelCase(key: string): string {
  return key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Fields that the schema has in camelCase, written so. The user's own keys of maps stay as they are. */
export function withCamelFields(schema: z.ZodType, value: unknown): unknown {
  return camelFields(schema, value);
}

function camelFields(schema: unknown, value: unknown): unknown {
  const current = unwrap(schema);
  if (Array.isArray(value)) {
    return current instanceof z.ZodArray ? value.map((one) => camelFields(current.element, one)) : value;
  }
  if (value === null || typeof value !== 'object') return value;
  if (current instanceof z.ZodRecord)
    return mapEntries(value, (key, one) => [key, camelFields(current.valueType, one)]);
  if (!(current instanceof z.ZodObject)) return value;
  const shape = current.shape as Record<string, unknown>;
  return mapEntries(value, (key, one) => {
    const camel = camelCase(key);
    const isOther = !Object.hasOwn(shape, key) && Object.hasOwn(shape, camel) && !Object.hasOwn(value, camel);
    const name = isOther ? camel : key;
    return [name, camelFields(shape[name], one)];
  });
}

function mapEntries(value: object, entry: (key: string, one: unknown) => [string, unknown]): object {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => entry(key, one)));
}

function inner(schema: unknown, part: PropertyKey): { schema: unknown; isField: boolean } | undefined {
  const current = unwrap(schema);
  if (current instanceof z.ZodArray) return { schema: current.element, isField: false };
  if (current instanceof z.ZodRecord) return { schema: current.valueType, isField: false };
  if (!(current instanceof z.ZodObject)) return undefined;
  const shape = current.shape as Record<string, unknown>;
  return Object.hasOwn(shape, String(part)) ? { schema: shape[String(part)], isField: true } : undefined;
}

function unwrap(schema: unknown): unknown {
  let current = schema;
  while (
    current instanceof z.ZodOptional ||
    current instanceof z.ZodDefault ||
    current instanceof z.ZodPrefault ||
    current instanceof z.ZodNullable
  ) {
    current = current.unwrap();
  }
  return current;
}
