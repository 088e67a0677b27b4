/** A snapshot with some definitions replaced by what they were before, or left out. Pure; the same again for the same arguments. */
import { type Definition, type DefinitionView, definitionKey } from '../../model/definition.js';
import type { AnyKind, Kind } from '../../model/kind.js';
import { defaultMesh, MESH_NAME, meshKind } from '../../model/mesh.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { remember, sameList } from '../translate/remember.js';

/** By the definition as the store has it, so that none is replaced any more once it says something else. */
export type Replacements = ReadonlyMap<Definition, Definition | undefined>;

export function withReplaced(snapshot: MeshSnapshot, replacements: Replacements): MeshSnapshot {
  return replacements.size === 0 ? snapshot : replaced(snapshot, replacements);
}

const replaced = remember((snapshot: MeshSnapshot, replacements: Replacements): MeshSnapshot => {
  const definitions = viewWith(snapshot.definitions, replacements);
  const mesh = definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
  return { ...snapshot, definitions, mesh };
});

/** As acknowledged at an earlier revision of the store, for as long as that is not decided. */
export const asOf: (snapshot: MeshSnapshot, storeRevision: string) => MeshSnapshot = remember(
  (snapshot: MeshSnapshot, storeRevision: string): MeshSnapshot => ({
    ...snapshot,
    storeRevision: BigInt(storeRevision),
  }),
);

const viewWith = remember((view: DefinitionView, replacements: Replacements): DefinitionView => {
  const isGone = (kind: string, namespace: string | undefined, name: string): boolean =>
    [...replacements].some(
      ([one, instead]) =>
        instead === undefined && one.kind === kind && one.namespace === namespace && one.name === name,
    );
  return {
    all<Spec>(kind: Kind<Spec>) {
      return listWith(view.all(kind), replacements) as readonly Definition<Spec>[]; // replaced by their own kind
    },
    get<Spec>(kind: Kind<Spec>, namespace: string | undefined, name: string) {
      const own = view.get(kind, namespace, name);
      if (own === undefined || !replacements.has(own)) return own;
      return replacements.get(own) as Definition<Spec> | undefined; // of its own kind
    },
    has: (kind, namespace, name) => view.has(kind, namespace, name) && !isGone(kind, namespace, name),
    names: (kind, namespace) => view.names(kind, namespace).filter((name) => !isGone(kind, namespace, name)),
  };
});

const listWith = remember((list: readonly Definition[], replacements: Replacements): readonly Definition[] => {
  if (!list.some((definition) => replacements.has(definition))) return list;
  return sameList(list.flatMap((one) => (replacements.has(one) ? (replacements.get(one) ?? []) : one)));
});

/** Those of `after` that `before` has not, or has otherwise, each with what it was. */
export function changedDefinitions(
  before: DefinitionView,
  after: DefinitionView,
  kinds: readonly AnyKind[],
): Replacements {
  const changed = new Map<Definition, Definition | undefined>();
  for (const kind of kinds) {
    const [old, now] = [before.all(kind), after.all(kind)];
    if (old === now) continue;
    const known = new Map(old.map((one) => [definitionKey(one.namespace, one.name), one]));
    for (const one of now) {
      const was = known.get(definitionKey(one.namespace, one.name));
      if (was !== one) changed.set(one, was);
    }
  }
  return changed;
}
