import type { z } from 'zod';
import type { Definition, DefinitionView } from './definition.js';
import type { ProblemCode } from './problem.js';

/** Reports a problem at a path inside the definition that is being checked. */
export type Report = (problem: {
  code: ProblemCode;
  path: readonly PropertyKey[];
  message: string;
  hint?: string;
  severity?: 'error' | 'warning';
}) => void;

/** One row of the table of kinds: all that the rest of the house needs to know of it. */
export interface Kind<Spec> {
  readonly kind: string;
  /** Lower-case plural, as in `mesh get services`. */
  readonly plural: string;
  readonly aliases: readonly string[];
  /** The first is the one that examples use. */
  readonly apiVersions: readonly string[];
  readonly namespaced: boolean;
  /** One sentence, shown by `mesh kinds` and `mesh explain`. */
  readonly summary: string;
  /** Shape, types, defaults of `spec`; strict: an unknown key is a problem. */
  readonly schema: z.ZodType<Spec>;
  /** Columns of `mesh get`, after NAMESPACE and NAME. */
  readonly columns: readonly Column<Spec>[];
  /** Kinds that it has replaced. */
  readonly formerly?: readonly RetiredKind[];
  /** What one definition must hold by itself and against the others. */
  check?(definition: Definition<Spec>, view: DefinitionView, report: Report): void;
}

/** A kind that is refused, with what to write instead. */
export interface RetiredKind {
  readonly kind: string;
  readonly apiVersion: string;
  modern(spec: unknown, name: string): Modern;
}

export interface Modern {
  readonly documents: readonly object[];
  /** Paths of fields that are not carried over. */
  readonly lost: readonly string[];
  readonly note?: string;
}

export interface Column<Spec> {
  readonly header: string;
  readonly wide?: boolean;
  value(definition: Definition<Spec>): string;
}

/** A row whose Spec is no longer known statically: methods are bivariant, so every Kind<Spec> is one. */
export type AnyKind = Kind<unknown>;

/** Keeps the literal types of a row and erases nothing. */
export function defineKind<Spec>(kind: Kind<Spec>): Kind<Spec> {
  return kind;
}

/** By kind, plural or alias, without regard to case. */
export function findKind(kinds: readonly AnyKind[], word: string): AnyKind | undefined {
  const wanted = word.toLowerCase();
  return kinds.find((k) => k.kind.toLowerCase() === wanted || k.plural === wanted || k.aliases.includes(wanted));
}

/** Its documents are proto3 JSON, whose fields have two spellings. */
export function isIstioKind({ apiVersions }: AnyKind): boolean {
  return apiVersions.some((version) => version.includes('.istio.io/'));
}
