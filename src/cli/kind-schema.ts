/** JSON Schema of a kind, and its fields for `explain`, both from the zod schema that also does the checking. */
import { z } from 'zod';
import type { AnyKind } from '../model/kind.js';

/** The part of JSON Schema that zod writes and that is shown here. */
export interface FieldSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly items?: FieldSchema;
  readonly additionalProperties?: FieldSchema | boolean;
  readonly anyOf?: readonly FieldSchema[];
  readonly oneOf?: readonly FieldSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** Values that are not served, with the reason (dsl/not-yet.ts). */
  readonly refused?: readonly string[];
}

export function specSchema(kind: AnyKind): FieldSchema {
  // `input`: what the user writes, before defaults. A rule that JSON Schema cannot say is checked by `validate` only.
  return z.toJSONSchema(kind.schema, { io: 'input', unrepresentable: 'any' }) as FieldSchema;
}

/** Of a whole document, as an editor needs it. */
export function documentSchema(kind: AnyKind): object {
  const { $schema, ...spec } = specSchema(kind) as FieldSchema & { $schema?: string };
  const text = { type: 'string' };
  const labels = { type: 'object', additionalProperties: text };
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: kind.kind,
    description: kind.summary,
    type: 'object',
    additionalProperties: false,
    required: ['apiVersion', 'kind', 'metadata', ...(spec.required === undefined ? [] : ['spec'])],
    properties: {
      apiVersion: { enum: kind.apiVersions },
      kind: { const: kind.kind },
      metadata: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: text,
          ...(kind.namespaced ? { namespace: text } : {}),
          labels,
          annotations: labels,
          creationTimestamp: { type: 'string', format: 'date-time' },
        },
      },
      spec,
    },
  };
}

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  /** Default, allowed values, range. */
  readonly notes: string;
}

/** The schema at a path such as `upstreams.service`; `items` and entries of maps are passed through. */
export function schemaAt(schema: FieldSchema, path: readonly string[]): FieldSchema | undefined {
  const [head, ...rest] = path;
  if (head === undefined) return schema;
  for (const shape of shapesOf(schema)) {
    const next = shape.properties?.[head];
    const found = next === undefined ? undefined : schemaAt(next, rest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Fields of an object, through lists, maps and alternatives; none for a plain value. */
export function fieldsOf(schema: FieldSchema): Field[] {
  const fields = new Map<string, Field>();
  for (const shape of shapesOf(schema)) {
    for (const [name, field] of Object.entries(shape.properties ?? {})) {
      const required = shape.required?.includes(name) ?? false;
      if (!fields.has(name)) fields.set(name, { name, type: typeOf(field), required, notes: notesOf(field) });
    }
  }
  return [...fields.values()];
}

function shapesOf(schema: FieldSchema): FieldSchema[] {
  const inner = [
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []),
  ];
  return [...(schema.properties === undefined ? [] : [schema]), ...inner.flatMap(shapesOf)];
}

export function typeOf(schema: FieldSchema): string {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return [...new Set(alternatives.map(typeOf))].join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return 'string';
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
    return `map of ${typeOf(schema.additionalProperties)}`;
  }
  return typeof schema.type === 'string' ? schema.type : (schema.type?.join(' or ') ?? 'anything');
}

export function notesOf(schema: FieldSchema): string {
  const notes = [
    ...(schema.description === undefined ? [] : [schema.description]),
    ...(schema.enum === undefined ? [] : [`one of ${schema.enum.map(String).join(', ')}`]),
    ...(schema.default === undefined ? [] : [`default ${JSON.stringify(schema.default)}`]),
    ...rangeOf(schema),
    ...(schema.refused ?? []).map((reason) => `not served: ${reason}`),
  ];
  return notes.join('; ');
}

const NOT_SERVED = 'Not served: ';

/** Why a field is refused; undefined when it is served. */
export function refusalOf({ description = '' }: FieldSchema): string | undefined {
  return description.startsWith(NOT_SERVED) ? description.slice(NOT_SERVED.length) : undefined;
}

/** What a machine's integer can hold at most; as a limit it tells nobody anything. */
const LARGEST = 2 ** 31 - 1;

/** zod bounds every integer by what a double can hold exactly; that is no rule of ours. */
function rangeOf({ minimum, maximum }: FieldSchema): string[] {
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const high = maximum !== undefined && maximum < LARGEST ? maximum : undefined;
  if (low !== undefined && high !== undefined) return [`${low} to ${high}`];
  if (low !== undefined) return [`at least ${low}`];
  return high === undefined ? [] : [`at most ${high}`];
}
