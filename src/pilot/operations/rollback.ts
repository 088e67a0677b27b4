import type { ApplyResponse, RollbackRequest } from '../../model/api.js';
import { checkDefinitions } from '../../model/check.js';
import { type Definition, type Document, describeDefinition } from '../../model/definition.js';
import type { AnyKind } from '../../model/kind.js';
import type { Problem } from '../../model/problem.js';
import { type Change, changeAction, type Revision, type StoredDefinition } from '../../model/revision.js';
import { overlay } from '../../model/validate.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { PLAN_KIND, RELEASE_KIND } from '../changes.js';
import type { MeshState } from '../mesh-state.js';
import { type CommandContext, runCommand } from '../revisions.js';
import type { SnapshotOptions } from '../snapshot.js';
import { readDefinition } from '../stored-values.js';
import {
  changeOf,
  type DefinitionDecision,
  type DefinitionName,
  definitionAnswer,
  withoutDefinitions,
} from './definition-changes.js';
import { kindOf, namespaceFor } from './delete.js';
import { revisionsSince } from './history.js';
import { refuseErrors } from './invalid-input.js';
import { releaseConsequences } from './standing-releases.js';

/** Definitions only: gray releases and deployments have their own ways back. */
export async function rollback(
  context: CommandContext,
  request: RollbackRequest,
  signal?: AbortSignal,
): Promise<ApplyResponse> {
  const { store, kinds } = context;
  const options = { keys: store.keys, kinds };
  const since = await revisionsSince(store, request.toRevision, signal);
  const command = { ...request, command: `rollback to ${request.toRevision}`, signal };
  // Pinned to the revision that the undone ones lead up to: a command in between would be undone unseen.
  const expectRevision = since[0]?.revision;
  const committed = await runCommand(
    context,
    { ...command, ...(expectRevision === undefined ? {} : { expectRevision }) },
    (state) => decideRollback(state, request, since, options),
  );
  return definitionAnswer(committed);
}

/** `since` are all revisions after the one to go back to, newest first. */
export function decideRollback(
  state: MeshState,
  request: RollbackRequest,
  since: readonly Revision[],
  options: SnapshotOptions,
): DefinitionDecision {
  const present = state.snapshot.revision;
  if (request.toRevision > present) {
    throw new MeshError('MESH2005', `revision ${request.toRevision} does not exist, the newest is ${present}`, {
      hint: 'see `mesh history`',
    });
  }
  const only = request.object === undefined ? undefined : nameOf(options.kinds, request.object);
  const targets = [...documentsBefore(since).values()].filter(
    ({ name }) => only === undefined || describeDefinition(name) === describeDefinition(only),
  );
  if (only !== undefined && targets.length === 0 && !state.stored.has(keyOf(options, only))) {
    throw new MeshError('MESH2005', `${describeDefinition(only)} does not exist, and did not at ${request.toRevision}`);
  }
  const changes = targets
    .map(({ name, document }) => changeOf(state, options.keys, name, document))
    .filter((change) => changeAction(change) !== 'unchanged');
  const { after, problems } = indexWith(state, changes, options.kinds);
  const releases = releaseConsequences(state.snapshot.releases, state.index, after, () => false);
  const found = [...problems, ...checkDefinitions(state.index, after, options.kinds), ...releases.problems];
  const warnings = refuseErrors(found, `rollback to ${request.toRevision}`);
  return { changes: [...changes, ...releases.changes], warnings };
}

interface Target {
  readonly name: DefinitionName;
  readonly document: Document | undefined;
}

/** What each definition that changed since was before: the oldest change of it has the last word. */
function documentsBefore(since: readonly Revision[]): ReadonlyMap<string, Target> {
  const targets = new Map<string, Target>();
  for (const change of since.flatMap((revision) => revision.changes)) {
    if (change.kind === RELEASE_KIND || change.kind === PLAN_KIND) continue;
    const name = { kind: change.kind, namespace: change.namespace, name: change.name };
    // A change of a definition is made from documents only (definition-changes.ts).
    targets.set(describeDefinition(name), { name, document: change.before as Document | undefined });
  }
  return targets;
}

function indexWith(state: MeshState, changes: readonly Change[], kinds: readonly AnyKind[]) {
  const problems: Problem[] = [];
  const definitions: Definition[] = [];
  const gone: DefinitionName[] = [];
  for (const change of changes) {
    const name = { kind: change.kind, namespace: change.namespace, name: change.name };
    if (change.after === undefined) {
      gone.push(name);
      continue;
    }
    const stored: StoredDefinition = { revision: 0, at: 0, document: change.after as Document };
    const read = readDefinition(JSON.stringify(stored), change.namespace, kinds);
    if ('value' in read) definitions.push(read.value.definition);
    else problems.push({ code: 'MESH1017', severity: 'error', path: describeDefinition(name), message: read.wrong });
  }
  return { after: overlay(withoutDefinitions(state.index, gone), definitions), problems };
}

function nameOf(kinds: readonly AnyKind[], object: NonNullable<RollbackRequest['object']>): DefinitionName {
  const kind = kindOf(kinds, object.kind);
  return { kind: kind.kind, namespace: namespaceFor(kind, object.namespace), name: object.name };
}

function keyOf(options: SnapshotOptions, { kind, namespace, name }: DefinitionName): string {
  return options.keys.def(kind, namespace, name);
}
