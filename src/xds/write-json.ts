/**
 * Proto3 JSON straight to bytes, for what translators write every day. The library makes a message of each JSON object first, and
 * takes five times as long. It stays the judge: what is unusual here, let alone wrong, is `undefined`, and left to it.
 */
import { type DescEnum, type DescField, type DescMessage, type DescOneof, ScalarType } from '@bufbuild/protobuf';
import { ByteWriter } from './byte-writer.js';
import { schemaOfUrl } from './registry.js';

/** The very bytes that the library gives for the same JSON with sorted keys, or undefined. */
export function writeJson(schema: DescMessage, json: unknown): Uint8Array | undefined {
  const writer = new ByteWriter();
  return writeMessage(writer, schema, json) ? writer.bytes() : undefined;
}

/** Each of the writers below says whether it could. */
function writeMessage(writer: ByteWriter, schema: DescMessage, json: unknown): boolean {
  if (schema.file.proto.package === 'google.protobuf') return writeWellKnown(writer, schema, json);
  const found = fieldsIn(schema, json);
  return found?.every(({ field, value }) => writeField(writer, field, value)) ?? false;
}

interface FieldValue {
  readonly field: DescField;
  readonly value: unknown;
}

/** By number, as the library writes them. */
function fieldsIn(schema: DescMessage, json: unknown): FieldValue[] | undefined {
  if (!isObject(json)) return undefined;
  const known = fieldsByKey(schema);
  const found: FieldValue[] = [];
  for (const key of Object.keys(json)) {
    const value = json[key];
    if (value === undefined) continue;
    const field = known.get(key);
    if (field === undefined || found.some((other) => excludes(other.field, field))) return undefined;
    found.push({ field, value });
  }
  return found.sort((a, b) => a.field.number - b.field.number);
}

/** The same field by its other name, or another member of a oneof. */
function excludes(one: DescField, other: DescField): boolean {
  return one === other || (one.oneof !== undefined && one.oneof === (other.oneof as DescOneof | undefined));
}

const fields = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

function fieldsByKey(schema: DescMessage): ReadonlyMap<string, DescField> {
  let map = fields.get(schema);
  if (map === undefined) {
    map = new Map(schema.fields.flatMap((field) => [field.name, field.jsonName].map((key) => [key, field])));
    fields.set(schema, map);
  }
  return map;
}

const IMPLICIT = 2; // FeatureSet_FieldPresence
/** What is deeper, the library decides about: it has a limit of its own. */
const MAX_DEPTH = 50;

function writeField(writer: ByteWriter, field: DescField, value: unknown): boolean {
  const { number } = field;
  switch (field.fieldKind) {
    case 'message':
      return !field.delimitedEncoding && writeNested(writer, number, field.message, value);
    case 'scalar':
    case 'enum': {
      const scalar = scalarOf(field, value);
      if (scalar === undefined) return false;
      const isUnset =
        field.presence === IMPLICIT && (scalar.value === 0 || scalar.value === '' || scalar.value === false);
      if (!isUnset) writeScalar(writer, number, scalar);
      return true;
    }
    case 'list':
      return Array.isArray(value) && writeList(writer, field, value);
    case 'map':
      return writeMap(writer, field, value);
  }
}

function writeNested(writer: ByteWriter, number: number, schema: DescMessage, json: unknown): boolean {
  return writeInside(writer, number, () => writeMessage(writer, schema, json));
}

function writeInside(writer: ByteWriter, number: number, write: () => boolean): boolean {
  if (writer.depth >= MAX_DEPTH) return false;
  const start = writer.open(number);
  if (!write()) return false;
  writer.close(start);
  return true;
}

