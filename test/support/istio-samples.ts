/** Istio's samples and test configurations (fixtures/conformance/istio) as objects: file by file. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { allKinds } from '../../src/dsl/kinds.js';

export interface SampleObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface SampleFile {
  readonly name: string;
  /** Of kinds that we have. */
  readonly objects: readonly SampleObject[];
  /** Kinds of the others, with their API. */
  readonly strangers: readonly string[];
}

export const material = path.resolve(import.meta.dirname, '../../fixtures/conformance/istio');
const folders = ['bookinfo', 'traffic', 'testdata-config', 'misc-samples', 'telemetry'];

export function sampleFiles(): readonly SampleFile[] {
  return folders.flatMap((top) =>
    readdirSync(path.join(material, top), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.yaml'))
      .toSorted()
      .map((name) => sampleFile(path.join(top, name))),
  );
}

function sampleFile(name: string): SampleFile {
  const documents = parseAllDocuments(filledIn(readFileSync(path.join(material, name), 'utf8'))).map((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]?.message}`);
    return document.toJS() as SampleObject | null;
  });
  const all = documents.filter((document) => document !== null);
  return {
    name,
    objects: all.filter(isOurs),
    strangers: all.filter((one) => !isOurs(one)).map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
  };
}

function isOurs({ apiVersion, kind }: SampleObject): boolean {
  return allKinds.some((one) => one.kind === kind && one.apiVersions.includes(apiVersion));
}

/** Some are Go templates: every condition holds, and a value is its own name in lower case. */
function filledIn(template: string): string {
  return template
    .replaceAll(/^\s*\{\{-?\s*(if|else|end)\b.*\}\}\s*$/gm, '')
    .replaceAll(/\{\{-?.*?\.(\w+)[^}]*\}\}/g, (_all, name: string) => name.toLowerCase());
}
