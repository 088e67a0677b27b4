/** The table of kinds, loaded when a command needs it: its schemas are what costs at start. */
import { type AnyKind, findKind } from '../model/kind.js';
import { suggestion } from '../model/suggestion.js';
import { MeshError } from '../runtime/mesh-error.js';

export async function loadKinds(): Promise<readonly AnyKind[]> {
  return (await import('../dsl/kinds.js')).allKinds;
}

/** The kind that the user's word means; wrong usage with a suggestion when there is none. */
export async function kindOf(word: string): Promise<AnyKind> {
  const kinds = await loadKinds();
  const found = findKind(kinds, word);
  if (found !== undefined) return found;
  const words = kinds.flatMap((kind) => [kind.kind.toLowerCase(), kind.plural, ...kind.aliases]);
  throw new MeshError('MESH2007', `there is no kind "${word}"`, {
    hint: `${suggestion(word.toLowerCase(), words)} See \`mesh kinds\``,
  });
}
