/**
 * One watch on one stream of its own, on the bare RPC: the package's watcher resumes by the revision in the answers'
 * headers, which runs ahead of the events while etcd catches up, and so loses events when it is cut there.
 */
import type { Etcd3, IDuplexStream, IEvent, IWatchRequest, IWatchResponse } from 'etcd3';
import type { Interval } from './range.js';

export interface WatchHandlers {
  /** The endpoint has the watch; `storeRevision` is where the endpoint itself is. */
  created(storeRevision: bigint): void;
  events(events: readonly IEvent[]): void;
  /** The watch will never give anything again: its start was compacted, or the endpoint refused it. */
  cancelled(reason: string): void;
  broken(error: unknown): void;
}

type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/** Returns how to end it; no handler is called after that. */
export function openWatch(
  client: Etcd3,
  interval: Interval,
  fromRevision: bigint,
  handlers: WatchHandlers,
): () => void {
  let stream: WatchStream | undefined;
  let closed = false;
  const request: IWatchRequest = {
    create_request: {
      key: interval.start.length === 0 ? Buffer.of(0) : interval.start,
      range_end: interval.end ?? Buffer.of(0),
      start_revision: String(fromRevision),
    },
  };
  const close = (): void => {
    closed = true;
    // Ended before it is cancelled: the package takes the error of a writable stream for a failed endpoint.
    stream?.end();
    stream?.cancel();
  };
  const end = (report: () => void): void => {
    if (closed) return;
    close();
    report();
  };
  const attach = (opened: WatchStream): void => {
    stream = opened;
    opened.on('data', (response) => {
      if (closed) return;
      if (response.canceled) end(() => handlers.cancelled(reasonOf(response)));
      else if (response.created) handlers.created(BigInt(response.header.revision));
      else if (response.events.length > 0) handlers.events(response.events);
    });
    // Cancelling makes an error event of its own, so the listener stays for ever: without one the process would crash.
    opened.on('error', (error) => end(() => handlers.broken(error)));
    opened.on('end', () => end(() => handlers.broken(new Error('the watch stream ended'))));
    if (closed) close();
    else opened.write(request);
  };
  client.watchClient.watch().then(attach, (error: unknown) => end(() => handlers.broken(error)));
  return close;
}

function reasonOf(response: IWatchResponse): string {
  if (response.compact_revision !== '0') return `compacted up to ${response.compact_revision}`;
  return response.cancel_reason || 'cancelled by etcd';
}
