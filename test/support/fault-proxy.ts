/** A TCP proxy that breaks things on purpose: between a client and a server, neither of which knows. */
import { connect, createServer, type Socket } from 'node:net';

export interface FaultProxy {
  /** `host:port` to connect to. */
  readonly address: string;
  /** Passes everything on. */
  heal(): void;
  /** Cuts every connection and takes no new ones. */
  drop(): void;
  /** Keeps every connection open and swallows what comes, in both directions. */
  blackHole(): void;
  /** Cuts every connection once; new ones work. */
  cut(): void;
  /** Cuts a connection after so many more bytes from the server, once. */
  cutAfter(bytesFromServer: number): void;
  readonly cuts: number;
  close(): Promise<void>;
}

type Mode = 'pass' | 'drop' | 'hole';

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const [host = '', port = ''] = target.split(':');
  const pairs = new Set<readonly [Socket, Socket]>();
  let mode: Mode = 'pass';
  let bytesLeft = Number.POSITIVE_INFINITY;
  let cuts = 0;

  const destroy = (pair: readonly [Socket, Socket]): void => {
    pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  };
  const cutAll = (): void => {
    for (const pair of pairs) destroy(pair);
  };
  const server = createServer((client) => {
    if (mode === 'drop') return void client.destroy();
    const upstream = connect(Number(port), host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.on('data', (bytes) => {
      if (mode === 'pass') upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (mode !== 'pass') return;
      if (bytes.length < bytesLeft) {
        bytesLeft -= bytes.length;
        client.write(bytes);
        return;
      }
      const last = bytes.subarray(0, bytesLeft);
      bytesLeft = Number.POSITIVE_INFINITY;
      cuts++;
      client.write(last, () => destroy(pair));
    });
    for (const socket of pair) {
      socket.on('close', () => destroy(pair));
      socket.on('error', () => destroy(pair));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: listening } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${listening}`,
    get cuts() {
      return cuts;
    },
    heal() {
      // What was swallowed is missing in the streams: they can only be given up.
      if (mode === 'hole') cutAll();
      mode = 'pass';
    },
    drop() {
      mode = 'drop';
      cutAll();
    },
    blackHole() {
      mode = 'hole';
    },
    cut: cutAll,
    cutAfter(bytesFromServer) {
      bytesLeft = bytesFromServer;
    },
    close() {
      cutAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
