/** Turns zod's issues into problems with a place, what was found, what is allowed, and what to do. */
import type { z } from 'zod';
import type { Origin } from './definition.js';
import { isMap, shapeHint, shapeName, show } from './found-words.js';
import { type Problem, type ProblemCode, problemCodes } from './problem.js';
import { keysAt, knownPath } from './schema-path.js';
import { suggestion } from './suggestion.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

interface Finding {
  readonly code: ProblemCode;
  readonly path: Path;
  readonly which: 'key' | 'value';
  readonly message: string;
  readonly hint: string;
}

/** What the issues are about: a part of a document, and the schema that it was held against. */
interface Subject {
  readonly base: Path;
  readonly label: string;
  readonly schema: z.ZodType;
}

export function issueProblems(
  issues: readonly Issue[],
  base: Path,
  origin: Origin,
  label: string,
  schema: z.ZodType,
): Problem[] {
  return issues
    .flatMap((issue) => findings(issue, [], { base, label, schema }))
    .map(({ code, which, message, hint, ...found }) => {
      const path = [...base, ...found.path];
      const place = { file: origin.file, ...origin.locate(path, which), path: `${label} ${formatPath(path)}` };
      return { code, severity: 'error', ...place, message, hint };
    });
}

function findings(issue: Issue, parents: Path, subject: Subject): Finding[] {
  const path = [...parents, ...issue.path];
  const field = fieldName([...subject.base, ...path]);
  const at = { path, which: issue.input === undefined ? 'key' : 'value' } as const;
  const found = show(issue.input);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = keysAt(subject.schema, path);
      return issue.keys.map((key) => ({
        code: 'MESH1003',
        path: [...path, key],
        which: 'key',
        message: `unknown key "${key}"`,
        hint: suggestion(key, allowed),
      }));
    }
    case 'invalid_type': {
      const shape = shapeName(issue.expected);
      if (issue.input === undefined) return [missing(at, field, `it is ${shape}`)];
      const message = `${field} must be ${shape}, found ${found}`;
      return [{ ...at, code: 'MESH1004', message, hint: shapeHint(issue.expected, issue.input) }];
    }
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      if (issue.input === undefined) return [missing(at, field, oneOf(allowed))];
      const message = `${field} must be ${oneOf(allowed)}, found ${found}`;
      const isTypo = typeof issue.input === 'string' && allowed.length > 1;
      const hint = isTypo ? suggestion(issue.input as string, allowed) : `write ${oneOf(allowed)}`;
      return [{ ...at, code: 'MESH1005', message, hint }];
    }
    case 'too_big':
    case 'too_small':
      return [{ ...at, code: 'MESH1011', ...sizeWords(issue, field, found) }];
    case 'invalid_union':
      return unionFindings(issue, at, subject);
    case 'invalid_key':
      return [
        {
          code: 'MESH1005',
          path,
          which: 'key',
          message: `key "${String(path.at(-1))}" is not allowed`,
          hint: issue.issues[0]?.message ?? issue.message,
        },
      ];
    case 'invalid_format':
    case 'custom':
      return [customFinding(issue, at, field, subject)];
    case 'not_multiple_of':
    case 'invalid_element':
      return [{ ...at, code: 'MESH1005', message: `${field} must not be ${found}`, hint: issue.message }];
  }
}

type At = Pick<Finding, 'path' | 'which'>;

function missing(at: At, field: string, hint: string): Finding {
  return { ...at, code: 'MESH1006', message: `"${field}" is missing`, hint };
}

function oneOf(allowed: readonly string[]): string {
  return allowed.length === 1 ? (allowed[0] as string) : `one of ${allowed.join(', ')}`;
}

function sizeWords(
  issue: Issue & { code: 'too_big' | 'too_small' },
  field: string,
  found: string,
): Pick<Finding, 'message' | 'hint'> {
  const [sign, words, limit] =
    issue.code === 'too_big' ? ['≤', 'at most', issue.maximum] : ['≥', 'at least', issue.minimum];
  const unit = { array: 'entry', string: 'character' }[issue.origin as string];
  if (unit === undefined)
    return { message: `${field} must be ${sign} ${limit}, found ${found}`, hint: `${words} ${limit}` };
  const count = Number((issue.input as { length: number }).length); // of what zod calls an array or a string
  const units = unit === 'entry' ? 'entries' : 'characters';
  return {
    message: `${field} must have ${words} ${limit} ${limit === 1 ? unit : units}, found ${count}`,
    hint: issue.code === 'too_small' ? `add ${unit === 'entry' ? 'one, or leave the key out' : 'some'}` : 'shorten it',
  };
}

/** A rule of ours, in words of ours. A schema may name the code itself, as `params: { problem: 'MESH1017' }`. */
function customFinding(
  issue: Issue & { code: 'custom' | 'invalid_format' },
  at: At,
  field: string,
  subject: Subject,
): Finding {
  const named: unknown = issue.code === 'custom' ? issue.params?.['problem'] : undefined;
  if (isProblemCode(named)) {
    const see = explain(at.path.slice(0, -1), subject);
    return { ...at, code: named, message: issue.message, hint: `leave it out; what is served: ${see}` };
  }
  if (issue.input === undefined || isMap(issue.input) || Array.isArray(issue.input)) {
    const holder = keysAt(subject.schema, at.path).length > 0 ? at.path : at.path.slice(0, -1);
    const code = issue.input === undefined ? 'MESH1006' : 'MESH1016';
    return { ...at, code, message: issue.message, hint: `see ${explain(holder, subject)}` };
  }
  const code = at.path.at(-1) === 'name' ? 'MESH1008' : 'MESH1005';
  return { ...at, code, message: `${field} must not be ${show(issue.input)}`, hint: issue.message };
}

function isProblemCode(value: unknown): value is ProblemCode {
  return typeof value === 'string' && value in problemCodes;
}

/** The command that tells what may stand at a path. */
function explain(path: Path, { base, label, schema }: Subject): string {
  const kind = (label.split(' ')[0] as string).toLowerCase();
  return `\`mesh explain ${[kind, ...base, ...knownPath(schema, path)].join('.')}\``;
}

/** Of the members of a union, the one that went furthest says what is wrong; a tie lists what is allowed. */
function unionFindings(issue: Issue & { code: 'invalid_union' }, at: At, subject: Subject): Finding[] {
  const deep = issue.errors.filter((errors) =>
    errors.some(
      (e) => e.path.length > 0 || e.code === 'too_big' || e.code === 'too_small' || e.code === 'invalid_format',
    ),
  );
  const [only] = deep;
  if (deep.length === 1 && only !== undefined)
    return only.flatMap((inner) =>
      findings({ ...inner, input: inner.input ?? issue.input } as Issue, at.path, subject),
    );
  const words = issue.errors.flat().map((e) => {
    if (e.code === 'invalid_type') return shapeName(e.expected);
    return e.code === 'invalid_value' ? e.values.map(String).join(', ') : e.message;
  });
  const expected = [...new Set(words)].join(' or ');
  const field = fieldName([...subject.base, ...at.path]);
  const message = `${field} must be ${expected}, found ${show(issue.input)}`;
  return [{ ...at, code: 'MESH1004', message, hint: `write ${expected}` }];
}

/** What a message calls the thing at a path: `weight`, `upstreams[0]`. */
function fieldName(path: Path): string {
  const start = path.findLastIndex((part) => typeof part !== 'number');
  return path.length === 0 ? 'the document' : formatPath(path.slice(Math.max(0, start)));
}

/** `spec.rules[0].split[1].weight` */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