function writeList(writer: ByteWriter, field: DescField & { fieldKind: 'list' }, list: readonly unknown[]): boolean {
  if (field.listKind === 'message') {
    return !field.delimitedEncoding && list.every((item) => writeNested(writer, field.number, field.message, item));
  }
  const scalars = list.map((item) => scalarOf(field, item));
  if (field.packed && scalars.length > 0) {
    const start = writer.open(field.number);
    if (!scalars.every((scalar) => scalar !== undefined && writeValue(writer, scalar))) return false;
    writer.close(start);
    return true;
  }
  return scalars.every((scalar) => scalar !== undefined && writeScalar(writer, field.number, scalar));
}

function writeMap(writer: ByteWriter, field: DescField & { fieldKind: 'map' }, json: unknown): boolean {
  if (!isObject(json) || field.mapKey !== ScalarType.STRING) return false;
  return writeEntries(writer, field.number, json, (value) => {
    if (field.mapKind === 'message') return writeNested(writer, 2, field.message, value);
    const scalar = scalarOf(field, value);
    return scalar !== undefined && writeScalar(writer, 2, scalar);
  });
}

function writeEntries(
  writer: ByteWriter,
  number: number,
  map: Readonly<Record<string, unknown>>,
  writeEntry: (value: unknown) => boolean,
): boolean {
  for (const key of Object.keys(map).sort()) {
    const value = map[key];
    if (value === undefined) continue;
    if (/^\d/.test(key) || SURROGATES.test(key)) return false; // JavaScript puts numbers before other keys
    const start = writer.open(number);
    writer.text(1, key);
    if (!writeEntry(value)) return false;
    writer.close(start);
  }
  return true;
}

/** A value that may be written as this type. */
type Scalar =
  | { readonly type: 'varint'; readonly value: number | boolean }
  | { readonly type: 'float' | 'double'; readonly value: number }
  | { readonly type: 'text'; readonly value: string };

const SURROGATES = /[\ud800-\udfff]/; // alone they are no text
const MAX_FLOAT = 3.4e38; // a little below the largest

function scalarOf(
  field: { readonly scalar?: ScalarType | undefined; readonly enum?: DescEnum | undefined },
  value: unknown,
): Scalar | undefined {
  if (field.enum !== undefined) {
    const number = typeof value === 'string' ? numbersOf(field.enum).get(value) : undefined;
    return number === undefined || number < 0 ? undefined : { type: 'varint', value: number };
  }
  if (typeof value === 'string') {
    if (isLong(field.scalar))
      return /^[1-9]\d{0,14}$/.test(value) ? { type: 'varint', value: Number(value) } : undefined;
    return field.scalar === ScalarType.STRING && !SURROGATES.test(value) ? { type: 'text', value } : undefined;
  }
  if (typeof value === 'boolean') return field.scalar === ScalarType.BOOL ? { type: 'varint', value } : undefined;
  if (typeof value !== 'number' || Object.is(value, -0)) return undefined;
  if (field.scalar === ScalarType.DOUBLE) return Number.isFinite(value) ? { type: 'double', value } : undefined;
  if (field.scalar === ScalarType.FLOAT) return Math.abs(value) < MAX_FLOAT ? { type: 'float', value } : undefined;
  const limit = limits.get(field.scalar);
  const isInRange = limit !== undefined && Number.isInteger(value) && value >= 0 && value <= limit;
  return isInRange ? { type: 'varint', value } : undefined;
}

/** In JSON these are texts. */
function isLong(scalar: ScalarType | undefined): boolean {
  return scalar === ScalarType.INT64 || scalar === ScalarType.UINT64;
}

const limits: ReadonlyMap<ScalarType | undefined, number> = new Map([
  [ScalarType.INT32, 2 ** 31 - 1],
  [ScalarType.UINT32, 2 ** 32 - 1],
  [ScalarType.INT64, Number.MAX_SAFE_INTEGER],
  [ScalarType.UINT64, Number.MAX_SAFE_INTEGER],
]);

const numbers = new WeakMap<DescEnum, ReadonlyMap<string, number>>();

