/**
 * Renewals of leases over one stream. To open a stream for each costs etcd several times what the renewal itself does. A stream is
 * bound to one endpoint and silent when that hangs, so each renewal has its own deadline, and a stream that was late, has ended
 * or belongs to an endpoint that is no longer the current one is followed by a new one.
 */
import type { Etcd3, ILeaseKeepAliveResponse } from 'etcd3';
import type { Clock } from '../runtime/clock.js';
import type { Connection } from './connection.js';

export interface KeepAlive {
  /** Milliseconds the lease has from now on; 0 when it is gone. One at a time. */
  renew(leaseId: string, limitMs: number): Promise<number>;
  close(): void;
}

type Stream = Awaited<ReturnType<Etcd3['leaseClient']['leaseKeepAlive']>>;

/** Of the renewal that waits on a stream. */
interface Waiting {
  resolve(answer: ILeaseKeepAliveResponse): void;
  reject(error: Error): void;
}

class Opened {
  waiting: Waiting | undefined;
  isOver = false;

  constructor(
    readonly client: Etcd3,
    readonly stream: Stream,
  ) {
    stream.on('data', (answer) => this.waiting?.resolve(answer));
    // An error that nobody listens to ends the process, also long after the last renewal.
    stream.on('error', (error) => this.#over(error));
    stream.on('end', () => this.#over(new Error('the keep-alive stream ended without an answer')));
  }

  renew(leaseId: string): Promise<ILeaseKeepAliveResponse> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.stream.write({ ID: leaseId });
    });
  }

  /** Ended, not cancelled: the package takes a cancelled stream for a failed endpoint and resets all its channels. */
  end(): void {
    this.isOver = true;
    this.stream.end();
  }

  #over(error: Error): void {
    this.isOver = true;
    this.waiting?.reject(error);
  }
}

export function openKeepAlive(connection: Connection, clock: Clock): KeepAlive {
  let opened: Opened | undefined;

  const close = (): void => {
    opened?.end();
    opened = undefined;
  };

  const streamOn = async (client: Etcd3, signal: AbortSignal): Promise<Opened> => {
    if (opened?.client === client && !opened.isOver) return opened;
    close();
    const fresh = new Opened(client, await client.leaseClient.leaseKeepAlive());
    if (signal.aborted) fresh.end();
    else opened = fresh;
    return fresh;
  };

  const renew = async (client: Etcd3, leaseId: string, limitMs: number): Promise<number> => {
    const over = new AbortController();
    const late = clock.sleep(limitMs, over.signal).then(() => {
      throw new Error(`4 DEADLINE_EXCEEDED: no answer to a keep-alive for ${limitMs} ms`);
    });
    try {
      const answer = streamOn(client, over.signal).then((stream) => stream.renew(leaseId));
      const { TTL } = await Promise.race([answer, late]);
      return Math.max(0, Number(TTL) * 1000);
    } catch (error) {
      close();
      throw error;
    } finally {
      late.catch(() => {}); // it is no longer waited for
      over.abort(new Error('the renewal is over'));
    }
  };

  return {
    renew: (leaseId, limitMs) => connection.once(limitMs, (client) => renew(client, leaseId, limitMs)),
    close,
  };
}
