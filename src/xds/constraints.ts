/**
 * What Envoy demands of a message beyond its types: it says so in its own descriptors (protoc-gen-validate), and refuses what does
 * not hold. Known beforehand, it is the problem of one definition, and not of all that is sent together with it.
 */
import { type DescField, type DescMessage, type DescOneof, getOption, hasOption, toJson } from '@bufbuild/protobuf';
import {
  type FieldRulesJson,
  FieldRulesSchema,
  required as requiredOneof,
  rules as rulesOption,
} from './generated/validate/validate_pb.js';
import type { Form } from './proto-form.js';
import { schemaOf, schemaOfUrl } from './registry.js';

/**
 * The first thing that does not hold, with its place; undefined when all does. `isPartial`: the form will be merged into another one,
 * so what is missing may be there. In Envoy's own field names of JSON, as `readForm` gives it.
 */
export function violation(messageName: string, form: Form, isPartial: boolean): string | undefined {
  return first(inMessage(schemaOf(messageName), form, '', isPartial));
}

function first(found: Iterable<string>): string | undefined {
  for (const one of found) return one;
  return undefined;
}

function* inMessage(schema: DescMessage, form: Form, place: string, isPartial: boolean): Generator<string> {
  for (const field of schema.fields) {
    const at = place === '' ? field.jsonName : `${place}.${field.jsonName}`;
    const value = form[field.jsonName];
    const rules = rulesOf(field);
    if (value !== undefined) yield* inField(field, rules, value, at, isPartial);
    else if (!isPartial && rules !== undefined && field.oneof === undefined) yield* ofAbsent(field, rules, at);
  }
  if (!isPartial) for (const oneof of schema.oneofs) yield* ofOneof(oneof, form, place);
  yield* (inCode[schema.typeName] ?? (() => []))(form, place);
}

/** What Envoy's code demands, and its descriptors do not say. Whatever else there is, Envoy itself has to refuse. */
const inCode: Readonly<Record<string, (form: Form, place: string) => readonly string[]>> = {
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': ({ baseInterval, maxInterval }, place) =>
    maxInterval !== undefined &&
    baseInterval !== undefined &&
    seconds(maxInterval as Bound) < seconds(baseInterval as Bound)
      ? [`${place}.maxInterval must be at least baseInterval`]
      : [],
};

function ofOneof(oneof: DescOneof, form: Form, place: string): readonly string[] {
  const isWanted = hasOption(oneof, requiredOneof) && getOption(oneof, requiredOneof);
  if (!isWanted || oneof.fields.some(({ jsonName }) => form[jsonName] !== undefined)) return [];
  const names = oneof.fields.map(({ jsonName }) => jsonName).join(', ');
  return [`${place === '' ? '' : `${place} `}needs one of ${names}`];
}

const known = new WeakMap<DescField, { readonly rules: FieldRulesJson | undefined }>();

function rulesOf(field: DescField): FieldRulesJson | undefined {
  let found = known.get(field);
  if (found === undefined) {
    const has = hasOption(field, rulesOption);
    found = { rules: has ? (toJson(FieldRulesSchema, getOption(field, rulesOption)) as FieldRulesJson) : undefined };
    known.set(field, found);
  }
  return found.rules;
}

function ofAbsent(field: DescField, rules: FieldRulesJson, at: string): readonly string[] {
  const isWanted =
    rules.message?.required || rules.any?.required || rules.duration?.required || rules.timestamp?.required;
  if (isWanted || Number(rules.repeated?.minItems ?? 0) > 0 || Number(rules.map?.minPairs ?? 0) > 0)
    return [`${at} is missing`];
  // A scalar without presence is its zero.
  if (field.fieldKind !== 'scalar' || field.presence !== IMPLICIT) return [];
  const zero = rules.string === undefined ? 0 : '';
  return ofScalar(rules, zero, at).length === 0 ? [] : [`${at} is missing`];
}

/** `FeatureSet.FieldPresence.IMPLICIT` of descriptor.proto. */
const IMPLICIT = 2;

