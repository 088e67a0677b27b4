import type { AckWaitResponse } from '../../model/api.js';
import { documentDigest } from '../quarantine/document-digest.js';
import { refusedDefinition } from '../quarantine/refused-definition.js';
import { readDefinition, readRefusal } from '../stored-values.js';
import { waitForAcks, withAckFeed } from '../wait-for-acks.js';
import type { ApiContext } from './context.js';

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
    return { ...answer, refused: await refusedInStore(api, signal) };
  }
  const feed = {
    entries: () => live.mirror.entries.values(),
    onChange: (listener: () => void) => live.onChange(listener),
  };
  const answer = await waitForAcks(feed, keys, storeRevision, timeoutMs, clock, signal);
  return { ...answer, refused: live.refusals().map(refusedDefinition) };
}

async function refusedInStore({ store, kinds }: ApiContext, signal: AbortSignal): Promise<AckWaitResponse['refused']> {
  const { keys } = store;
  const { entries } = await store.list([keys.below('quarantine'), keys.below('def')], {}, signal);
  const values = new Map(entries.map(({ key, value }) => [key, value]));
  const refusals = entries.flatMap(({ key, value }) =>
    keys.parse(key)?.kind === 'quarantine' ? (readRefusal(value) ?? []) : [],
  );
  const standing = refusals.filter(({ kind, namespace, name, digest }) => {
    const read = readDefinition(values.get(keys.def(kind, namespace, name)) ?? '', namespace, kinds);
    return 'value' in read && documentDigest(read.value.definition) === digest;
  });
  return standing.map(refusedDefinition);
}
