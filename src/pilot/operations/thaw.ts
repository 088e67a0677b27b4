/** An operator says that those who are missing are really gone. The leader then removes them, as it would have without the freeze. */
import type { ThawResponse } from '../../model/api.js';
import { type Freeze, MESH_SCOPE } from '../../model/eviction.js';
import { fullName } from '../../model/names.js';
import type { Clock } from '../../runtime/clock.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { Store } from '../../store/store.js';
import { followFacts, noFacts, type StoredFreeze } from '../eviction/facts.js';
import { freezeKey } from '../eviction/steps.js';

const MAX_ATTEMPTS = 5;

export interface ThawRequest {
  /** Without it: the mesh and all of its services. */
  readonly service?: { readonly namespace: string; readonly name: string } | undefined;
  readonly by: string;
  readonly why: string;
}

export async function thaw(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  { service, by, why }: ThawRequest,
  signal?: AbortSignal,
): Promise<ThawResponse> {
  const { keys } = store;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const { entries, storeRevision } = await store.list(keys.below('freeze'), {}, signal);
    const batch = { storeRevision, puts: entries, deletes: [], relisted: true, regressed: false };
    const on = [...followFacts(noFacts, batch, keys).freezes].filter(([, { value }]) => value.thaw === undefined);
    const wanted = service === undefined ? undefined : fullName(service.namespace, service.name);
    const chosen = on.filter(([scope]) => wanted === undefined || scope === wanted);
    const rest = on.filter((one) => !chosen.includes(one)).map(([scope]) => scope);
    const answer: ThawResponse = {
      thawed: chosen.map(([scope, { value }]) => ({ scope, since: value.since, why: value.why })),
      // Another service's freeze says nothing about this one.
      stillFrozen: rest.filter((scope) => scope === MESH_SCOPE),
    };
    if (chosen.length === 0) return answer;
    const said = { at: clock.now(), by, why };
    const result = await store.transact(
      {
        compare: chosen.map(([scope, { modRevision }]) => ({ key: freezeKey(keys, scope), modRevision })),
        put: chosen.map(([scope, stored]) => ({ key: freezeKey(keys, scope), value: thawed(stored, said) })),
        delete: [],
      },
      signal,
    );
    if (result.ok) return answer;
  }
  throw new MeshError('MESH2004', `what is frozen changed ${MAX_ATTEMPTS} times meanwhile`, {
    retryable: true,
    hint: 'look at `mesh status`, then try again',
  });
}

function thawed({ value }: StoredFreeze, said: Freeze['thaw']): string {
  return JSON.stringify({ ...value, thaw: said });
}
