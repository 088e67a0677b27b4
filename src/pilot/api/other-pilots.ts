import type { PilotStatus } from '../../model/leased-values.js';
import { valueOf } from '../../model/stored-value.js';
import { withEither } from '../../runtime/either-signal.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { ApiContext } from './context.js';

const ANSWER_LIMIT_MS = 2000;

export interface RemotePilot {
  readonly id: string;
  /** JSON of a GET. */
  get(path: string): Promise<unknown>;
}

/** The live pilots besides this one, as they advertise themselves in the store. */
export async function otherPilots(api: ApiContext, signal: AbortSignal): Promise<readonly RemotePilot[]> {
  const { entries } = await api.store.list(api.store.keys.below('pilot'), {}, signal);
  const pilots = entries.flatMap(({ value }) => valueOf<PilotStatus>(value, ['id', 'http']) ?? []);
  return pilots
    .filter((pilot) => pilot.id !== api.live?.id)
    .map((pilot) => ({
      id: pilot.id,
      async get(path) {
        const url = `http://${pilot.http}${path}`;
        return withEither([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)], async (either) => {
          const response = await fetch(url, { signal: either });
          if (!response.ok) throw new MeshError('MESH2002', `pilot ${pilot.id} answered ${response.status} at ${url}`);
          return response.json();
        });
      },
    }));
}
