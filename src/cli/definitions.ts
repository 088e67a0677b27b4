/** Reads definitions as the user names them: kind word, namespace, names. */
import type { DefinitionItem, List } from '../model/api.js';
import type { AnyKind } from '../model/kind.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Session } from './session.js';

export async function fetchDefinitions(
  session: Session,
  kind: AnyKind,
  names: readonly string[],
): Promise<List<DefinitionItem>> {
  const { settings } = session;
  const list = await (await session.api()).definitions({
    kind: kind.kind,
    namespace: kind.namespaced ? (settings.allNamespaces ? 'all' : settings.namespace) : undefined,
    names,
    selector: settings.selector,
  });
  const missing = names.find((name) => !list.items.some((item) => item.name === name));
  if (missing !== undefined) throw notFound(session, kind, missing);
  return list;
}

export async function fetchDefinition(session: Session, kind: AnyKind, name: string): Promise<DefinitionItem> {
  const [item] = (await fetchDefinitions(session, kind, [name])).items;
  if (item === undefined) throw notFound(session, kind, name);
  return item;
}

function notFound(session: Session, kind: AnyKind, name: string): MeshError {
  const { settings } = session;
  const where = !kind.namespaced || settings.allNamespaces ? '' : ` in namespace ${settings.namespace}`;
  return new MeshError('MESH2005', `there is no ${kind.kind} "${name}"${where}`, {
    hint: `list what there is: mesh get ${kind.plural}${kind.namespaced ? ' -A' : ''}`,
  });
}
