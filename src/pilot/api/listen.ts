/** The HTTP server around the API: listening, refusing strangers, closing with event streams open. */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { MeshError } from '../../runtime/mesh-error.js';
import { hostOf, type TrustedNetworks } from '../trusted-networks.js';
import { bodyOf } from './errors.js';

export interface HttpServer {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

export async function listenHttp(app: Hono, address: string, networks: TrustedNetworks): Promise<HttpServer> {
  const server = createAdaptorServer({
    fetch(request, env) {
      const peer = (env as HttpBindings).incoming.socket.remoteAddress ?? '';
      return networks.accepts(peer) ? app.fetch(request, env) : strangerResponse(peer);
    },
  });
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(address, error)));
    server.listen(port, hostOf(address), resolve);
  });
  // Listening on a TCP port, never on a pipe.
  const bound = server.address() as AddressInfo;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    address: `${host}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Event streams would hold it open for ever.
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function strangerResponse(peer: string): Response {
  const failure = new MeshError('MESH2016', `${peer} is not in a trusted network`, {
    hint: 'start the pilot with --trusted-network',
  });
  return Response.json(bodyOf(failure), { status: 403 });
}

function listenError(address: string, error: NodeJS.ErrnoException): MeshError {
  if (error.code === 'EADDRINUSE') {
    return new MeshError('MESH2010', `cannot listen on ${address}: another process does`, { cause: error });
  }
  return new MeshError('MESH2007', `cannot listen on ${address}: ${error.message}`, { cause: error });
}