function* inField(
  field: DescField,
  rules: FieldRulesJson | undefined,
  value: unknown,
  at: string,
  isPartial: boolean,
): Generator<string> {
  if (field.fieldKind === 'list' && Array.isArray(value)) {
    yield* ofCount(value.length, rules?.repeated?.minItems, rules?.repeated?.maxItems, at, isPartial);
    for (const [i, one] of value.entries())
      yield* inValue(field.message, rules?.repeated?.items, one, `${at}[${i}]`, false);
  } else if (field.fieldKind === 'map' && isForm(value)) {
    for (const [key, one] of Object.entries(value))
      yield* inValue(field.message, rules?.map?.values, one, `${at}.${key}`, false);
  } else yield* inValue(field.message, rules, value, at, isPartial);
}

function* inValue(
  schema: DescMessage | undefined,
  rules: FieldRulesJson | undefined,
  value: unknown,
  at: string,
  isPartial: boolean,
): Generator<string> {
  if (rules !== undefined) yield* ofScalar(rules, value, at);
  if (schema === undefined || !isForm(value)) return;
  if (schema.typeName === 'google.protobuf.Any') {
    const carried = schemaOfUrl(value['@type']);
    if (carried !== undefined) yield* inMessage(carried, value, at, isPartial);
  } else if (schema.file.proto.package !== 'google.protobuf') yield* inMessage(schema, value, at, isPartial);
}

function ofCount(
  count: number,
  min: string | number | undefined,
  max: string | number | undefined,
  at: string,
  isPartial: boolean,
): readonly string[] {
  if (!isPartial && count < Number(min ?? 0)) return [`${at} has at least ${min}`];
  return count > Number(max ?? Infinity) ? [`${at} has at most ${max}`] : [];
}

type Bound = number | string;

interface Bounds {
  readonly gt?: Bound;
  readonly gte?: Bound;
  readonly lt?: Bound;
  readonly lte?: Bound;
}

/** Of text, numbers and durations; also of the wrappers around them. */
function ofScalar(rules: FieldRulesJson, value: unknown, at: string): readonly string[] {
  if (typeof value === 'string' && rules.string !== undefined) return ofText(rules.string, value, at);
  if (typeof value === 'string' && rules.duration !== undefined)
    return ofBounds(rules.duration as Bounds, seconds(value), at, seconds);
  const bounds = numeric.map((type) => rules[type] as Bounds | undefined).find((one) => one !== undefined);
  return bounds === undefined || !Number.isFinite(Number(value)) ? [] : ofBounds(bounds, Number(value), at, Number);
}

const numeric = [
  'uint32',
  'uint64',
  'int32',
  'int64',
  'float',
  'double',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
] as const;

function seconds(duration: Bound): number {
  return Number.parseFloat(String(duration));
}

function ofBounds(bounds: Bounds, value: number, at: string, read: (bound: Bound) => number): readonly string[] {
  const { gt, gte, lt, lte } = bounds;
  if (gt !== undefined && !(value > read(gt))) return [`${at} must be greater than ${gt}`];
  if (gte !== undefined && !(value >= read(gte))) return [`${at} must be at least ${gte}`];
  if (lt !== undefined && !(value < read(lt))) return [`${at} must be less than ${lt}`];
  if (lte !== undefined && !(value <= read(lte))) return [`${at} must be at most ${lte}`];
  return [];
}

/** Letters of a header name, and what must not stand in one or in its value. */
const headerText = {
  HTTP_HEADER_NAME: /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/,
  HTTP_HEADER_VALUE: /^(\P{Cc}|\t)*$/u,
};

function ofText(rules: NonNullable<FieldRulesJson['string']>, value: string, at: string): readonly string[] {
  if (value === '' && rules.ignoreEmpty === true) return [];
  const bytes = Buffer.byteLength(value);
  if (value.length < Number(rules.minLen ?? 0) || bytes < Number(rules.minBytes ?? 0))
    return [`${at} must not be empty`];
  if (value.length > Number(rules.maxLen ?? Infinity) || bytes > Number(rules.maxBytes ?? Infinity))
    return [`${at} is too long`];
  if (rules.prefix !== undefined && !value.startsWith(rules.prefix)) return [`${at} must begin with ${rules.prefix}`];
  if (rules.in !== undefined && !rules.in.includes(value)) return [`${at} must be one of ${rules.in.join(', ')}`];
  const strict = headerText[rules.wellKnownRegex as keyof typeof headerText];
  const pattern = rules.strict === false ? strict && /^.*$/ : strict;
  return pattern === undefined || value === '' || pattern.test(value) ? [] : [`${at} is not fit for a header`];
}

function isForm(value: unknown): value is Form {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
