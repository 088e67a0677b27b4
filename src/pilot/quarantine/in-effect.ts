/** Which definitions are refused as they stand, and what holds in their place. Pure. */
import type { Definition, DefinitionView } from '../../model/definition.js';
import type { AnyKind } from '../../model/kind.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type { Refusal } from '../../model/refusal.js';
import { storedDefinition } from '../stored-values.js';
import { documentDigest } from './document-digest.js';
import { type Replacements, withReplaced } from './overlay.js';

/** A refusal is of what the definition said then. */
export function refusedIn(
  definitions: DefinitionView,
  refusals: Iterable<Refusal>,
  kinds: readonly AnyKind[],
): Map<Definition, Refusal> {
  const refused = new Map<Definition, Refusal>();
  for (const refusal of refusals) {
    const kind = kinds.find((row) => row.kind === refusal.kind);
    const definition = kind && definitions.get(kind, refusal.namespace, refusal.name);
    if (definition !== undefined && documentDigest(definition) === refusal.digest) refused.set(definition, refusal);
  }
  return refused;
}

export function replacementsFor(refused: ReadonlyMap<Definition, Refusal>, kinds: readonly AnyKind[]): Replacements {
  return new Map([...refused].map(([definition, refusal]) => [definition, insteadOf(refusal, kinds)]));
}

/** What the proxies have. */
export function inEffect(
  snapshot: MeshSnapshot,
  refused: ReadonlyMap<Definition, Refusal>,
  kinds: readonly AnyKind[],
): MeshSnapshot {
  return withReplaced(snapshot, replacementsFor(refused, kinds));
}

const insteads = new WeakMap<Refusal, Definition>();

/** The same object for the same refusal. */
function insteadOf(refusal: Refusal, kinds: readonly AnyKind[]): Definition | undefined {
  const known = insteads.get(refusal);
  if (known !== undefined || refusal.instead === undefined) return known;
  const read = storedDefinition(refusal.instead, refusal.namespace, kinds);
  if (read !== undefined) insteads.set(refusal, read); // else its kind has another shape by now
  return read;
}

/** That is known as an object already, so that what was made from it is made no second time. */
export function holdsInstead(refusal: Refusal, instead: Definition): void {
  insteads.set(refusal, instead);
}
