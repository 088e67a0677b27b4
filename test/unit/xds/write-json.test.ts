/** The library is the judge: what is written straight must be its bytes, and what it refuses must not be written. Seeded. */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resourceParts } from '../../../src/pilot/encode-resources.js';
import { translate } from '../../../src/pilot/translate/index.js';
import { encodeByLibrary } from '../../../src/xds/encode.js';
import { schemaOf } from '../../../src/xds/registry.js';
import { resourceType, resourceTypes } from '../../../src/xds/resource-types.js';
import { writeJson } from '../../../src/xds/write-json.js';
import { proxy, world } from '../../support/mesh-world.js';
import { rules, scenery, upstreams, yamlOf } from '../../support/random-rules.js';

const SEED = 20_261_127;

/** Undefined when it refuses. */
function byLibrary(message: string, json: object): Uint8Array | undefined {
  try {
    return encodeByLibrary(message, json);
  } catch {
    return undefined;
  }
}

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');

describe('JSON written straight to bytes', () => {
  test('is what the library makes of it, for what translators write', () => {
    const { definitions, endpoints } = scenery(9000);
    const sidecar = proxy(upstreams.map((upstream, i) => ({ ...upstream, listener: 30_000 + i })));
    let [all, straight] = [0, 0];
    for (const drawn of fc.sample(rules, { seed: SEED, numRuns: 4 })) {
      const resources = translate(world({ yaml: yamlOf([...definitions, ...drawn]), endpoints }), sidecar);
      for (const [short, part] of resourceParts) {
        const { message } = resourceType(short);
        for (const json of resources[part].values()) {
          const bytes = writeJson(schemaOf(message), json);
          all += 1;
          if (bytes === undefined) continue;
          straight += 1;
          expect(hex(bytes)).toBe(hex(encodeByLibrary(message, json)));
        }
      }
    }
    expect(all).toBeGreaterThan(100);
    expect(straight / all).toBe(1);
  });

  test('is whole wherever the buffer has to grow', () => {
    const message = 'envoy.config.route.v3.VirtualHost';
    for (let length = 0; length < 12; length++) {
      const json = { name: 'x'.repeat(length), domains: Array.from({ length: 1000 }, () => 'bc') };
      expect(hex(writeJson(schemaOf(message), json))).toBe(hex(encodeByLibrary(message, json)));
    }
  });

  test('is what the library makes of it, or is left to it, for anything that Envoy may be told', () => {
    const messages = [
      ...resourceTypes.map(({ message }) => message),
      'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      'envoy.extensions.filters.http.rbac.v3.RBAC',
      'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      'envoy.config.core.v3.Node',
    ];
    const drawn = fc
      .constantFrom(...messages)
      .chain((message) => fc.tuple(fc.constant(message), messageOf(schemaOf(message), 0)));
    let straight = 0;
    fc.assert(
      fc.property(drawn, ([message, json]) => {
        const bytes = writeJson(schemaOf(message), json);
        if (bytes === undefined) return;
        straight += 1;
        expect(hex(bytes)).toBe(hex(byLibrary(message, json)));
      }),
      { seed: SEED, numRuns: 1500 },
    );
    expect(straight).toBeGreaterThan(500);
  });
});

/** Some of its fields, mostly with what belongs there. */
function messageOf(schema: DescMessage, depth: number): fc.Arbitrary<object> {
  const fields = depth > 3 ? schema.fields.filter(({ message }) => message === undefined) : schema.fields;
  return fc
    .subarray([...fields], { maxLength: Math.min(4, fields.length) })
    .chain((chosen) => fc.tuple(...chosen.map((field) => entryOf(field, depth))))
    .map((entries) => Object.fromEntries(entries));
}

function entryOf(field: DescField, depth: number): fc.Arbitrary<[string, unknown]> {
  const name = fc.constantFrom(field.jsonName, field.jsonName, field.jsonName, field.name);
  return fc.tuple(name, rarely(odd, valueOf(field, depth)));
}

const rarely = (other: fc.Arbitrary<unknown>, usual: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ arbitrary: usual, weight: 60 }, { arbitrary: other, weight: 1 });

const text = fc.constantFrom('', 'a', 'x-header', 'ü', '漢字', '😀', '7', 'z'.repeat(200));
const number = fc.constantFrom(0, 1, 127, 128, 300, 65_536, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40);
const odd = fc.constantFrom(
  null,
  undefined,
  -0,
  -1,
  0.5,
  1e39,
  2 ** 60,
  Number.NaN,
  '12',
  '\ud800',
  '1s ',
  'YQ==',
  true,
  [],
  {},
  [null],
);
const duration = fc.constantFrom('0s', '1s', '0.250s', '3600s', '1.000000001s', '-1s', '1.5', '999999999999s');

function valueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === 'list') return fc.array(rarely(odd, oneOf(field, depth)), { maxLength: 3 });
  if (field.fieldKind === 'map')
    return fc.dictionary(fc.constantFrom('b', 'a', '', '10', '9', 'ä', '\ud800'), rarely(odd, oneOf(field, depth)), {
      maxKeys: 3,
    });
  return oneOf(field, depth);
}

function oneOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map(({ name }) => name), 'NO_SUCH');
  if (field.message === undefined)
    return fc
      .oneof(text, number, fc.boolean(), fc.constantFrom(0.25, '5', '05', '0', '9007199254740993'))
      .filter((value) => fits(field, value));
  const { typeName } = field.message;
  if (typeName === 'google.protobuf.Duration') return duration;
  if (typeName === 'google.protobuf.Any') return anyValue;
  if (typeName === 'google.protobuf.Struct') return fc.dictionary(text, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 });
  if (/^google\.protobuf\.(U?Int|Double|Float)/.test(typeName)) return number;
  if (typeName === 'google.protobuf.BoolValue') return fc.boolean();
  if (typeName === 'google.protobuf.StringValue') return text;
  return messageOf(field.message, depth + 1);
}

/** Roughly: what does not is an odd value then. */
function fits({ scalar }: DescField, value: unknown): boolean {
  const isText = scalar === 9 || scalar === 12 || scalar === 3 || scalar === 4;
  return typeof value === (scalar === 8 ? 'boolean' : isText ? 'string' : 'number');
}

const anyValue = fc.constantFrom(
  {},
  { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
  { '@type': 'x/envoy.extensions.filters.http.router.v3.Router', dynamicStats: false },
  { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' },
  { '@type': 'type.googleapis.com/google.protobuf.Empty' },
  { '@type': 'type.googleapis.com/no.Such' },
);
