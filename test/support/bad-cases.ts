/** Broken files out of right ones: the cases of fixtures/bad-cases, and the mistakes that can be made at every field. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Document, isCollection, isMap, isScalar, isSeq, parseAllDocuments, parseDocument } from 'yaml';
import { allKinds } from '../../src/dsl/kinds.js';
import { keysAt } from '../../src/model/schema-path.js';

const folder = path.resolve(import.meta.dirname, '../../fixtures/bad-cases');

export const badWorld = path.join(folder, 'world.yaml');

export interface BadCase {
  /** `spec.http[0].timeout: never` */
  readonly title: string;
  readonly text: string;
}

export interface BadKind {
  readonly name: string;
  readonly good: string;
  readonly cases: readonly BadCase[];
}

export function badKinds(): readonly BadKind[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml') && name !== 'world.yaml');
  return files.map((file) => {
    const [good, mistakes] = parseAllDocuments(readFileSync(path.join(folder, file), 'utf8')) as Document[];
    if (good === undefined || mistakes === undefined) throw new Error(`${file} has no cases`);
    good.commentBefore = null;
    const text = good.toString();
    const told = (mistakes.toJS() as Record<string, unknown>[]).map((edits) => caseOf(text, edits));
    return { name: file.replace('.yaml', ''), good: text, cases: [...told, ...everywhere(text)] };
  });
}

function caseOf(text: string, edits: Readonly<Record<string, unknown>>): BadCase {
  const document = parseDocument(text);
  for (const [at, value] of Object.entries(edits)) {
    if (value === null) document.deleteIn(pathOf(at));
    else document.setIn(pathOf(at), document.createNode(value, { flow: true }));
  }
  const title = Object.entries(edits).map(([at, value]) =>
    value === null ? `without ${at}` : `${at}: ${JSON.stringify(value)}`,
  );
  return { title: title.join(', '), text: document.toString() };
}

type Path = readonly (string | number)[];

function pathOf(at: string): Path {
  return at.split(/[.[]/).map((part) => (part.endsWith(']') ? Number(part.slice(0, -1)) : part));
}

/** At every field of spec: a value of another type, and in every map a key that is misspelt. */
function everywhere(text: string): readonly BadCase[] {
  const document = parseDocument(text);
  return fields(document, ['spec']).flatMap((at) => {
    const node = document.getIn(at, true);
    const value = wrongType(node);
    return [...(value === undefined ? [] : [caseOf(text, { [nameOf(at)]: value })]), ...misspelt(text, at)];
  });
}

function fields(document: Document, at: Path): readonly Path[] {
  const node = document.getIn(at, true);
  if (!isCollection(node)) return [at];
  const keys: readonly (string | number)[] = isSeq(node)
    ? node.items.slice(0, 1).map((_, i) => i)
    : isMap(node)
      ? node.items.map(({ key }) => (isScalar(key) ? String(key.value) : String(key)))
      : [];
  return [at, ...keys.flatMap((key) => fields(document, [...at, key]))];
}

function wrongType(node: unknown): unknown {
  if (isMap(node)) return ['a', 'list'];
  if (isSeq(node)) return 7;
  const value = isScalar(node) ? node.value : undefined;
  if (typeof value === 'string') return { a: 'map' };
  return typeof value === 'boolean' ? 'perhaps' : 'many';
}

/** Not in a map whose keys are the user's own. */
function misspelt(text: string, at: Path): readonly BadCase[] {
  const document = parseDocument(text);
  const kind = allKinds.find((one) => one.kind === document.get('kind'));
  const [key] = kind === undefined ? [] : keysAt(kind.schema, at.slice(1));
  const isFields = isMap(document.getIn(at, true)) && key !== undefined;
  return isFields ? [caseOf(text, { [nameOf([...at, `${key}x`])]: 1 })] : [];
}

function nameOf(at: Path): string {
  return at.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
