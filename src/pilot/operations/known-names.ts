/** Names that a request may mention: an unknown one is a mistake to tell, not an empty answer. */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { DEFAULT_NAMESPACE, fullName } from '../../model/names.js';
import { nodeKind } from '../../model/node.js';
import { serviceKind } from '../../model/service.js';
import { suggestion } from '../../model/suggestion.js';
import { MeshError } from '../../runtime/mesh-error.js';

export function requireService({ definitions }: Pick<MeshSnapshot, 'definitions'>, namespace: string, service: string) {
  const definition = definitions.get(serviceKind, namespace, service);
  if (definition !== undefined) return definition;
  throw new MeshError('MESH2005', `Service ${fullName(namespace, service)} does not exist`, {
    hint: suggestion(service, definitions.names(serviceKind.kind, namespace)),
  });
}

/** A node whose definition was deleted is known as long as it has a plan: that is how it is emptied. */
export function requireNode({ definitions, plans }: Pick<MeshSnapshot, 'definitions' | 'plans'>, node: string): void {
  const known = new Set([...definitions.names(nodeKind.kind, undefined), ...plans.keys()]);
  if (known.has(node)) return;
  throw new MeshError('MESH2005', `Node ${node} does not exist`, { hint: suggestion(node, [...known]) });
}

/** Nothing was found there, or there is no such thing: the second is worth saying. */
export function refuseUnknown(
  snapshot: MeshSnapshot,
  query: {
    readonly service?: string | undefined;
    readonly namespace: string | undefined;
    readonly node?: string | undefined;
  },
): void {
  const { service, namespace, node } = query;
  if (node !== undefined) requireNode(snapshot, node);
  if (service === undefined) return;
  const isKnown = namespace === undefined && snapshot.definitions.all(serviceKind).some(({ name }) => name === service);
  if (!isKnown) requireService(snapshot, namespace ?? DEFAULT_NAMESPACE, service);
}
