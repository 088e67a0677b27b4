/** YAML text to definitions, or to all of its problems at once. */

import { stringify } from 'yaml';
import { z } from 'zod';
import { type Definition, type Document, definitionKey, describeDefinition, type Origin } from './definition.js';
import { labelsField } from './fields.js';
import { type AnyKind, isIstioKind, type RetiredKind } from './kind.js';
import { DEFAULT_NAMESPACE, NAME_PATTERN } from './names.js';
import { type Problem, sortProblems } from './problem.js';
import { withCamelFields } from './schema-path.js';
import { readDocuments, type SourceDocument, type SourceFile } from './source-documents.js';
import { suggestion } from './suggestion.js';
import { issueProblems } from './zod-problems.js';

export interface ParseResult {
  readonly definitions: readonly Definition[];
  readonly problems: readonly Problem[];
}

export interface ParseOptions {
  /** For documents that name none. */
  readonly namespace?: string | undefined;
}

/** Every definition that could be read, and every problem of those that could not. Order of files is kept. */
export function parseDefinitions(
  files: readonly SourceFile[],
  kinds: readonly AnyKind[],
  options: ParseOptions = {},
): ParseResult {
  const problems: Problem[] = [];
  const definitions: Definition[] = [];
  const seen = new Map<string, Definition>();
  for (const file of files) {
    const before = problems.length;
    let count = 0;
    for (const source of readDocuments(file, problems)) {
      count++;
      const definition = parseDocument(source, kinds, options, problems);
      if (definition === undefined) continue;
      const key = `${definition.kind} ${definitionKey(definition.namespace, definition.name)}`;
      const first = seen.get(key);
      if (first === undefined) {
        seen.set(key, definition);
        definitions.push(definition);
      } else {
        const at = first.origin?.locate(['metadata', 'name'], 'value');
        problems.push({
          code: 'MESH1009',
          severity: 'error',
          file: file.name,
          ...source.origin.locate(['metadata', 'name'], 'value'),
          path: describeDefinition(definition),
          message: `${describeDefinition(definition)} is defined twice`,
          hint: `the first is at ${first.origin?.file}:${at?.line}:${at?.column}`,
        });
      }
    }
    if (count === 0 && problems.length === before) {
      problems.push({
        code: 'MESH1002',
        severity: 'error',
        file: file.name,
        line: 1,
        column: 1,
        path: '',
        message: 'there is no document in it',
        hint: 'a document has apiVersion, kind, metadata and spec; `mesh kinds` lists the kinds',
      });
    }
  }
  return { definitions, problems: sortProblems(problems) };
}

/** Parses a document that has passed before: from the store. Throws nothing; a document that no longer fits is undefined. */
export function parseStored(document: Document, kinds: readonly AnyKind[]): Definition | undefined {
  const problems: Problem[] = [];
  const origin: Origin = { file: '', locate: () => ({ line: 0, column: 0 }) };
  const definition = parseDocument(
    { value: document, origin },
    kinds,
    // Written by the API it has metadata; damage may have none, and is then no definition.
    { namespace: (document as Partial<Document>).metadata?.namespace },
    problems,
  );
  return definition === undefined ? undefined : { ...definition, origin: undefined };
}

const envelopeSchema = z.strictObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.strictObject({
    name: z
      .string()
      .regex(NAME_PATTERN, 'a name is 1 to 40 of a-z, 0-9 and -, beginning and ending with a letter or digit'),
    namespace: z.string().regex(NAME_PATTERN, 'a namespace is 1 to 40 of a-z, 0-9 and -').optional(),
    labels: labelsField.optional(),
    annotations: labelsField.optional(),
    creationTimestamp: z.iso.datetime().optional(),
  }),
  spec: z.unknown().optional(),
});

