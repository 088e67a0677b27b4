/** The agent's probes against real servers on loopback. */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { type ProbeKind, probe } from '../../src/agent/probe.js';
import { HEALTH_CHECK, healthCheck } from '../../src/xds/health.js';
import { grpcJsTransport } from '../../src/xds/transport/grpc-js.js';
import { unary } from '../../src/xds/transport/transport.js';
import { freePort } from '../support/mesh-process.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function look(what: ProbeKind, port: number, timeoutMs = 2000): Promise<string | undefined> {
  return probe({ what, host: '127.0.0.1', port, timeoutMs }, new AbortController().signal);
}

async function listening(server: HttpServer | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => void server.close());
  return (server.address() as AddressInfo).port; // a TCP server has one
}

function httpServer(status: number): Promise<number> {
  return listening(createHttpServer((_request, response) => response.writeHead(status).end('a body nobody reads')));
}

const http: ProbeKind = { kind: 'http', path: '/healthz', isOk: (status) => status >= 200 && status < 400 };

describe('an http probe', () => {
  test('takes the status for the answer', async () => {
    expect(await look(http, await httpServer(204))).toBeUndefined();
    expect(await look(http, await httpServer(302))).toBeUndefined();
    expect(await look(http, await httpServer(503))).toBe('HTTP status 503');
  });

  test('says what is wrong with a server that is not there, or hangs', async () => {
    expect(await look(http, await freePort())).toContain('ECONNREFUSED');
    const silent = await listening(createTcpServer((socket) => closers.push(() => socket.destroy())));
    expect(await look(http, silent, 50)).toBe('no answer within 50 ms');
  });
});

describe('a tcp probe', () => {
  test('is content with a connection', async () => {
    const port = await listening(createTcpServer((socket) => void socket.end()));
    expect(await look({ kind: 'tcp' }, port)).toBeUndefined();
    expect(await look({ kind: 'tcp' }, await freePort())).toContain('ECONNREFUSED');
  });
});

describe('a grpc probe', () => {
  async function grpcServer(isServing: () => boolean): Promise<number> {
    const server = grpcJsTransport(new Map([[HEALTH_CHECK, unary(healthCheck(['known'], isServing))]]));
    closers.push(() => server.destroy());
    return Number((await server.listen('127.0.0.1:0')).split(':')[1]);
  }
  const grpc: ProbeKind = { kind: 'grpc', service: '' };

  test('asks grpc.health.v1', async () => {
    const port = await grpcServer(() => true);
    expect(await look(grpc, port)).toBeUndefined();
    expect(await look({ kind: 'grpc', service: 'known' }, port)).toBeUndefined();
    expect(await look({ kind: 'grpc', service: 'unknown' }, port)).toBe('gRPC status 5');
    expect(await look(grpc, await grpcServer(() => false))).toBe('the server says NOT_SERVING');
  });

  test('says what is wrong with a server that knows no health', async () => {
    const server = new GrpcServer();
    closers.push(() => server.forceShutdown());
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, bound) => resolve(bound));
    });
    expect(await look(grpc, port)).toBe('gRPC status 12');
    expect(await look(grpc, await freePort())).toContain('ECONNREFUSED');
  });

  test('ends in time when nobody answers', async () => {
    const silent = await listening(createTcpServer((socket) => closers.push(() => socket.destroy())));
    expect(await look(grpc, silent, 50)).toBe('no answer within 50 ms');
  });
});
