/** Which key a change of a revision is about, and what is written there. */
import type { Document } from '../model/definition.js';
import type { Change, StoredDefinition } from '../model/revision.js';
import type { Keys } from '../store/keys.js';

export const RELEASE_KIND = 'Release';
export const PLAN_KIND = 'NodePlan';

/** Of the revision that will be written if the decision stands. */
export interface NextRevision {
  readonly revision: number;
  readonly at: number;
}

export function changeKey(keys: Keys, change: Pick<Change, 'kind' | 'namespace' | 'name'>): string {
  switch (change.kind) {
    case RELEASE_KIND:
      return keys.release(change.namespace ?? '', change.name);
    case PLAN_KIND:
      return keys.plan(change.name);
    default:
      return keys.def(change.kind, change.namespace, change.name);
  }
}

/** Undefined when the object is deleted. */
export function changeValue(change: Change, next: NextRevision): string | undefined {
  if (change.after === undefined) return undefined;
  if (change.kind === RELEASE_KIND || change.kind === PLAN_KIND) return JSON.stringify(change.after);
  const stored: StoredDefinition = {
    revision: next.revision,
    at: next.at,
    // A change of a definition is made from documents only (see operations/definition-changes.ts).
    document: change.after as Document,
  };
  return JSON.stringify(stored);
}
