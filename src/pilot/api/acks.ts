import type { AckWaitResponse } from '../../model/api.js';
import { refusedDefinition } from '../quarantine/refused-definition.js';
import { waitForAcks, withAckFeed } from '../wait-for-acks.js';
import type { ApiContext } from './context.js';
import { readMeshView } from './mesh-view.js';

/** On the pilot's own mirror where there is one; it must itself have come to that revision to see who lags. */
export async function waitAcks(
  api: ApiContext,
  storeRevision: bigint,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AckWaitResponse> {
  const { store, clock, live } = api;
  const { keys } = store;
  if (live === undefined) {
    const answer = await withAckFeed(store, (feed) => waitForAcks(feed, keys, storeRevision, timeoutMs, clock, signal));
    const { refused } = await readMeshView(api, signal);
    return { ...answer, refused: [...refused.values()].map(refusedDefinition) };
  }
  const feed = {
    entries: () => live.mirror.entries.values(),
    onChange: (listener: () => void) => live.onChange(listener),
  };
  const answer = await waitForAcks(feed, keys, storeRevision, timeoutMs, clock, signal);
  return { ...answer, refused: live.refusals().map(refusedDefinition) };
}
