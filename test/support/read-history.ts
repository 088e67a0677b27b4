/** Every change as the server itself tells it, by one bare watch that never resumes. */
import { Etcd3, type IWatchResponse } from 'etcd3';
import type { HistoryEvent } from './history.js';
import { until } from './until.js';

export interface Witness {
  /** Every change of a key below the prefix up to now, at any rate. */
  below(prefix: string): Promise<HistoryEvent[]>;
  close(): void;
}

const WITHIN_MS = 60_000;

/** Of all keys from this revision on, since revisions arrive in order within one watch only. */
export async function startWitness(address: string, fromRevision: bigint): Promise<Witness> {
  const client = new Etcd3({
    hosts: [`http://${address}`],
    grpcOptions: { 'grpc.max_receive_message_length': -1 },
  });
  const events: HistoryEvent[] = [];
  let seen = 0n;
  let failure: Error | undefined;
  const stream = await client.watchClient.watch();
  stream.on('error', (error: Error) => (failure ??= error));
  stream.on('data', (response: IWatchResponse) => {
    if (response.canceled) failure ??= new Error(`no history from ${fromRevision}: ${response.compact_revision}`);
    for (const { type, kv } of response.events) {
      const value = type === 'Delete' ? undefined : kv.value.toString();
      seen = BigInt(kv.mod_revision);
      events.push({ storeRevision: seen, key: kv.key.toString(), value });
    }
  });
  const everything = { key: Buffer.of(0), range_end: Buffer.of(0) };
  stream.write({ create_request: { ...everything, start_revision: String(fromRevision) } });
  return {
    async below(prefix) {
      // A write of ours comes last, by the store's own order: what was seen until then is all.
      const { header } = await client.put('end-of-history').value('');
      await until('the whole history', () => failure !== undefined || seen >= BigInt(header.revision), WITHIN_MS);
      if (failure) throw failure;
      return events.filter(({ key }) => key.startsWith(prefix));
    },
    close() {
      stream.end();
      stream.cancel();
      client.close();
    },
  };
}

/** The same, afterwards: while it has not been compacted. */
export async function readHistory(address: string, prefix: string, fromRevision: bigint): Promise<HistoryEvent[]> {
  const witness = await startWitness(address, fromRevision);
  try {
    return await witness.below(prefix);
  } finally {
    witness.close();
  }
}
