/** Every change below a prefix as the server itself tells it, by one bare watch from a revision that it still has. */
import { Etcd3, type IWatchResponse } from 'etcd3';
import type { HistoryEvent } from './history.js';

const WITHIN_MS = 60_000;

export async function readHistory(address: string, prefix: string, fromRevision: bigint): Promise<HistoryEvent[]> {
  const client = new Etcd3({
    hosts: [`http://${address}`],
    grpcOptions: { 'grpc.max_receive_message_length': -1 },
  });
  try {
    // Comes last, by the store's own order: what was seen until then is all.
    const { header } = await client.put('end-of-history').value('');
    const events = await follow(client, fromRevision, BigInt(header.revision));
    return events.filter(({ key }) => key.startsWith(prefix));
  } finally {
    client.close();
  }
}

/** All keys, since revisions arrive in order within one watch only. */
async function follow(client: Etcd3, fromRevision: bigint, toRevision: bigint): Promise<HistoryEvent[]> {
  const stream = await client.watchClient.watch();
  const events: HistoryEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the history has no end within ${WITHIN_MS} ms`)), WITHIN_MS);
      stream.on('data', (response: IWatchResponse) => {
        if (response.canceled) reject(new Error(`no history from ${fromRevision}: ${response.cancel_reason}`));
        for (const { type, kv } of response.events) {
          const value = type === 'Delete' ? undefined : kv.value.toString();
          events.push({ storeRevision: BigInt(kv.mod_revision), key: kv.key.toString(), value });
        }
        if ((events.at(-1)?.storeRevision ?? 0n) >= toRevision) resolve();
      });
      stream.on('error', reject);
      const everything = { key: Buffer.of(0), range_end: Buffer.of(0) };
      stream.write({ create_request: { ...everything, start_revision: String(fromRevision) } });
    });
  } finally {
    clearTimeout(timer);
    stream.end();
    stream.cancel();
  }
  return events;
}
