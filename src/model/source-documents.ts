/** YAML text to plain values. Every value keeps the way back to its line and column. */
import { isMap, isScalar, isSeq, LineCounter, type Pair, parseAllDocuments, visit, type Node as YamlNode } from 'yaml';
import type { Origin } from './definition.js';
import type { Problem } from './problem.js';
import { camelCase } from './schema-path.js';

const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 32;
const MAX_ALIASES = 100;

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

/** One YAML document as plain values, with the way back to its text. */
export interface SourceDocument {
  readonly value: unknown;
  readonly origin: Origin;
}

/** The documents of a file; those with YAML errors become problems. */
export function readDocuments(file: SourceFile, problems: Problem[]): SourceDocument[] {
  if (Buffer.byteLength(file.text) > MAX_BYTES) {
    problems.push({
      code: 'MESH1014',
      severity: 'error',
      file: file.name,
      line: 1,
      column: 1,
      path: '',
      message: `the file has more than ${MAX_BYTES} bytes`,
      hint: 'split it',
    });
    return [];
  }
  const lines = new LineCounter();
  // Duplicate keys are found below: the parser's own check is quadratic in the keys of a map.
  const documents = parseAllDocuments(file.text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  const result: SourceDocument[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    const errors = [...document.errors, ...document.warnings];
    for (const error of errors) {
      const at = lines.linePos(error.pos[0]);
      problems.push({
        code: 'MESH1001',
        severity: 'error',
        file: file.name,
        line: at.line,
        column: at.col,
        path: '',
        message: error.message,
        hint: yamlHint(error.code),
      });
    }
    const { contents } = document;
    // Files written for kubectl often end with a separator: nothing comes after it, and nothing is wrong with that.
    if (errors.length > 0 || contents === null || (isScalar(contents) && contents.value === null)) continue;
    const root = contents as YamlNode;
    const origin: Origin = { file: file.name, locate: (path, which) => locate(root, path, which, lines) };
    if (!checkStructure(root, file.name, lines, problems)) continue;
    try {
      result.push({ value: document.toJS({ maxAliasCount: MAX_ALIASES }), origin });
    } catch (error) {
      // The only failure left: aliases that multiply, or one without an anchor.
      problems.push({
        code: 'MESH1014',
        severity: 'error',
        file: file.name,
        ...locate(root, [], 'value', lines),
        path: '',
        message: (error as Error).message,
        hint: `write the values out; at most ${MAX_ALIASES} aliases are resolved`,
      });
    }
  }
  return result;
}

function yamlHint(code: string): string {
  return code === 'TAB_AS_INDENT' ? 'indent with spaces' : 'check the indentation and the quotes around this place';
}

/** Duplicate keys and excessive depth, which would otherwise be lost in the conversion to plain values. */
function checkStructure(root: YamlNode, file: string, lines: LineCounter, problems: Problem[]): boolean {
  const before = problems.length;
  visit(root, {
    Map(_key, map, path) {
      if (path.length > MAX_DEPTH * 2) {
        const at = lines.linePos(map.range?.[0] ?? 0);
        problems.push({
          code: 'MESH1014',
          severity: 'error',
          file,
          line: at.line,
          column: at.col,
          path: '',
          message: `nested deeper than ${MAX_DEPTH}`,
        });
        return visit.BREAK;
      }
      const keys = new Set<unknown>();
      for (const { key } of map.items as Pair<YamlNode>[]) {
        const name = isScalar(key) ? key.value : undefined;
        if (keys.has(name)) {
          const at = lines.linePos(key.range?.[0] ?? 0);
          problems.push({
            code: 'MESH1015',
            severity: 'error',
            file,
            line: at.line,
            column: at.col,
            path: String(name),
            message: `key "${String(name)}" stands twice in the same map`,
            hint: 'keep one of them',
          });
        }
        keys.add(name);
      }
      return undefined;
    },
  });
  return problems.length === before;
}

/** The node at a path, or the nearest parent that exists. */
function locate(
  root: YamlNode,
  path: readonly PropertyKey[],
  which: 'key' | 'value',
  lines: LineCounter,
): { line: number; column: number } {
  let node: YamlNode = root;
  for (const [i, part] of path.entries()) {
    const last = i === path.length - 1;
    if (isMap(node)) {
      const pair = (node.items as Pair<YamlNode, YamlNode | null>[]).find(
        ({ key }) => isScalar(key) && [String(key.value), camelCase(String(key.value))].includes(String(part)),
      );
      if (pair === undefined) break;
      node = (last && which === 'key') || pair.value === null ? pair.key : pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)] as YamlNode | undefined;
      if (item === undefined) break;
      node = item;
    } else break;
  }
  const at = lines.linePos(node.range?.[0] ?? 0);
  return { line: at.line, column: at.col };
}
