import { canonicalJson } from './canonical-json.js';
import type { Document } from './definition.js';

/** One object of a revision: `before` is absent when created, `after` when deleted. */
export interface Change {
  /** Kind of a definition, or `Release`, or `NodePlan`. */
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A numbered revision: one per accepted command. Key `rev/<12 digits>`, immutable. */
export interface Revision {
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: string;
  /** The user's own words (`-m`), or empty. */
  readonly why: string;
  /** `apply`, `delete`, `rollback`, `deploy`, `gray start` … */
  readonly command: string;
  /** In the store empty for a large change, whose parts are in keys of their own. */
  readonly changes: readonly Change[];
  /** In the store, of a large change only. */
  readonly staged?: StagedParts;
}

/** Value of `rev/head`. */
export interface RevisionHead {
  readonly revision: number;
  /** Of a large change: where its parts are, until they are folded into the objects that they change. */
  readonly staged?: StagedParts;
}

/** `rev/staged/<id>/<0 … parts - 1>`, later `rev/<revision>/<0 … parts - 1>`. */
export interface StagedParts {
  readonly id: string;
  readonly parts: number;
}

/** Value of one of them. */
export interface StagedPart {
  readonly revision: number;
  readonly at: number;
  readonly changes: readonly Change[];
}

/** Value of `def/<kind>/<ns>/<name>`. */
export interface StoredDefinition {
  /** The revision that wrote it. */
  readonly revision: number;
  readonly at: number;
  readonly document: Document;
}

/** Value of `deploy/<id>`; the id is the revision. */
export interface Deployment {
  readonly id: number;
  readonly at: number;
  readonly by: string;
  readonly why: string;
  readonly nodes: readonly string[];
  readonly added: number;
  readonly removed: number;
}

export type ChangeAction = 'created' | 'configured' | 'deleted' | 'unchanged';

export function changeAction(change: Pick<Change, 'before' | 'after'>): ChangeAction {
  if (change.before === undefined) return 'created';
  if (change.after === undefined) return 'deleted';
  return canonicalJson(change.before) === canonicalJson(change.after) ? 'unchanged' : 'configured';
}
