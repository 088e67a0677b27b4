import { MeshError } from '../runtime/mesh-error.js';
import type { Api } from './api-client.js';
import type { Session } from './session.js';

/** Until every live pilot says that its proxies have acknowledged the store revision, at most --timeout. */
export async function waitForProxies(session: Session, api: Api, storeRevision: string | undefined): Promise<void> {
  if (storeRevision === undefined) return;
  session.say('Waiting until every proxy has acknowledged it …');
  const { acked, laggards } = await api.acks(storeRevision, session.settings.timeoutMs);
  if (acked) return;
  throw new MeshError('MESH2003', `not yet acknowledged by ${laggards.join(', ') || 'every proxy'}`, {
    hint: 'it is written and will reach them; see `mesh proxy status`',
  });
}
