/**
 * The only module that uses the protobuf encoder. Translators hand in proto3 JSON (the types of `envoy-json.ts`), and
 * get bytes: deterministic, checked against Envoy's own descriptors, framed for both flavours of xDS.
 */
import { createHash } from 'node:crypto';
import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { BootstrapJson } from './generated/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { needsOf } from './needs.js';
import { registry, schemaOf, schemaOfUrl } from './registry.js';
import type { EncodedResource } from './resource-cache.js';
import { type Part, type ResourceShort, resourceType } from './resource-types.js';
import { field, frameResource } from './wire.js';
import { writeJson } from './write-json.js';

const DIGEST_CHARS = 16;

/** Throws when Envoy has no such field, enum value or extension; the message names the place in the JSON. */
export function encodeResource(short: ResourceShort, json: object): EncodedResource {
  const type = resourceType(short);
  const name = (json as Record<string, unknown>)[type.nameField];
  if (typeof name !== 'string' || name === '') {
    throw new MeshError('MESH2000', `a ${short} resource without ${type.nameField} cannot be sent`);
  }
  const message = encodeParted(type.message, json, type.part);
  const digest = createHash('sha256').update(message).digest('hex').slice(0, DIGEST_CHARS);
  const needs = type.needs ? needsOf(type.needs, json) : [];
  return { name, typeUrl: type.typeUrl, digest, needs, ...frameResource(type.typeUrl, name, digest, message) };
}

const parts = new WeakMap<object, Uint8Array>();

/**
 * The same message as `encodeMessage` gives, as far as a receiver can tell: a repeated field may stand anywhere (protobuf
 * encoding, "Field Order"). One changed endpoint or virtual host costs its own encoding, and not that of its thousand neighbours.
 */
function encodeParted(messageName: string, json: object, part: Part | undefined): Uint8Array {
  const { [part?.field ?? '']: list, ...rest } = json as Record<string, unknown>;
  if (part === undefined || !Array.isArray(list)) return encodeMessage(messageName, json);
  try {
    const pieces = list.map((element: unknown) => field(part.number, encodePart(element, part)));
    return Buffer.concat([encodeMessage(messageName, rest), ...pieces]);
  } catch (error) {
    encodeMessage(messageName, json); // says where in the whole message the mistake is
    throw error;
  }
}

function encodePart(element: unknown, part: Part): Uint8Array {
  if (element === null || typeof element !== 'object') throw new RangeError(`${part.field}: not a message`);
  let bytes = parts.get(element);
  if (bytes === undefined) parts.set(element, (bytes = encodeParted(part.message, element, part.part)));
  return bytes;
}

/** A resource as `encodeResource` takes it, from the field names of its proto: what Envoy's `/config_dump` shows. */
export function fromProtoNames(short: ResourceShort, json: object): object {
  const { message } = resourceType(short);
  return decodeMessage(message, encodeMessage(message, json)) as object; // the shape is the descriptor's own
}

/** The bytes of any message of the registry. Equal JSON gives equal bytes, in whatever order its keys stand. */
export function encodeMessage(messageName: string, json: object): Uint8Array {
  return writeJson(schemaOf(messageName), json) ?? encodeByLibrary(messageName, json);
}

/** The same bytes, whatever is unusual in the JSON; and what is wrong in it. */
export function encodeByLibrary(messageName: string, json: object): Uint8Array {
  const schema = schemaOf(messageName);
  return toBinary(schema, parse(schema, json));
}

/** Proto3 JSON of a message, extensions unpacked. For tools and tests; an unknown extension in an Any throws. */
export function decodeMessage(messageName: string, bytes: Uint8Array): unknown {
  const schema = schemaOf(messageName);
  return toJson(schema, fromBinary(schema, bytes), { registry });
}

/** Is this a bootstrap that Envoy's descriptors know? Throws with the place of the first mistake. Accepts both spellings of field names. */
export function checkBootstrap(json: unknown): asserts json is BootstrapJson {
  parse(schemaOf('envoy.config.bootstrap.v3.Bootstrap'), json);
}

function parse(schema: DescMessage, json: unknown): ReturnType<typeof fromJson> {
  try {
    // The caller's value came from a typed translator or a YAML parser: what is not JSON in it is refused right here.
    return fromJson(schema, sorted(json) as JsonValue, { registry });
  } catch (error) {
    const place = placeOf(schema, json as JsonValue, '');
    throw new MeshError('MESH2000', `${schema.typeName}${place ? ` at ${place}` : ''}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The encoder writes fields by number but map entries as they come: sorting the keys first makes the bytes deterministic. */
function sorted(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(sorted);
  if (json === null || typeof json !== 'object') return json;
  const keys = Object.keys(json).sort();
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = (json as Record<string, unknown>)[key];
      return value === undefined ? [] : [[key, sorted(value)]];
    }),
  );
}

/** The encoder's errors name the message type but not where it stands: goes down to the deepest part that fails by itself. */
function placeOf(schema: DescMessage, json: JsonValue | undefined, place: string): string {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return place;
  if (schema.typeName === 'google.protobuf.Any') return placeInAny(json, place);
  if (schema.file.proto.package === 'google.protobuf') return place;
  for (const [key, value] of Object.entries(json)) {
    if (value === undefined) continue;
    const field = schema.fields.find((candidate) => candidate.jsonName === key || candidate.name === key);
    const here = place ? `${place}.${key}` : key;
    if (!field) return here;
    for (const [suffix, part] of partsOf(field, value)) {
      if (isValid(schema, { [key]: part.alone })) continue;
      return field.message ? placeOf(field.message, part.value, here + suffix) : here + suffix;
    }
  }
  return place;
}

function placeInAny(json: { [key: string]: JsonValue }, place: string): string {
  const { '@type': typeUrl, ...rest } = json;
  const schema = schemaOfUrl(typeUrl);
  return schema ? placeOf(schema, rest, place) : place ? `${place}.@type` : '@type';
}

/** A list's elements and a map's entries one by one, each also as a field value of its own. */
function partsOf(field: DescField, value: JsonValue): [string, { value: JsonValue; alone: JsonValue }][] {
  if (field.fieldKind === 'list' && Array.isArray(value)) {
    return value.map((element, index) => [`[${index}]`, { value: element, alone: [element] }]);
  }
  if (field.fieldKind === 'map' && value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return Object.entries(value).map(([key, entry]) => [`.${key}`, { value: entry, alone: { [key]: entry } }]);
  }
  return [['', { value, alone: value }]];
}

function isValid(schema: DescMessage, json: JsonValue): boolean {
  try {
    fromJson(schema, sorted(json) as JsonValue, { registry });
    return true;
  } catch {
    return false; // which part fails is the question; why is in the first error
  }
}
