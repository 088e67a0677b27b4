/** The worlds of `fixtures/worlds`, and any other text of definitions, taken through the planner as pilot and agent do. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { allKinds } from '../../src/dsl/kinds.js';
import { type DefinitionView, type Document, indexDefinitions, viewOf } from '../../src/model/definition.js';
import { defaultMesh, MESH_NAME, type MeshSpec, meshKind } from '../../src/model/mesh.js';
import type { NodePlan } from '../../src/model/node-plan.js';
import { parseStored } from '../../src/model/parse.js';
import type { Problem } from '../../src/model/problem.js';
import { validateFiles } from '../../src/model/validate.js';
import { type PlanInput, type Planned, planNodes } from '../../src/planner/node-plan.js';

export const worldsDir = path.resolve(import.meta.dirname, '../../fixtures/worlds');

export function worldNames(): string[] {
  const entries = readdirSync(worldsDir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

export function readWorld(name: string): string {
  return readFileSync(path.join(worldsDir, name, 'world.yaml'), 'utf8');
}

export interface World {
  readonly definitions: DefinitionView;
  readonly mesh: MeshSpec;
  readonly problems: readonly Problem[];
}

export function worldOf(text: string): World {
  const { after, problems } = validateFiles([{ name: 'world.yaml', text }], allKinds, new Map());
  return { ...withMesh(viewOf(after)), problems };
}

/** As the store gives them back: without files, and so without the price of YAML. */
export function storedWorld(documents: readonly Document[]): World {
  const definitions = documents.map((document) => {
    const definition = parseStored(document, allKinds);
    if (definition === undefined) throw new Error(`no definition: ${JSON.stringify(document)}`);
    return definition;
  });
  return { ...withMesh(viewOf(indexDefinitions(definitions))), problems: [] };
}

function withMesh(definitions: DefinitionView): Pick<World, 'definitions' | 'mesh'> {
  return { definitions, mesh: definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh };
}

/** As the store gives them back: through JSON. */
export function stored(plans: readonly NodePlan[]): Map<string, NodePlan> {
  return new Map(plans.map((plan) => [plan.node, JSON.parse(JSON.stringify(plan)) as NodePlan]));
}

/** Plans the world after `last`; the revision is one more than the highest there. */
export function planWorld(
  world: World,
  last: readonly NodePlan[] = [],
  options: Partial<Omit<PlanInput, 'definitions' | 'mesh' | 'lastPlans'>> = {},
): Planned {
  const revision = Math.max(0, ...last.map((plan) => plan.revision)) + 1;
  const lastPlans = stored(last);
  return planNodes({
    definitions: world.definitions,
    mesh: world.mesh,
    releases: new Map(),
    lastPlans,
    revision,
    ...options,
  });
}
