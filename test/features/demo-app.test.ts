import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';

const running: Running[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((app) => app.close()));
});

const identity = { MESH_SERVICE: 'reviews', MESH_VERSION: 'v1', MESH_INSTANCE: 'reviews-v1-1', MESH_NODE: 'node-a' };

async function start(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const app = await startApp({ ...identity, PORT: '0', ...env });
  running.push(app);
  return `127.0.0.1:${app.ports[0]}`;
}

interface Body {
  readonly [field: string]: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

async function get(address: string, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`http://${address}${path}`, { headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

const post = (address: string, path: string) => fetch(`http://${address}${path}`, { method: 'POST' });

/** What comes back for these bytes until the connection ends. */
async function raw(address: string, request: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  socket.write(request);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe('the demo application', () => {
  it('says who it is and what it was asked', async () => {
    const address = await start();
    const { status, headers, body } = await get(address, '/a/b?c=d', { 'x-user': 'jason' });
    expect(status).toBe(200);
    expect(headers.get('x-backend')).toBe('reviews/v1');
    expect(headers.get('x-instance')).toBe('reviews-v1-1');
    expect(body).toMatchObject({
      service: 'reviews',
      version: 'v1',
      instance: 'reviews-v1-1',
      node: 'node-a',
      method: 'GET',
      path: '/a/b?c=d',
      protocol: 'HTTP/1.1',
    });
    expect(body.headers).toMatchObject({ host: address, 'x-user': 'jason' });
  });

  it('speaks HTTP/1.0 and then ends the connection', async () => {
    const answer = await raw(await start(), 'GET /old HTTP/1.0\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
    expect(answer).toContain('"protocol":"HTTP/1.0"');
  });

  it('takes a request in absolute form', async () => {
    const answer = await raw(
      await start(),
      'GET http://reviews:9080/abs?x=1 HTTP/1.1\r\nHost: reviews:9080\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toContain('"path":"/abs?x=1"');
  });

  it('knows a connection by its first bytes, however few come at a time', async () => {
    const [host, port] = (await start()).split(':');
    const socket = net.connect({ port: Number(port), host: host as string, noDelay: true });
    for (const part of ['P', 'OST /slow', 'ly HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n']) {
      await new Promise((resolve) => socket.write(part, resolve));
    }
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200/);
  });

  it('speaks HTTP/2 with prior knowledge on the same port', async () => {
    const session = http2.connect(`http://${await start()}`);
    const stream = session.request({ ':path': '/two', 'x-user': 'jason' });
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    session.close();
    expect(headers['x-backend']).toBe('reviews/v1');
    const body = JSON.parse(text) as Body;
    expect(body).toMatchObject({ protocol: 'HTTP/2', path: '/two' });
    expect(body.headers).toMatchObject({ 'x-user': 'jason' });
  });

  it('listens on every port that it is given', async () => {
    const app = await startApp({ ...identity, PORT: '0', PORT_ADMIN: '0' });
    running.push(app);
    expect(app.ports).toHaveLength(1); // the same number twice is one port
    await expect(startApp({ ...identity, PORT: 'http' })).rejects.toThrow('PORT is "http"');
    await expect(startApp(identity)).rejects.toThrow('PORT is not set');
  });
});

describe('what a request asks for', () => {
  it('is a status', async () => {
    const { status, headers } = await get(await start(), '/', { 'x-want-status': '503' });
    expect(status).toBe(503);
    expect(headers.get('x-backend')).toBe('reviews/v1');
  });

  it('is a delay', async () => {
    const address = await start();
    const startedMs = performance.now();
    await get(address, '/', { 'x-want-delay': '0.05' });
    expect(performance.now() - startedMs).toBeGreaterThan(45);
  });

  it('is refused when it makes no sense', async () => {
    const { status, body } = await get(await start(), '/', { 'x-want-status': 'bad' });
    expect([status, body['error']]).toEqual([400, 'status is "bad": a number from 200 to 599 is wanted']);
  });
});

describe('the admin calls', () => {
  it('make it fail until they are taken back', async () => {
    const address = await start();
    await post(address, '/admin/mode?status=500');
    expect((await get(address, '/')).status).toBe(500);
    expect((await get(address, '/healthz')).status).toBe(200);
    await post(address, '/admin/mode');
    expect((await get(address, '/')).status).toBe(200);
  });

  it('make it sick without failing a request', async () => {
    const address = await start();
    expect((await post(address, '/admin/health?ok=false')).status).toBe(200);
    expect((await get(address, '/healthz')).status).toBe(503);
    expect((await get(address, '/')).status).toBe(200);
    await post(address, '/admin/health?ok=true');
    expect((await get(address, '/healthz')).status).toBe(200);
  });

  it('want POST and a meaning', async () => {
    const address = await start();
    expect((await get(address, '/admin/mode')).status).toBe(405);
    expect((await post(address, '/admin/mode?share=lots')).status).toBe(400);
    expect((await post(address, '/admin/health?ok=perhaps')).status).toBe(400);
    expect((await post(address, '/admin/nothing')).status).toBe(404);
  });
});

describe('a call to an upstream', () => {
  it('goes to the proxy with the name of the upstream as host, and passes on what ties a request together', async () => {
    const proxy = await start({ MESH_SERVICE: 'details' });
    const caller = await start({
      MESH_PROXY: `http://${proxy}`,
      DETAILS_ADDR: proxy,
      DETAILS_URL: `http://${proxy}`,
    });
    const { status, body } = await get(caller, '/call/details/p/q?r=s', {
      'x-user': 'jason',
      'x-mesh-lane': 'blue',
      baggage: 'a=b',
      traceparent: '00-1-2-03',
      'x-other': 'stays',
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ via: proxy, status: 200, body: { service: 'details', path: '/p/q?r=s' } });
    const { headers } = body['body'] as Body;
    expect(headers).toMatchObject({
      host: 'details',
      'x-user': 'jason',
      'x-mesh-lane': 'blue',
      baggage: 'a=b',
      traceparent: '00-1-2-03',
    });
    expect(headers).not.toHaveProperty('x-other');
  });

  it('goes to direct addresses in turn', async () => {
    const [one, two] = [await start({ MESH_INSTANCE: 'one' }), await start({ MESH_INSTANCE: 'two' })];
    const caller = await start({ LEGACY_ADDR: `${one},${two}`, LEGACY_URL: `http://${one}` });
    const seen = [];
    for (const _ of [1, 2, 3]) seen.push(((await get(caller, '/call/legacy/')).body['body'] as Body)['instance']);
    expect(seen).toEqual(['one', 'two', 'one']);
  });

  it("shows the upstream's own failure as an answer", async () => {
    const upstream = await start();
    await post(upstream, '/admin/mode?status=418');
    const caller = await start({ LEGACY_ADDR: upstream, LEGACY_URL: `http://${upstream}` });
    const { status, body } = await get(caller, '/call/legacy/');
    expect([status, body['status']]).toEqual([200, 418]);
  });

  it('shows what is not JSON as text', async () => {
    const plain = http.createServer((_, response) => response.end('legacy says hello'));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const address = `127.0.0.1:${(plain.address() as net.AddressInfo).port}`;
    const caller = await start({ LEGACY_ADDR: address, LEGACY_URL: `http://${address}` });
    expect((await get(caller, '/call/legacy/')).body['body']).toBe('legacy says hello');
    plain.close();
    plain.closeAllConnections();
  });

  it('answers 502 when nobody is there, and 404 for an upstream that it was not given', async () => {
    const caller = await start({ LEGACY_ADDR: '127.0.0.1:1', LEGACY_URL: 'http://127.0.0.1:1' });
    const away = await get(caller, '/call/legacy/');
    expect([away.status, away.body['via']]).toEqual([502, '127.0.0.1:1']);
    const unknown = await get(caller, '/call/nobody/');
    expect([unknown.status, unknown.body['known']]).toEqual([404, ['LEGACY_ADDR']]);
  });
});

describe('the end of an instance', () => {
  it('lets a request in flight finish, and ends kept connections', async () => {
    const app = await startApp({ ...identity, PORT: '0' });
    const address = `127.0.0.1:${app.ports[0]}`;
    const agent = new http.Agent({ keepAlive: true });
    const request = http.get(`http://${address}/`, { agent, headers: { 'x-want-delay': '0.1' } });
    await once(request, 'finish');
    await get(address, '/healthz'); // so the slow one is in there
    const closed = app.close();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(response.headers.connection).toBe('close');
    response.resume();
    await closed;
    await expect(fetch(`http://${address}/`)).rejects.toThrow();
    agent.destroy();
  });
});
