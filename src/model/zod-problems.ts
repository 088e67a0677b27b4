/** Turns zod's issues into problems with a place, what was found and what is allowed. */
import { z } from 'zod';
import type { Origin } from './definition.js';
import { type Problem, type ProblemCode, problemCodes } from './problem.js';
import { suggestion } from './suggestion.js';

type Issue = z.core.$ZodIssue;

interface Finding {
  readonly code: ProblemCode;
  readonly path: readonly PropertyKey[];
  readonly which: 'key' | 'value';
  readonly message: string;
  readonly hint?: string;
}

export function issueProblems(
  issues: readonly Issue[],
  base: readonly PropertyKey[],
  origin: Origin,
  label: string,
  schema: z.ZodType,
): Problem[] {
  return issues
    .flatMap((issue) => findings(issue, [], schema))
    .map((found) => {
      const path = [...base, ...found.path];
      return {
        code: found.code,
        severity: 'error',
        file: origin.file,
        ...origin.locate(path, found.which),
        path: `${label} ${formatPath(path)}`,
        message: found.message,
        ...(found.hint === undefined ? {} : { hint: found.hint }),
      };
    });
}

function findings(issue: Issue, parents: readonly PropertyKey[], schema: z.ZodType): Finding[] {
  const path = [...parents, ...issue.path];
  const field = String(path.at(-1) ?? 'document');
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = keysAt(schema, path);
      return issue.keys.map((key) => ({
        code: 'MESH1003',
        path: [...path, key],
        which: 'key',
        message: `unknown key "${key}"`,
        hint: suggestion(key, allowed),
      }));
    }
    case 'invalid_type':
      if (issue.input === undefined) {
        return [
          { code: 'MESH1006', path, which: 'key', message: `"${field}" is missing`, hint: `it is a ${issue.expected}` },
        ];
      }
      return [
        {
          code: 'MESH1004',
          path,
          which: 'value',
          message: `${field} must be a ${issue.expected}, found ${show(issue.input)}`,
        },
      ];
    case 'invalid_value':
      if (issue.input === undefined) {
        return [
          {
            code: 'MESH1006',
            path,
            which: 'key',
            message: `"${field}" is missing`,
            hint: `one of ${issue.values.map(String).join(', ')}`,
          },
        ];
      }
      return [
        {
          code: 'MESH1005',
          path,
          which: 'value',
          message: `${field} must be one of ${issue.values.map(String).join(', ')}, found ${show(issue.input)}`,
          hint:
            typeof issue.input === 'string'
              ? suggestion(issue.input, issue.values.map(String))
              : `write one of ${issue.values.map(String).join(', ')}`,
        },
      ];
    case 'too_big':
      return [
        {
          code: 'MESH1011',
          path,
          which: 'value',
          message: `${field} must be ≤ ${issue.maximum}, found ${show(issue.input)}`,
          hint: `at most ${issue.maximum}`,
        },
      ];
    case 'too_small':
      return [
        {
          code: 'MESH1011',
          path,
          which: 'value',
          message: `${field} must be ≥ ${issue.minimum}, found ${show(issue.input)}`,
          hint: `at least ${issue.minimum}`,
        },
      ];
    case 'invalid_union':
      return unionFindings(issue, path, schema);
    case 'invalid_format':
    case 'custom':
      return [{ code: customCode(issue, field), path, which: 'value', message: foundMessage(issue, field) }];
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
      return [{ code: 'MESH1005', path, which: 'value', message: `${field}: ${issue.message}` }];
  }
}

/** A schema may name the code itself, as `params: { problem: 'MESH1017' }`. */
function customCode(issue: Issue, field: string): ProblemCode {
  if (issue.code === 'custom' && isProblemCode(issue.params?.['problem'])) return issue.params['problem'];
  if (field === 'name') return 'MESH1008';
  if (issue.input === undefined) return 'MESH1006';
  return isObject(issue.input) ? 'MESH1016' : 'MESH1005';
}

function isProblemCode(value: unknown): value is ProblemCode {
  return typeof value === 'string' && value in problemCodes;
}

function foundMessage(issue: Issue, field: string): string {
  // Who names the code has written the whole sentence.
  if (issue.code === 'custom' && issue.params?.['problem'] !== undefined) return issue.message;
  if (issue.input === undefined || isObject(issue.input)) return issue.message;
  return `${field} is ${show(issue.input)}: ${issue.message}`;
}

/** Of the members of a union, the one that went furthest says what is wrong; a tie lists what is allowed. */
function unionFindings(
  issue: Issue & { code: 'invalid_union' },
  path: readonly PropertyKey[],
  schema: z.ZodType,
): Finding[] {
  const field = String(path.at(-1) ?? 'document');
  const deep = issue.errors.filter((errors) =>
    errors.some(
      (e) => e.path.length > 0 || e.code === 'too_big' || e.code === 'too_small' || e.code === 'invalid_format',
    ),
  );
  const [only] = deep;
  if (deep.length === 1 && only !== undefined)
    return only.flatMap((inner) => findings({ ...inner, input: inner.input ?? issue.input } as Issue, path, schema));
  const expected = issue.errors
    .flat()
    .map((e) =>
      e.code === 'invalid_type'
        ? `a ${e.expected}`
        : e.code === 'invalid_value'
          ? e.values.map(String).join(', ')
          : e.message,
    );
  return [
    {
      code: 'MESH1004',
      path,
      which: 'value',
      message: `${field} must be ${[...new Set(expected)].join(' or ')}, found ${show(issue.input)}`,
    },
  ];
}

/** The keys that a strict object allows at a path, for the hint after an unknown one. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const part of path) {
    current = unwrap(current);
    if (current instanceof z.ZodObject) current = (current.shape as Record<string, unknown>)[String(part)];
    else if (current instanceof z.ZodArray) current = current.element;
    else if (current instanceof z.ZodRecord) current = current.valueType;
    else return [];
  }
  current = unwrap(current);
  return current instanceof z.ZodObject ? Object.keys(current.shape as object) : [];
}

function unwrap(schema: unknown): unknown {
  let current = schema;
  while (
    current instanceof z.ZodOptional ||
    current instanceof z.ZodDefault ||
    current instanceof z.ZodPrefault ||
    current instanceof z.ZodNullable
  ) {
    current = current.unwrap();
  }
  return current;
}

function isObject(value: unknown): boolean {
  return value !== null && typeof value === 'object';
}

const MAX_SHOWN = 60;

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'a map';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** `spec.rules[0].split[1].weight` */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
