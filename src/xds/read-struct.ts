/** google.protobuf.Struct as the JSON that it stands for. A general decoder makes a message of each value first, and takes five times as long. */
import type { FieldReader } from './wire.js';

/** As protobuf's own decoders have it. */
const MAX_DEPTH = 100;

/** Throws a RangeError when it is no Struct, or deeper than anybody needs. */
export function readStruct(fields: FieldReader, depth = 0): { readonly [key: string]: unknown } {
  if (depth > MAX_DEPTH) throw new RangeError(`metadata of more than ${MAX_DEPTH} levels`);
  const struct: Record<string, unknown> = {};
  while (fields.next()) if (fields.number === 1) readEntry(fields.inside(), struct, depth);
  return struct;
}

/** An entry of a map<string, Value>. */
function readEntry(fields: FieldReader, struct: Record<string, unknown>, depth: number): void {
  let key = '';
  let value: unknown = null;
  while (fields.next()) {
    if (fields.number === 1) key = fields.text();
    else if (fields.number === 2) value = readValue(fields.inside(), depth);
  }
  // Assigned, it would be no property but a prototype. No field of ours has that name.
  if (key !== '__proto__') struct[key] = value;
}

/** google.protobuf.Value: null_value 1, number_value 2, string_value 3, bool_value 4, struct_value 5, list_value 6. */
function readValue(fields: FieldReader, depth: number): unknown {
  let value: unknown = null;
  while (fields.next()) {
    if (fields.number === 2) value = fields.double();
    else if (fields.number === 3) value = fields.text();
    else if (fields.number === 4) value = fields.value !== 0;
    else if (fields.number === 5) value = readStruct(fields.inside(), depth + 1);
    else if (fields.number === 6) value = readList(fields.inside(), depth + 1);
  }
  return value;
}

/** google.protobuf.ListValue. */
function readList(fields: FieldReader, depth: number): unknown[] {
  if (depth > MAX_DEPTH) throw new RangeError(`metadata of more than ${MAX_DEPTH} levels`);
  const values: unknown[] = [];
  while (fields.next()) if (fields.number === 1) values.push(readValue(fields.inside(), depth));
  return values;
}
