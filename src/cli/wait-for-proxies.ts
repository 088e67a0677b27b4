import type { Change } from '../model/revision.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Api } from './api-client.js';
import type { Session } from './session.js';

/**
 * Until every live pilot says that its proxies have acknowledged the store revision, at most --timeout. Throws MESH2018 when one of
 * them refused what came of `applied`.
 */
export async function waitForProxies(
  session: Session,
  api: Api,
  storeRevision: string | undefined,
  applied: readonly Pick<Change, 'kind' | 'namespace' | 'name'>[] = [],
): Promise<void> {
  if (storeRevision === undefined) return;
  session.say('Waiting until every proxy has acknowledged it …');
  const { acked, laggards, refused } = await api.acks(storeRevision, session.settings.timeoutMs);
  const [first] = refused.filter((one) =>
    applied.some(({ kind, namespace, name }) => {
      return kind === one.kind && namespace === one.namespace && name === one.name;
    }),
  );
  if (first !== undefined) {
    throw new MeshError('MESH2018', `${first.kind} ${first.name}: ${first.message}`, { hint: first.hint });
  }
  if (acked) return;
  throw new MeshError('MESH2003', `not yet acknowledged by ${laggards.join(', ') || 'every proxy'}`, {
    hint: 'it is written and will reach them; see `mesh proxy status`',
  });
}
