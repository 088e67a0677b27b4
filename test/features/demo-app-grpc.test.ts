import { once } from 'node:events';
import path from 'node:path';
import { Client, credentials, type GrpcObject, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, describe, expect, it } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { healthService, NOT_SERVING, SERVING } from '../../fixtures/apps/demo-app/echo.js';

const proto = path.resolve(import.meta.dirname, '../../fixtures/apps/demo-app/echo.proto');
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const app: Running = await startApp({
    MESH_SERVICE: 'audit',
    MESH_VERSION: 'v1',
    MESH_INSTANCE: 'audit-v1-1',
    MESH_NODE: 'node-a',
    MESH_PROTOCOL: 'grpc',
    PORT: '0',
    ...env,
  });
  closers.push(() => app.close());
  return `127.0.0.1:${app.ports[0]}`;
}

interface EchoClient extends Client {
  Say(
    request: { message: string },
    metadata: Metadata,
    done: (error: { code: number } | null, reply: object) => void,
  ): { on(event: 'metadata', listener: (metadata: Metadata) => void): void };
}

/** As any other program would call it: by the .proto file. */
function echo(address: string): EchoClient {
  const { lightmesh } = loadPackageDefinition(loadSync(proto)) as { lightmesh: GrpcObject };
  const { Echo } = lightmesh['demo'] as unknown as { Echo: new (...args: unknown[]) => EchoClient };
  const client = new Echo(address, credentials.createInsecure());
  closers.push(() => client.close());
  return client;
}

interface Said {
  readonly code: number;
  readonly reply: object | undefined;
  readonly header: Metadata;
}

function say(client: EchoClient, message: string, headers: Readonly<Record<string, string>> = {}): Promise<Said> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve) => {
    let header = new Metadata();
    client
      .Say({ message }, metadata, (error, reply) => resolve({ code: error?.code ?? status.OK, reply, header }))
      .on('metadata', (received) => {
        header = received;
      });
  });
}

describe('the echo service', () => {
  it('repeats the message and says who it is', async () => {
    const { reply, header } = await say(echo(await start()), 'hello');
    expect(reply).toEqual({
      message: 'hello',
      service: 'audit',
      version: 'v1',
      instance: 'audit-v1-1',
      node: 'node-a',
    });
    expect([header.get('x-backend'), header.get('x-instance')]).toEqual([['audit/v1'], ['audit-v1-1']]);
  });

  it('fails as the request or the mode asks', async () => {
    const address = await start();
    const client = echo(address);
    expect((await say(client, 'x', { 'x-want-status': '503' })).code).toBe(status.UNAVAILABLE);
    await fetch(`http://${address}/admin/mode?status=500`, { method: 'POST' });
    expect((await say(client, 'x')).code).toBe(status.UNKNOWN);
    await fetch(`http://${address}/admin/mode`, { method: 'POST' });
    expect((await say(client, 'x')).code).toBe(status.OK);
  });

  it('is what a call to a gRPC upstream reaches', async () => {
    const upstream = await start();
    const caller = await start({
      MESH_PROTOCOL: 'http',
      MESH_PROXY: `http://${upstream}`,
      AUDIT_ADDR: upstream,
      LEDGER_ADDR: `${upstream},${upstream}`,
    });
    for (const name of ['audit', 'ledger']) {
      const response = await fetch(`http://${caller}/call/${name}/good%20day`);
      expect(await response.json()).toMatchObject({ status: 0, body: { message: 'good day', service: 'audit' } });
    }
  });
});

describe('the health service', () => {
  const check = (client: Client, service: string): Promise<number | { code: number }> =>
    new Promise((resolve) => {
      const { path: method, requestSerialize, responseDeserialize } = healthService.check;
      client.makeUnaryRequest(method, requestSerialize, responseDeserialize, { service }, (error, value) =>
        resolve(error === null ? (value as number) : { code: error.code }),
      );
    });
  const dial = (address: string): Client => {
    const client = new Client(address, credentials.createInsecure());
    closers.push(() => client.close());
    return client;
  };

  it('tells whether the instance is healthy, for the server and for the service', async () => {
    const address = await start();
    const client = dial(address);
    expect(await check(client, '')).toBe(SERVING);
    expect(await check(client, 'lightmesh.demo.Echo')).toBe(SERVING);
    expect(await check(client, 'unknown')).toEqual({ code: status.NOT_FOUND });
    await fetch(`http://${address}/admin/health?ok=false`, { method: 'POST' });
    expect(await check(client, '')).toBe(NOT_SERVING);
  });

  it('tells a watcher of each change', async () => {
    const address = await start();
    const { path: method, requestSerialize, responseDeserialize } = healthService.watch;
    const stream = dial(address).makeServerStreamRequest(method, requestSerialize, responseDeserialize, {
      service: '',
    });
    stream.once('error', () => {}); // cancelled below
    expect(await once(stream, 'data')).toEqual([SERVING]);
    const next = once(stream, 'data');
    await fetch(`http://${address}/admin/health?ok=false`, { method: 'POST' });
    expect(await next).toEqual([NOT_SERVING]);
    stream.cancel();
  });
});