function numbersOf(desc: DescEnum): ReadonlyMap<string, number> {
  let map = numbers.get(desc);
  if (map === undefined) numbers.set(desc, (map = new Map(desc.values.map(({ name, number }) => [name, number]))));
  return map;
}

function writeScalar(writer: ByteWriter, number: number, scalar: Scalar): boolean {
  writer.tag(number, wireTypes[scalar.type]);
  return writeValue(writer, scalar);
}

const wireTypes = { varint: 0, double: 1, text: 2, float: 5 } as const;

function writeValue(writer: ByteWriter, scalar: Scalar): true {
  if (scalar.type === 'varint') writer.varint(Number(scalar.value));
  else if (scalar.type === 'text') writer.string(scalar.value);
  else if (scalar.type === 'double') writer.double(scalar.value);
  else writer.float(scalar.value);
  return true;
}

/** Those of the well-known types that translators use. Their JSON is another than their fields. */
function writeWellKnown(writer: ByteWriter, schema: DescMessage, json: unknown): boolean {
  const { name, fields } = schema;
  if (name === 'Any') return writeAny(writer, json);
  if (name === 'Duration') return writeDuration(writer, json);
  if (name === 'Empty') return isObject(json) && Object.keys(json).length === 0;
  if (name === 'Struct') return isObject(json) && writeStruct(writer, json);
  const [only] = fields;
  if (only !== undefined && name.endsWith('Value') && only.name === 'value' && only.fieldKind === 'scalar') {
    return writeField(writer, only, json);
  }
  return false;
}

function writeAny(writer: ByteWriter, json: unknown): boolean {
  if (!isObject(json)) return false;
  const { '@type': typeUrl, ...content } = json;
  const schema = schemaOfUrl(typeUrl);
  if (schema === undefined || schema.file.proto.package === 'google.protobuf') return false;
  writer.text(1, `type.googleapis.com/${schema.typeName}`);
  const start = writer.open(2);
  if (!writeMessage(writer, schema, content)) return false;
  writer.close(start, 'unless empty');
  return true;
}

function writeStruct(writer: ByteWriter, json: Readonly<Record<string, unknown>>): boolean {
  return writeEntries(writer, 1, json, (value) => writeInside(writer, 2, () => writeStructValue(writer, value)));
}

/** google.protobuf.Value: number_value 2, string_value 3, bool_value 4, struct_value 5, list_value 6. */
function writeStructValue(writer: ByteWriter, json: unknown): boolean {
  if (Array.isArray(json)) {
    const writeItem = (item: unknown): boolean => writeInside(writer, 1, () => writeStructValue(writer, item));
    return writeInside(writer, 6, () => json.every(writeItem));
  }
  if (isObject(json)) return writeInside(writer, 5, () => writeStruct(writer, json));
  const [number, scalar] = structScalars.get(typeof json) ?? [0, undefined];
  const value = scalarOf({ scalar }, json);
  return value !== undefined && writeScalar(writer, number, value);
}

const structScalars: ReadonlyMap<string, readonly [number, ScalarType]> = new Map([
  ['number', [2, ScalarType.DOUBLE]],
  ['string', [3, ScalarType.STRING]],
  ['boolean', [4, ScalarType.BOOL]],
]);

/** Seconds, and nanoseconds as up to nine digits. */
function writeDuration(writer: ByteWriter, json: unknown): boolean {
  const match = typeof json === 'string' ? /^(\d{1,11})(?:\.(\d{1,9}))?s$/.exec(json) : null;
  if (match === null) return false;
  const [seconds, nanos] = [Number(match[1]), Number((match[2] ?? '').padEnd(9, '0'))];
  if (seconds > 0) writeScalar(writer, 1, { type: 'varint', value: seconds });
  if (nanos > 0) writeScalar(writer, 2, { type: 'varint', value: nanos });
  return true;
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return json !== null && typeof json === 'object' && !Array.isArray(json);
}
