import type { ApplyRequest, ApplyResponse } from '../../model/api.js';
import type { Definition, DefinitionIndex } from '../../model/definition.js';
import { selects } from '../../model/labels.js';
import { sortProblems } from '../../model/problem.js';
import { validateFiles } from '../../model/validate.js';
import { envoyValueProblems } from '../envoy-values.js';
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

/** Also the answer to `diff`, which is an apply that is not written. */
export async function apply(
  context: CommandContext,
  request: ApplyRequest,
  signal?: AbortSignal,
): Promise<ApplyResponse> {
  const options = { keys: context.store.keys, kinds: context.kinds };
  const committed = await runCommand(context, { ...request, command: 'apply', signal }, (state) =>
    decideApply(state, request, options),
  );
  return definitionAnswer(committed);
}

/** The mesh as it would be; throws what `apply` would throw. */
export function indexAfter(state: MeshState, request: ApplyRequest, options: SnapshotOptions): DefinitionIndex {
  decideApply(state, request, options);
  return readFiles(state, request, options).after;
}

function readFiles(state: MeshState, { files, namespace, prune }: ApplyRequest, { kinds }: SnapshotOptions) {
  const pruned = prune === undefined ? [] : definitionsWith(state, prune);
  const base = withoutDefinitions(state.index, pruned);
  return { pruned, ...validateFiles(files, kinds, state.index, { namespace, base }) };
}

/** Throws InvalidInput with every problem at once. */
export function decideApply(state: MeshState, request: ApplyRequest, options: SnapshotOptions): DefinitionDecision {
  const { pruned, ...files } = readFiles(state, request, options);
  const isNamed = (kind: string, ns: string | undefined, name: string): boolean =>
    files.definitions.some((d) => d.kind === kind && d.namespace === ns && d.name === name);
  const removed = pruned.filter((d) => !isNamed(d.kind, d.namespace, d.name));
  const releases = releaseConsequences(state.snapshot.releases, state.index, files.after, (ns, service) =>
    isNamed('Service', ns, service),
  );
  const values = envoyValueProblems(files.definitions);
  const problems = sortProblems([...files.problems, ...values, ...releases.problems]);
  const warnings = refuseErrors(problems, 'apply');
  const name = (d: DefinitionName): DefinitionName => ({ kind: d.kind, namespace: d.namespace, name: d.name });
  return {
    changes: [
      ...files.definitions.map((d) => changeOf(state, options.keys, name(d), d.document)),
      ...removed.map((d) => changeOf(state, options.keys, name(d), undefined)),
      ...releases.changes,
    ],
    warnings,
  };
}

function definitionsWith(state: MeshState, labels: Readonly<Record<string, string>>): readonly Definition[] {
  const all = [...state.index.values()].flatMap((ofKind) => [...ofKind.values()]);
  return all.filter((d) => selects(labels, d.labels));
}
