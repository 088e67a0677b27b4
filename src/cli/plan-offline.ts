/** Plans from files alone: a mesh that has never run, at its first revision. */
import { type DefinitionIndex, viewOf } from '../model/definition.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import type { NodePlan } from '../model/node-plan.js';
import { hasErrors } from '../model/problem.js';
import { suggestion } from '../model/suggestion.js';
import { validateFiles } from '../model/validate.js';
import { MeshError } from '../runtime/mesh-error.js';
import { InvalidInput } from './failure.js';
import { readSources, sourceText } from './input.js';
import { loadKinds } from './kind-words.js';
import type { Session } from './session.js';

const FIRST_REVISION = 1;

export interface OfflineWorld {
  readonly index: DefinitionIndex;
  readonly plans: readonly NodePlan[];
}

export async function planOffline(
  session: Session,
  names: readonly string[],
  recursive: boolean,
  nodes: readonly string[] | undefined,
): Promise<readonly NodePlan[]> {
  return (await worldOffline(session, names, recursive, nodes)).plans;
}

/** Definitions of files that hold together, and what the nodes would run; `nodes` are the only ones to plan. */
export async function worldOffline(
  session: Session,
  names: readonly string[],
  recursive: boolean,
  nodes?: readonly string[],
): Promise<OfflineWorld> {
  const { planNodes } = await import('../planner/node-plan.js');
  const files = await readSources(names, { recursive }, session.io);
  const { namespace } = session.settings;
  const { after, problems } = validateFiles(files, await loadKinds(), new Map(), { namespace });
  if (hasErrors(problems)) throw new InvalidInput(problems, { source: sourceText(files), outcome: 'nothing written' });
  const definitions = viewOf(after);
  const unknown = nodes?.find((node) => !definitions.names('Node', undefined).includes(node));
  if (unknown !== undefined) {
    throw new MeshError('MESH2005', `there is no Node "${unknown}" in the files`, {
      hint: suggestion(unknown, definitions.names('Node', undefined)),
    });
  }
  const planned = planNodes({
    definitions,
    releases: new Map(),
    lastPlans: new Map(),
    mesh: definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh,
    revision: FIRST_REVISION,
    nodes,
  });
  if (hasErrors(planned.problems)) throw new InvalidInput(planned.problems, { outcome: 'nothing written' });
  const plans = nodes === undefined ? planned.plans : planned.plans.filter(({ node }) => nodes.includes(node));
  return { index: after, plans };
}
