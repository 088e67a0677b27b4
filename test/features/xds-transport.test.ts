/** The gRPC under xDS: what both transports must do, and what the one over node:http2 does with clients that are none. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { Client, type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.js';
import { framed } from '../../src/xds/transport/framing.js';
import { grpcJsTransport } from '../../src/xds/transport/grpc-js.js';
import { http2Transport } from '../../src/xds/transport/http2.js';
import { type Call, type Methods, type Transport, unary } from '../../src/xds/transport/transport.js';
import { Pieces } from '../../src/xds/wire.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { handClock } from '../support/hand-clock.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { until } from '../support/until.js';

const ECHO = '/test.Transport/Echo';
const ONCE = '/test.Transport/Once';
const same = (bytes: Buffer): Buffer => bytes;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Sends back what it gets; the test has the calls in hand. */
function echo() {
  const calls: Call[] = [];
  const received: Buffer[] = [];
  let ended = 0;
  const methods: Methods = new Map([
    [
      ECHO,
      (call: Call) => {
        calls.push(call);
        return {
          received(message: Buffer) {
            received.push(message);
            call.write(new Pieces([message.subarray(0, 10), message.subarray(10)]));
          },
          ended() {
            ended++;
            call.end();
          },
        };
      },
    ],
    [ONCE, unary((request) => Buffer.from(`${request.toString()} once`))],
  ]);
  return { methods, calls, received, ended: () => ended };
}

async function serve(create: (methods: Methods) => Transport, address = '127.0.0.1:0') {
  const { methods, ...seen } = echo();
  const transport = create(methods);
  closers.push(() => transport.destroy());
  return { ...seen, transport, address: await transport.listen(address) };
}

function client(address: string) {
  const made = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  closers.push(() => made.close());
  return made;
}

function openCall(made: Client, path = ECHO) {
  const call: ClientDuplexStream<Buffer, Buffer> = made.makeBidiStreamRequest(path, same, same);
  const messages: Buffer[] = [];
  call.on('data', (message: Buffer) => messages.push(message));
  call.on('error', () => undefined); // the status says the same
  const status = new Promise<StatusObject>((resolve) => call.on('status', resolve));
  return { call, messages, status };
}

const transports = {
  http2: (methods: Methods) => http2Transport(methods, systemClock),
  'grpc-js': (methods: Methods) => grpcJsTransport(methods),
};