function parseDocument(
  source: SourceDocument,
  kinds: readonly AnyKind[],
  options: ParseOptions,
  problems: Problem[],
): Definition | undefined {
  const { origin } = source;
  const add = (found: readonly Problem[]): void => {
    problems.push(...found);
  };
  if (source.value === null || typeof source.value !== 'object' || Array.isArray(source.value)) {
    problems.push({
      code: 'MESH1004',
      severity: 'error',
      file: origin.file,
      ...origin.locate([], 'value'),
      path: '',
      message: 'a document must be a map',
      hint: 'it begins with apiVersion, kind, metadata, spec',
    });
    return undefined;
  }
  const kind = resolveKind(source, kinds, problems);
  const envelope = envelopeSchema.safeParse(source.value, { reportInput: true });
  const label = labelOf(source.value);
  if (!envelope.success)
    add(issueProblems(envelope.error.issues as z.core.$ZodIssue[], [], origin, label, envelopeSchema));
  if (kind === undefined) return undefined;
  const written = (source.value as { spec?: unknown }).spec ?? {};
  const fields = isIstioKind(kind) ? withCamelFields(kind.schema, written) : written;
  const spec = kind.schema.safeParse(fields, { reportInput: true });
  if (!spec.success) add(issueProblems(spec.error.issues as z.core.$ZodIssue[], ['spec'], origin, label, kind.schema));
  if (!envelope.success || !spec.success) return undefined;
  const document = source.value as Document;
  const { metadata } = envelope.data;
  if (!kind.namespaced && metadata.namespace !== undefined) {
    problems.push({
      code: 'MESH1003',
      severity: 'error',
      file: origin.file,
      ...origin.locate(['metadata', 'namespace'], 'key'),
      path: `${label} metadata.namespace`,
      message: `a ${kind.kind} has no namespace`,
      hint: 'remove it',
    });
    return undefined;
  }
  return {
    kind: kind.kind,
    namespace: kind.namespaced ? (metadata.namespace ?? options.namespace ?? DEFAULT_NAMESPACE) : undefined,
    name: metadata.name,
    labels: metadata.labels ?? {},
    spec: spec.data,
    document,
    origin,
  };
}

function labelOf(value: object): string {
  const { kind, metadata } = value as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } | null };
  const namespace = typeof metadata?.namespace === 'string' ? `${metadata.namespace}/` : '';
  return `${typeof kind === 'string' ? kind : 'document'} ${namespace}${typeof metadata?.name === 'string' ? metadata.name : '?'}`;
}

function resolveKind(source: SourceDocument, kinds: readonly AnyKind[], problems: Problem[]): AnyKind | undefined {
  const { kind: word, apiVersion } = source.value as { kind?: unknown; apiVersion?: unknown };
  if (typeof word !== 'string') return undefined; // the envelope says so
  const { origin } = source;
  const kind = kinds.find((k) => k.kind === word);
  if (kind === undefined) {
    const names = kinds.map((k) => k.kind);
    const retired = kinds.flatMap((k) => k.formerly ?? []).find((former) => former.kind === word);
    if (retired !== undefined) {
      problems.push(retiredProblem(retired, source));
      return undefined;
    }
    problems.push({
      code: 'MESH1007',
      severity: 'error',
      file: origin.file,
      ...origin.locate(['kind'], 'value'),
      path: 'kind',
      message: `unknown kind "${word}"`,
      hint: suggestion(word, names),
    });
    return undefined;
  }
  if (typeof apiVersion === 'string' && !kind.apiVersions.includes(apiVersion)) {
    problems.push({
      code: 'MESH1007',
      severity: 'error',
      file: origin.file,
      ...origin.locate(['apiVersion'], 'value'),
      path: 'apiVersion',
      message: `${word} has no apiVersion "${apiVersion}"`,
      hint: `write ${kind.apiVersions.join(' or ')}`,
    });
    return undefined;
  }
  return kind;
}

/** The hint is the whole text to write instead, as far as it can be known. */
function retiredProblem(retired: RetiredKind, { origin, value }: SourceDocument): Problem {
  const { metadata, spec } = value as { metadata?: { name?: unknown } | null; spec?: unknown };
  const name = typeof metadata?.name === 'string' ? metadata.name : 'name';
  const { documents, lost, note } = retired.modern(spec, name);
  const kinds = documents.map((document) => (document as Document).kind).join(' and ');
  const remarks = [
    ...(note === undefined ? [] : [`# ${note}`]),
    ...(lost.length === 0 ? [] : [`# not carried over: ${lost.join(', ')}`]),
  ];
  return {
    code: 'MESH1017',
    severity: 'error',
    file: origin.file,
    ...origin.locate(['kind'], 'value'),
    path: 'kind',
    message: `${retired.kind} was replaced by ${kinds} in 2018`,
    hint: ['write instead:', ...remarks, documents.map((document) => stringify(document)).join('---\n')]
      .join('\n')
      .trimEnd(),
  };
}
