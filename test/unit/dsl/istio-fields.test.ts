/** Every field that Istio publishes is known here: served, or refused with a reason. A new one upstream shows as a gap. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type FieldSchema, fieldsOf, refusalOf, schemaAt, specSchema } from '../../../src/cli/kind-schema.js';
import { istioKinds } from '../../../src/dsl/kinds.js';
import type { AnyKind } from '../../../src/model/kind.js';

interface Published {
  readonly group: string;
  readonly versions: readonly string[];
  /** Paths below spec; lists and maps are passed through. */
  readonly fields: readonly string[];
}

const file = new URL('../../../fixtures/conformance/istio-fields.json', import.meta.url);
const { kinds: published } = JSON.parse(readFileSync(file, 'utf8')) as { kinds: Readonly<Record<string, Published>> };

/** Fields of a kind as paths; what is refused has nothing below it. */
function pathsOf(schema: FieldSchema, above = ''): readonly string[] {
  return fieldsOf(schema).flatMap(({ name }) => {
    const path = above === '' ? name : `${above}.${name}`;
    return [path, ...pathsOf(schemaAt(schema, [name]) ?? {}, path)];
  });
}

const isRefused = (kind: AnyKind, path: string): boolean =>
  refusalOf(schemaAt(specSchema(kind), path.split('.')) ?? {}) !== undefined;

/** Below a field that is refused nothing needs to be known. */
function missing(kind: AnyKind, fields: readonly string[]): readonly string[] {
  const known = new Set(pathsOf(specSchema(kind)));
  const refused = [...known].filter((path) => isRefused(kind, path));
  // Istio lists one field in two spellings, and every field is read in both.
  const inOneSpelling = fields.map((path) => path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));
  return inOneSpelling.filter((path) => !known.has(path) && !refused.some((above) => path.startsWith(`${above}.`)));
}

/** Kinds that Istio has and we do not. */
const absentKinds: Readonly<Record<string, string>> = {
  TrafficExtension:
    'alpha since 2026: Wasm and Lua for gateways of Kubernetes; EnvoyFilter and WasmPlugin do the same here',
};

/** Hidden from Istio's published schemas, and known to its parser. */
const hiddenFields: Readonly<Record<string, readonly string[]>> = {
  // The latter is of older Istio, whose samples still have it.
  VirtualService: ['http.fault.abort.percent', 'http.websocketUpgrade'],
};

describe("Istio's published kinds", () => {
  it('are all there, or it is said why not', () => {
    const known = new Set([...istioKinds.map(({ kind }) => kind), ...Object.keys(absentKinds)]);
    expect(Object.keys(published).filter((kind) => !known.has(kind))).toEqual([]);
  });

  it.each(istioKinds.map((kind) => [kind.kind, kind] as const))(
    '%s has every field and version of it',
    (name, kind) => {
      const { group, versions, fields } = published[name] as Published;
      expect(versions.map((version) => `${group}/${version}`).filter((v) => !kind.apiVersions.includes(v))).toEqual([]);
      expect(missing(kind, fields)).toEqual([]);
    },
  );

  it.each(istioKinds.map((kind) => [kind.kind, kind] as const))(
    '%s has no field that Istio does not know',
    (name, kind) => {
      const known = new Set((published[name] as Published).fields);
      expect(pathsOf(specSchema(kind)).filter((path) => !known.has(path))).toEqual(hiddenFields[name] ?? []);
    },
  );
});
