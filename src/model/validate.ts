/** Files to definitions that hold together with those that are there already, or all problems of both sorts at once. */
import { checkDefinitions } from './check.js';
import { type Definition, type DefinitionIndex, definitionKey, editIndex } from './definition.js';
import type { AnyKind } from './kind.js';
import { type ParseOptions, type ParseResult, parseDefinitions } from './parse.js';
import { hasErrors, type Problem, sortProblems } from './problem.js';
import { readDocuments, type SourceFile } from './source-documents.js';

export interface ValidateOptions extends ParseOptions {
  /** What the files are laid over, where that is less than `before` because some of it goes with the same command. */
  readonly base?: DefinitionIndex;
}

export interface ValidateResult {
  /** Those of the files that could be read, in their order. */
  readonly definitions: readonly Definition[];
  /** With the files laid over it. */
  readonly after: DefinitionIndex;
  readonly problems: readonly Problem[];
}

export function validateFiles(
  files: readonly SourceFile[],
  kinds: readonly AnyKind[],
  before: DefinitionIndex,
  options: ValidateOptions = {},
): ValidateResult {
  const parsed = parseDefinitions(files, kinds, options);
  const after = overlay(options.base ?? before, parsed.definitions);
  const references = checkDefinitions(before, after, kinds);
  const relevant = hasErrors(parsed.problems) ? withoutConsequences(references, parsed, files) : references;
  return { definitions: parsed.definitions, after, problems: sortProblems([...parsed.problems, ...relevant]) };
}

export function overlay(before: DefinitionIndex, definitions: readonly Definition[]): DefinitionIndex {
  return editIndex(before, definitions, (ofKind, definition) => {
    ofKind.set(definitionKey(definition.namespace, definition.name), definition);
  });
}

/**
 * A document that could not be read leaves the references to it dangling. Those follow from the first mistake and would hide
 * the others in noise: a file with three mistakes shows three.
 */
function withoutConsequences(
  problems: readonly Problem[],
  parsed: ParseResult,
  files: readonly SourceFile[],
): Problem[] {
  const isTextUnreadable = parsed.problems.some((problem) => problem.code === 'MESH1001');
  const identities = new Set(parsed.definitions.map((definition) => identityOf(definition.document)));
  const lost = files
    .flatMap((file) => readDocuments(file, []))
    .filter(({ value }) => !identities.has(identityOf(value)))
    .flatMap(({ value }) => namesIn(value));
  return problems.filter(({ code, message }) => {
    if (code !== 'MESH1010') return true;
    return !isTextUnreadable && !quotedIn(message).some((word) => lost.includes(word));
  });
}

function identityOf(value: unknown): string {
  const { kind, metadata } = (value ?? {}) as {
    kind?: unknown;
    metadata?: { name?: unknown; namespace?: unknown } | null;
  };
  return JSON.stringify([kind, metadata?.namespace, metadata?.name]);
}

/** What others could refer to in a document, of whatever shape it is: its name and its version. */
function namesIn(value: unknown): readonly unknown[] {
  const { metadata, spec } = (value ?? {}) as {
    metadata?: { name?: unknown } | null;
    spec?: { version?: unknown } | null;
  };
  return [metadata?.name, spec?.version];
}

function quotedIn(message: string): readonly string[] {
  return [...message.matchAll(/"([^"]*)"/g)].map((match) => match[1] as string);
}
