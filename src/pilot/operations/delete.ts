import type { ApplyResponse, DeleteRequest } from '../../model/api.js';
import { checkDefinitions } from '../../model/check.js';
import { definitionKey, describeDefinition } from '../../model/definition.js';
import { type AnyKind, findKind } from '../../model/kind.js';
import { DEFAULT_NAMESPACE } from '../../model/names.js';
import type { Problem } from '../../model/problem.js';
import { readDocuments } from '../../model/source-documents.js';
import { suggestion } from '../../model/suggestion.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { MeshState } from '../mesh-state.js';
import { type CommandContext, runCommand } from '../revisions.js';
import type { SnapshotOptions } from '../snapshot.js';
import {
  changeOf,
  type DefinitionDecision,
  type DefinitionName,
  definitionAnswer,
  withoutDefinitions,
} from './definition-changes.js';
import { refuseErrors } from './invalid-input.js';
import { releaseConsequences } from './standing-releases.js';

export async function deleteDefinitions(
  context: CommandContext,
  request: DeleteRequest,
  signal?: AbortSignal,
): Promise<ApplyResponse> {
  const options = { keys: context.store.keys, kinds: context.kinds };
  const committed = await runCommand(context, { ...request, command: 'delete', signal }, (state) =>
    decideDelete(state, request, options),
  );
  return definitionAnswer(committed);
}

/** Throws MESH2005 with all names that do not exist, or InvalidInput with all references that would dangle. */
export function decideDelete(state: MeshState, request: DeleteRequest, options: SnapshotOptions): DefinitionDecision {
  const names = unique([...fromObjects(request, options.kinds), ...fromFiles(request, options.kinds)]);
  if (names.length === 0) {
    throw new MeshError('MESH2007', 'delete: nothing is named', { hint: 'name a kind and a name, or give files' });
  }
  const missing = names.filter((d) => !state.stored.has(options.keys.def(d.kind, d.namespace, d.name)));
  if (missing.length > 0) throw notFound(state, missing);
  const after = withoutDefinitions(state.index, names);
  const releases = releaseConsequences(state.snapshot.releases, state.index, after, () => false);
  const problems = [...checkDefinitions(state.index, after, options.kinds), ...releases.problems];
  const warnings = refuseErrors(problems, 'delete');
  return { changes: [...names.map((d) => changeOf(state, options.keys, d, undefined)), ...releases.changes], warnings };
}

function fromObjects(request: DeleteRequest, kinds: readonly AnyKind[]): readonly DefinitionName[] {
  return (request.objects ?? []).map(({ kind, namespace, name }) => {
    const row = kindOf(kinds, kind);
    return { kind: row.kind, namespace: namespaceFor(row, namespace ?? request.namespace), name };
  });
}

/** Only kind and name count: a file whose spec has become invalid can still be deleted. */
function fromFiles(request: DeleteRequest, kinds: readonly AnyKind[]): readonly DefinitionName[] {
  const problems: Problem[] = [];
  const names: DefinitionName[] = [];
  for (const { value, origin } of (request.files ?? []).flatMap((file) => readDocuments(file, problems))) {
    const { kind, metadata } = (value ?? {}) as {
      kind?: unknown;
      metadata?: { name?: unknown; namespace?: unknown } | null;
    };
    const row = typeof kind === 'string' ? findKind(kinds, kind) : undefined;
    if (row === undefined || typeof metadata?.name !== 'string') {
      const at = origin.locate(row === undefined ? ['kind'] : ['metadata', 'name'], 'value');
      const message = 'a document to delete needs a known kind and metadata.name';
      problems.push({ code: 'MESH1006', severity: 'error', file: origin.file, ...at, path: '', message });
      continue;
    }
    const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : request.namespace;
    names.push({ kind: row.kind, namespace: namespaceFor(row, namespace), name: metadata.name });
  }
  refuseErrors(problems, 'delete');
  return names;
}

export function kindOf(kinds: readonly AnyKind[], word: string): AnyKind {
  const kind = findKind(kinds, word);
  if (kind !== undefined) return kind;
  const words = kinds.map((k) => k.plural);
  throw new MeshError('MESH2005', `there is no kind "${word}"`, { hint: suggestion(word, words) });
}

export function namespaceFor(kind: AnyKind, namespace: string | undefined): string | undefined {
  return kind.namespaced ? (namespace ?? DEFAULT_NAMESPACE) : undefined;
}

function notFound(state: MeshState, missing: readonly DefinitionName[]): MeshError {
  const [first] = missing as readonly [DefinitionName, ...DefinitionName[]];
  const known = [...(state.index.get(first.kind)?.values() ?? [])].map((d) => definitionKey(d.namespace, d.name));
  const names = missing.map(describeDefinition).join(', ');
  return new MeshError('MESH2005', `${names} ${missing.length === 1 ? 'does' : 'do'} not exist`, {
    hint: suggestion(definitionKey(first.namespace, first.name), known),
  });
}

function unique(names: readonly DefinitionName[]): readonly DefinitionName[] {
  return [...new Map(names.map((d) => [describeDefinition(d), d])).values()];
}
