/**
 * JSON that somebody else wrote for one of Envoy's messages: read into the form that our own resources have, and merged into them
 * as protobuf merges messages. The parts that a merge does not touch stay the same objects.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { MeshError } from '../runtime/mesh-error.js';
import { encodeMessage } from './encode.js';
import { schemaOf, schemaOfUrl } from './registry.js';

export type Form = Readonly<Record<string, unknown>>;

/** Carries a message of any type as a Struct, which Envoy reads by its own descriptors. */
const TYPED_STRUCT = 'type.googleapis.com/xds.type.v3.TypedStruct';

/**
 * Fields in camelCase, durations in seconds, a TypedStruct as the message that it carries. A message in an Any that is unknown here
 * becomes a TypedStruct: whether it is right, only Envoy can say. Throws when the rest is no such message; the error names the place.
 */
export function readForm(messageName: string, json: object): Form {
  const form = readMessage(schemaOf(messageName), json) as Form; // an object stays one
  encodeMessage(messageName, form);
  return form;
}

function readMessage(schema: DescMessage, json: unknown): unknown {
  if (schema.typeName === 'google.protobuf.Duration') return readDuration(json);
  if (!isForm(json)) return json;
  if (schema.typeName === 'google.protobuf.Any') return readAny(json);
  if (isWellKnown(schema)) return json;
  return Object.fromEntries(
    Object.entries(json).flatMap(([key, value]) => {
      if (value === null || value === undefined) return [];
      const field = fieldOf(schema, key);
      return field === undefined ? [[key, value]] : [[field.jsonName, readField(field, value)]];
    }),
  );
}

function readField(field: DescField, value: unknown): unknown {
  const { message } = field;
  if (message === undefined) return value;
  if (field.fieldKind === 'list') return Array.isArray(value) ? value.map((one) => readMessage(message, one)) : value;
  if (field.fieldKind !== 'map') return readMessage(message, value);
  if (!isForm(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, readMessage(message, one)]));
}

function readAny(json: Form): Form {
  const { '@type': typeUrl, ...rest } = json;
  if (typeof typeUrl !== 'string') return json;
  if (/\b(xds\.type\.v3|udpa\.type\.v1)\.TypedStruct$/.test(typeUrl)) {
    const carried = rest['typeUrl'] ?? rest['type_url'];
    return typedForm(carried, isForm(rest['value']) ? rest['value'] : {}) ?? json;
  }
  return typedForm(typeUrl, rest) ?? json;
}

function typedForm(typeUrl: unknown, value: Form): Form | undefined {
  if (typeof typeUrl !== 'string') return undefined;
  const schema = schemaOfUrl(typeUrl);
  if (schema === undefined) return { '@type': TYPED_STRUCT, typeUrl, value };
  return { '@type': `type.googleapis.com/${schema.typeName}`, ...(readMessage(schema, value) as Form) }; // an object stays one
}

const NANOS = 1e9;
const unitNanos: Readonly<Record<string, number>> = {
  h: 3600 * NANOS,
  m: 60 * NANOS,
  s: NANOS,
  ms: 1e6,
  us: 1e3,
  ns: 1,
};

/** `500ms` and `1h30m`, which Istio takes too, as `0.5s` and `5400s`. */
function readDuration(json: unknown): unknown {
  if (typeof json !== 'string' || !/^(\d+(\.\d+)?(h|ms|m|us|ns|s))+$/.test(json)) return json;
  const parts = [...json.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|ns|s)/g)];
  const nanos = Math.round(
    parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitNanos[unit ?? ''] ?? 0), 0),
  );
  return `${Math.floor(nanos / NANOS)}${fraction(nanos % NANOS)}s`;
}

function fraction(nanos: number): string {
  return nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}

/**
 * Scalars are replaced, messages merged, entries of maps replaced, lists `append`ed or `replace`d; a typed_config of the same type is
 * merged too. Where a field of a oneof comes, the others go.
 */
export function mergeForm(messageName: string, target: Form, patch: Form, lists: 'append' | 'replace'): Form {
  return mergeMessage(schemaOf(messageName), target, patch, lists);
}

function mergeMessage(schema: DescMessage, target: Form, patch: Form, lists: 'append' | 'replace'): Form {
  const merged: Record<string, unknown> = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const field = fieldOf(schema, key);
    if (field === undefined) throw new MeshError('MESH2000', `${schema.typeName} has no field ${key}`);
    for (const other of field.oneof?.fields ?? []) if (other.jsonName !== key) delete merged[other.jsonName];
    merged[key] = mergeField(field, merged[key], value, lists);
  }
  return merged;
}

function mergeField(field: DescField, target: unknown, patch: unknown, lists: 'append' | 'replace'): unknown {
  if (target === undefined) return patch;
  if (field.fieldKind === 'list')
    return lists === 'append' && Array.isArray(target) && Array.isArray(patch) ? [...target, ...patch] : patch;
  if (field.message === undefined || !isForm(target) || !isForm(patch)) return patch;
  if (field.fieldKind === 'map') return { ...target, ...patch };
  if (field.message.typeName === 'google.protobuf.Any') return mergeAny(target, patch, lists);
  if (field.message.typeName === 'google.protobuf.Struct') return { ...target, ...patch };
  return isWellKnown(field.message) ? patch : mergeMessage(field.message, target, patch, lists);
}

function mergeAny(target: Form, patch: Form, lists: 'append' | 'replace'): Form {
  const { '@type': typeUrl, ...rest } = patch;
  const schema = schemaOfUrl(typeUrl);
  if (typeUrl !== target['@type'] || typeUrl === TYPED_STRUCT || schema === undefined || isWellKnown(schema))
    return patch;
  const { '@type': _, ...before } = target;
  return { '@type': typeUrl, ...mergeMessage(schema, before, rest, lists) };
}

function fieldOf(schema: DescMessage, key: string): DescField | undefined {
  return schema.fields.find((field) => field.jsonName === key || field.name === key);
}

/** Those have a JSON form of their own: a text, a number, a map without fields. */
function isWellKnown(schema: DescMessage): boolean {
  return schema.file.proto.package === 'google.protobuf';
}

function isForm(value: unknown): value is Form {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