describe.each(Object.entries(transports))('any transport, such as %s,', (_name, create) => {
  test('brings messages of any length both ways, in their order', async () => {
    const { address, calls } = await serve(create);
    const { call, messages, status } = openCall(client(address));
    const lengths = [0, 1, 10, 1_000, 16_379, 16_384, 70_000, 0, 3_000_000, 2];
    for (const [i, length] of lengths.entries()) call.write(Buffer.alloc(length, i));
    call.end();
    expect(await status).toMatchObject({ code: 0 });
    expect(messages.map(({ length }) => length)).toEqual(lengths);
    expect(messages.every((message, i) => message.every((byte) => byte === i))).toBe(true);
    expect(calls[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('ends a call with a status, after what was written', async () => {
    const { address, calls, ended } = await serve(create);
    const { call, messages, status } = openCall(client(address));
    call.write(Buffer.from('a'));
    await until('it is there', () => calls.length === 1);
    calls[0]?.write(new Pieces([Buffer.alloc(200_000)]));
    calls[0]?.end(14, 'go away — “now” 100%');
    calls[0]?.write(new Pieces([Buffer.from('too late')]));
    expect(await status).toMatchObject({ code: 14, details: 'go away — “now” 100%' });
    expect(messages.map(({ length }) => length)).toEqual([1, 200_000]);
    await until('the handler knows', () => ended() === 1);
  });

  test('tells once that a client has left, however it leaves', async () => {
    const { address, calls, ended } = await serve(create);
    const made = client(address);
    const [said, cancelled, cut] = [openCall(made), openCall(made), openCall(made)];
    for (const { call } of [said, cancelled, cut]) call.write(Buffer.from('here'));
    await until('all are there', () => calls.length === 3);
    said.call.end();
    await until('one has left', () => ended() === 1);
    cancelled.call.cancel();
    await until('two have left', () => ended() === 2);
    made.close();
    cut.call.cancel();
    await until('all have left', () => ended() === 3);
    for (const call of calls) call.end(13, 'heard by nobody');
    expect(ended()).toBe(3);
  });

  test('answers what it does not know, and what is too long', async () => {
    const { address } = await serve(create);
    const made = client(address);
    expect((await openCall(made, '/no.such/Method').status).code).toBe(12);
    const long = openCall(made);
    long.call.write(Buffer.alloc(4 * 1024 * 1024 + 1));
    expect((await long.status).code).toBe(8);
    const longest = openCall(made);
    longest.call.write(Buffer.alloc(4 * 1024 * 1024));
    longest.call.end();
    expect((await longest.status).code).toBe(0);
  });

  test('answers one request with one answer, and none with an error', async () => {
    const { address } = await serve(create);
    const made = client(address);
    const answer = new Promise((resolve, reject) => {
      made.makeUnaryRequest(ONCE, same, same, Buffer.from('asked'), (error, value) =>
        error ? reject(error) : resolve(String(value)),
      );
    });
    expect(await answer).toBe('asked once');
    const [none, two] = [openCall(made, ONCE), openCall(made, ONCE)];
    none.call.end();
    expect(await none.status).toMatchObject({ code: 3, details: expect.stringContaining('no request') });
    for (const part of ['a', 'b']) two.call.write(Buffer.from(part));
    expect(await two.status).toMatchObject({ code: 3, details: 'more than one request' });
  });

  test('lets calls end when it drains, takes no new ones, and is done when all have left', async () => {
    const { address, calls, transport } = await serve(create);
    const { call, messages, status } = openCall(client(address));
    call.write(Buffer.from('a'));
    await until('it is there', () => messages.length === 1);
    let isDrained = false;
    const drained = transport.drain().then(() => (isDrained = true));
    call.write(Buffer.from('b'));
    await until('it is still served', () => messages.length === 2);
    expect((await openCall(client(address)).status).code).toBe(14);
    expect(isDrained).toBe(false);
    calls[0]?.end(14, 'bye');
    expect(await status).toMatchObject({ code: 14, details: 'bye' });
    await drained;
  });

  test('cuts what is left when it is destroyed', async () => {
    const { address, calls, transport, ended } = await serve(create);
    const { call, status } = openCall(client(address));
    call.write(Buffer.from('a'));
    await until('it is there', () => calls.length === 1);
    transport.destroy();
    expect((await status).code).not.toBe(0);
    await until('the handler knows', () => ended() === 1);
  });

  test('listens on unix sockets, on IPv6, on all addresses of a name, and says which port it has', async () => {
    const folder = await temporaryFolder('transport');
    closers.push(() => folder.remove());
    const { transport, calls } = await serve(create, '[::1]:0');
    const addresses = [`unix:${folder.path}/s`, '[::1]:0', 'localhost:0'];
    const bound = await Promise.all(addresses.map((address) => transport.listen(address)));
    expect(bound[0]).toBe(addresses[0]);
    expect(bound[1]).toMatch(/^\[::1\]:[1-9]\d*$/);
    expect(bound[2]).toMatch(/^localhost:[1-9]\d*$/);
    for (const address of bound) {
      const { call, status } = openCall(client(address));
      call.write(Buffer.from('a'));
      call.end();
      expect(await status).toMatchObject({ code: 0 });
    }
    expect(calls.map(({ peer }) => peer.replace(/\d+$/, ''))).toEqual(['unknown', '::1:', expect.any(String)]);
  });

  test('says that an address is taken', async () => {
    const [{ address }, { transport }] = [await serve(create), await serve(create)];
    await expect(transport.listen(address)).rejects.toThrow(/EADDRINUSE/);
    await expect(transport.listen('192.0.2.1:0')).rejects.toThrow(/EADDRNOTAVAIL/);
  });
});

/** A connection by hand. */
async function connection(address: string, settings = {}) {
  const session: ClientHttp2Session = connect(`http://${address}`, { settings });
  closers.push(() => session.destroy());
  let closedWith: number | undefined;
  let isClosed = false;
  session.on('error', () => undefined);
  session.on('goaway', (code) => (closedWith = code));
  session.on('close', () => (isClosed = true));
  await once(session, 'remoteSettings');
  return { session, closedWith: () => closedWith, isClosed: () => isClosed };
}

const headers = { ':method': 'POST', ':path': ECHO, 'content-type': 'application/grpc', te: 'trailers' };

function request(session: ClientHttp2Session, more: OutgoingHttpHeaders = {}) {
  const stream: ClientHttp2Stream = session.request({ ...headers, ...more }, { endStream: false });
  const seen: { headers: Record<string, unknown>; bytes: Buffer; isClosed: boolean } = {
    headers: {},
    bytes: Buffer.alloc(0),
    isClosed: false,
  };
  stream.on('response', (got) => Object.assign(seen.headers, got));
  stream.on('trailers', (got) => Object.assign(seen.headers, got));
  stream.on('data', (chunk: Buffer) => (seen.bytes = Buffer.concat([seen.bytes, chunk])));
  stream.on('close', () => (seen.isClosed = true));
  stream.on('error', () => undefined);
  const says = async (name: string): Promise<unknown> => {
    await until(`${name} is there`, () => seen.headers[name] !== undefined);
    return seen.headers[name];
  };
  return { stream, seen, says };
}

const message = (length: number): Buffer => Buffer.concat(framed(new Pieces([Buffer.alloc(length, 5)])));
const overHttp2 = () => serve(transports.http2);

describe('over node:http2', () => {
  test('a message may come byte by byte, and many at once', async () => {
    const { address } = await overHttp2();
    const { session } = await connection(address);
    const { stream, seen } = request(session);
    for (const byte of message(20)) stream.write(Buffer.from([byte]));
    stream.write(Buffer.concat([message(3), message(0), message(4), message(20).subarray(0, 7)]));
    const expected = Buffer.concat([20, 3, 0, 4].map(message));
    await until('all but the last are there', () => seen.bytes.equals(expected));
    stream.write(message(20).subarray(7));
    await until('all are there', () => seen.bytes.equals(Buffer.concat([expected, message(20)])));
  });

  test('what is no gRPC is told so in HTTP', async () => {
    const { address, calls } = await overHttp2();
    const { session } = await connection(address);
    expect(await request(session, { 'content-type': 'application/json' }).says(':status')).toBe(415);
    expect(await request(session, { ':method': 'PUT' }).says(':status')).toBe(405);
    expect(await request(session, { te: undefined }).says('grpc-status')).toBe('13');
    expect(calls).toEqual([]);
  });

  test('a length that is too long is refused before its bytes come, as is what is compressed or half', async () => {
    const { address, received, ended } = await overHttp2();
    const { session } = await connection(address);
    const [long, packed, half] = [request(session), request(session), request(session)];
    long.stream.write(Buffer.from([0, 0, 64, 0, 1]));
    packed.stream.write(Buffer.from([1, 0, 0, 0, 1, 0]));
    half.stream.end(Buffer.from([0, 0, 0, 0, 2, 1]));
    expect([await long.says('grpc-status'), await packed.says('grpc-status')]).toEqual(['8', '12']);
    expect(await half.says('grpc-status')).toBe('3');
    expect(received).toEqual([]);
    for (const { stream } of [long, packed]) stream.end();
    await until('the handlers know', () => ended() === 3);
  });

  test('one connection may not begin messages without end', async () => {
    const { address } = await overHttp2();
    const { session } = await connection(address);
    const calls = Array.from({ length: 5 }, () => request(session));
    for (const { stream } of calls) stream.write(message(2_000_000).subarray(0, 1_900_000));
    const refused = (): number => calls.filter(({ seen }) => seen.headers['grpc-status'] === '8').length;
    await until('one is refused', () => refused() === 1);
    for (const { stream } of calls) stream.end(message(2_000_000).subarray(1_900_000));
    await until(
      'the others are answered',
      () => calls.filter(({ seen }) => seen.headers['grpc-status'] === '0').length === 4,
    );
  });

  test('too many headers, or too long ones, are reset, and the others are served', async () => {
    const { address, calls } = await overHttp2();
    const { session } = await connection(address);
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-${i}`, 'y']));
    const [tooMany, tooLong] = [request(session, many), request(session, { x: 'y'.repeat(20_000) })];
    await until('both are reset', () => tooMany.seen.isClosed && tooLong.seen.isClosed);
    expect([tooMany.stream.rstCode, tooLong.stream.rstCode]).toEqual(
      Array(2).fill(constants.NGHTTP2_ENHANCE_YOUR_CALM),
    );
    const fine = request(session);
    fine.stream.end(message(1));
    expect(await fine.says('grpc-status')).toBe('0');
    expect(calls).toHaveLength(1);
  });

  test('a flood of pings, of settings or of resets ends its connection', async () => {
    const { address, calls } = await overHttp2();
    const [pings, settings, resets, calm] = await Promise.all([0, 1, 2, 3].map(() => connection(address)));
    const frame = (type: number, payload: Buffer): Buffer => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head[3] = type;
      return Buffer.concat([head, payload]);
    };
    const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, Buffer.alloc(0))]);
    const flood = async (bytes: Buffer): Promise<Socket> => {
      const [host = '', port = ''] = address.split(':');
      const socket = connectTcp(Number(port), host);
      closers.push(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(Buffer.concat([PREFACE, ...Array.from({ length: 4_000 }, () => bytes)]));
      return socket;
    };
    for (const one of [pings, settings]) one?.session.destroy();
    const floods = await Promise.all([flood(frame(6, Buffer.alloc(8))), flood(frame(4, Buffer.alloc(6)))]);
    await until('both are closed', () => floods.every((socket) => socket.closed));
    for (let i = 0; i < 3_000; i++)
      resets?.session
        .request(headers)
        .on('error', () => undefined)
        .close(8);
    await until('the third is closed', () => resets?.isClosed());
    const served = request(calm?.session as ClientHttp2Session);
    served.stream.end(message(1));
    expect(await served.says('grpc-status')).toBe('0');
    expect(calls.length).toBeLessThan(3_000);
  });
});

describe('over node:http2, as time passes,', () => {
  async function serveByHand() {
    const hand = handClock();
    return { hand, ...(await serve((methods) => http2Transport(methods, hand.clock))) };
  }

  test('a peer that is silent and does not answer a ping is cut after 30 s, and one that does is not', async () => {
    const { hand, address, ended } = await serveByHand();
    const silent = await startFaultProxy(address);
    closers.push(() => silent.close());
    const [gone, there] = [await connection(silent.address), await connection(address)];
    const [lost, kept] = [request(gone.session), request(there.session)];
    for (const { stream } of [lost, kept]) stream.write(message(1));
    await until('both are served', () => lost.seen.bytes.length > 0 && kept.seen.bytes.length > 0);
    let pings = 0;
    there.session.on('ping', () => pings++);
    silent.blackHole();
    await hand.pass(11_000);
    await until('it is asked', () => pings === 1);
    kept.stream.write(message(1));
    await until('its answer has come', () => kept.seen.bytes.length > 6);
    await hand.pass(18_500);
    expect(ended()).toBe(0);
    await hand.pass(2_000);
    await until('one has ended', () => ended() === 1);
    kept.stream.end(message(1));
    expect(await kept.says('grpc-status')).toBe('0');
  });

  test('a connection without a call is closed after 10 s, and one with a call is not', async () => {
    const { hand, address } = await serveByHand();
    const [idle, busy] = [await connection(address), await connection(address)];
    const { stream, seen } = request(busy.session);
    stream.write(message(1));
    await until('it is served', () => seen.bytes.length > 0);
    await hand.pass(9_000);
    expect(idle.isClosed()).toBe(false);
    await hand.pass(1_500);
    await until('it is closed', () => idle.isClosed());
    expect(idle.closedWith()).toBe(constants.NGHTTP2_NO_ERROR);
    expect(busy.isClosed()).toBe(false);
  });

  test('a call that begins a message and does not end it, or begins none, is ended', async () => {
    const { hand, address, calls } = await serveByHand();
    const { session } = await connection(address);
    const [silent, half, whole] = [request(session), request(session), request(session)];
    half.stream.write(Buffer.concat([message(1), message(5).subarray(0, 6)]));
    whole.stream.write(message(1));
    await until('all are there', () => calls.length === 3 && half.seen.bytes.length > 0);
    await hand.pass(19_000);
    expect(half.seen.headers['grpc-status']).toBeUndefined();
    await hand.pass(1_000);
    expect([await silent.says('grpc-status'), await half.says('grpc-status')]).toEqual(['4', '4']);
    expect(whole.seen.headers['grpc-status']).toBeUndefined();
  });

  test('a call ends at its deadline', async () => {
    const { hand, address, calls } = await serveByHand();
    const { session } = await connection(address);
    const { stream, seen, says } = request(session, { 'grpc-timeout': '3S' });
    stream.write(message(1));
    await until('it is there', () => calls.length === 1);
    await hand.pass(2_500);
    expect(seen.headers['grpc-status']).toBeUndefined();
    await hand.pass(1_000);
    expect(await says('grpc-status')).toBe('4');
  });

  test('a client that reads nothing keeps neither its call nor what was written to it', async () => {
    const { hand, address, calls, ended } = await serveByHand();
    const { session } = await connection(address, { initialWindowSize: 0 });
    const { stream, seen } = request(session);
    stream.write(message(1));
    await until('it is there', () => calls.length === 1);
    calls[0]?.write(new Pieces([Buffer.alloc(1_000_000)]));
    calls[0]?.end(4, 'no answer');
    await hand.pass(5_500);
    await until('it is reset', () => seen.isClosed);
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect(ended()).toBe(1);
  });
});
