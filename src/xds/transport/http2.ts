/**
 * The transport over node:http2. What is sent to many is written from the same memory, where grpc-js copies it for each
 * (docs/decisions/0033-xds-over-http2.md).
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { Clock } from '../../runtime/clock.js';
import { Http2Connection, TICK_MS } from './http2-connection.js';
import { limits, type Methods, type Transport } from './transport.js';

const serverOptions = {
  settings: {
    // A first message of a proxy has up to 250 KB of names: no waiting for windows.
    initialWindowSize: 1024 * 1024,
    maxConcurrentStreams: limits.callsPerConnection,
    maxHeaderListSize: 16 * 1024,
  },
  maxHeaderListPairs: 64,
  // MB, and of what waits for the peer too: what one type may have outstanding is bounded above, by its acknowledgement.
  maxSessionMemory: 1024,
};

export function http2Transport(methods: Methods, clock: Clock): Transport {
  const servers = new Set<Http2Server>();
  const connections = new Set<Http2Connection>();
  const destroyed = new AbortController();
  let isDraining = false;
  let ticking: Promise<void> | undefined;

  const connected = (session: ServerHttp2Session): void => {
    const connection = new Http2Connection(session, methods);
    connections.add(connection);
    session.on('close', () => connections.delete(connection));
    if (isDraining) connection.close();
  };
  const listenOn = async (where: ListenOptions): Promise<Http2Server> => {
    const server = createServer(serverOptions);
    server.on('session', connected);
    server.listen(where);
    await once(server, 'listening'); // rejects on `error`
    server.on('error', () => undefined); // a connection that could not be accepted, as without free files: the others go on
    servers.add(server);
    return server;
  };
  const tick = async (): Promise<void> => {
    while (!destroyed.signal.aborted) {
      await clock.sleep(TICK_MS, destroyed.signal).catch(() => undefined); // destroyed: the loop ends
      for (const connection of connections) connection.tick();
    }
  };

  return {
    async listen(address) {
      const bound = address.startsWith('unix:')
        ? await listenOn({ path: address.slice('unix:'.length) }).then(() => address)
        : await listenOnHost(address, listenOn);
      ticking ??= tick();
      return bound;
    },
    async drain() {
      isDraining = true;
      const closed = [...servers].map((server) => new Promise((resolve) => server.close(resolve)));
      for (const connection of connections) connection.close();
      await Promise.all(closed);
    },
    destroy() {
      destroyed.abort(new Error('the transport was destroyed'));
      for (const server of servers) server.close();
      for (const connection of connections) connection.destroy();
    },
  };
}

/** On all addresses of the host, as `localhost` may have two. */
async function listenOnHost(
  address: string,
  listenOn: (where: ListenOptions) => Promise<Http2Server>,
): Promise<string> {
  const end = address.lastIndexOf(':');
  const host = address.slice(0, end);
  let port = Number(address.slice(end + 1));
  const found = await lookup(host.replace(/^\[(.*)\]$/, '$1'), { all: true });
  const failures: unknown[] = [];
  for (const { address: ip } of found) {
    try {
      const server = await listenOn({ host: ip, port });
      port = (server.address() as AddressInfo).port; // of a TCP server
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === found.length) throw failures[0];
  return `${host}:${port}`;
}
