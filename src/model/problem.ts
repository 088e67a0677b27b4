import { byText } from './order.js';

/** Codes of input problems (exit 3). A code never changes its meaning, and a retired one is never used again. */
export const problemCodes = {
  MESH1001: 'YAML syntax error',
  MESH1002: 'empty input',
  MESH1003: 'unknown key',
  MESH1004: 'wrong type',
  MESH1005: 'value not allowed',
  MESH1006: 'missing key',
  MESH1007: 'unknown kind or apiVersion',
  MESH1008: 'invalid name',
  MESH1009: 'duplicate object',
  MESH1010: 'reference to something that does not exist',
  MESH1011: 'number out of range',
  MESH1012: 'port clash',
  MESH1013: 'file cannot be read',
  MESH1014: 'input too large',
  MESH1015: 'duplicate key',
  MESH1016: 'fields that exclude each other',
  MESH1017: 'not supported',
  MESH1018: 'placement impossible',
  MESH1019: 'rendered file not acceptable',
  MESH1020: 'refused by Envoy',
} as const;

export type ProblemCode = keyof typeof problemCodes;

/** A mistake of the user, as a value. All of them are shown at once, each with its place, what was found and what is allowed. */
export interface Problem {
  readonly code: ProblemCode;
  readonly severity: 'error' | 'warning';
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based. */
  readonly column?: number;
  /** Where in the document: `Service default/reviews spec.upstreams[0].proxyPort`. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** By place, then by message: the same input shows the same list. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const key = (p: Problem): string => [p.file ?? '', pad(p.line), pad(p.column), p.path, p.message].join('\u0000');
  return problems.toSorted(byText(key));
}

const pad = (n: number | undefined): string => String(n ?? 0).padStart(8, '0');
