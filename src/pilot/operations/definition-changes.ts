/** Definitions as they will be, as changes of what is stored. */
import type { ApplyResponse, ChangeSummary } from '../../model/api.js';
import { type DefinitionIndex, type Document, definitionKey, editIndex } from '../../model/definition.js';
import type { Problem } from '../../model/problem.js';
import { type Change, changeAction } from '../../model/revision.js';
import type { Keys } from '../../store/keys.js';
import type { MeshState } from '../mesh-state.js';
import type { Committed, Decision } from '../revisions.js';

export interface DefinitionName {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface DefinitionDecision extends Decision {
  readonly warnings: readonly Problem[];
}

export function changeOf(
  state: MeshState,
  keys: Keys,
  { kind, namespace, name }: DefinitionName,
  after: Document | undefined,
): Change {
  const before = state.stored.get(keys.def(kind, namespace, name))?.document;
  return {
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

export function withoutDefinitions(index: DefinitionIndex, names: readonly DefinitionName[]): DefinitionIndex {
  return editIndex(index, names, (ofKind, { namespace, name }) => {
    ofKind.delete(definitionKey(namespace, name));
  });
}

export function definitionAnswer(committed: Committed<DefinitionDecision>): ApplyResponse {
  const { decision, revision, storeRevision } = committed;
  return {
    revision,
    changes: decision.changes.map(summaryOf),
    warnings: decision.warnings,
    ...(storeRevision === undefined ? {} : { storeRevision: String(storeRevision) }),
  };
}

export function summaryOf(change: Change): ChangeSummary {
  return { ...change, action: changeAction(change) };
}
