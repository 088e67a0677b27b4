/**
 * Clients that nobody should have, from 127.0.0.2: `node --import tsx xds-hostile-process.ts ADDRESS MODE=COUNT…`.
 * `never-reading` and `never-acking` hold COUNT streams; `names` sends 4 MiB of names on COUNT streams, over and over;
 * `connects` opens COUNT connections a second, each with a stream and a node of its own. A dead stream is begun anew.
 * Prints how many streams have begun, once a second.
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { encodeMessage } from '../../src/xds/encode.js';
import { field } from '../../src/xds/wire.js';
import { typeUrlOf } from './xds-resources.js';

const [address = '', ...wishes] = process.argv.slice(2);
const modes = wishes.map((wish) => [wish.split('=')[0], Number(wish.split('=')[1])] as const);
const [host = '', port = ''] = address.split(':');
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const NAMES = Buffer.concat(Array.from({ length: 350_000 }, (_, i) => field(3, `name-${i}`))).subarray(
  0,
  4 * 2 ** 20 - 1024,
);
let begun = 0;

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function request(type: 'CDS' | 'EDS'): Uint8Array {
  const node = { id: `hostile-${process.pid}-${begun}`, metadata: { filler: 'x'.repeat(10_000) } };
  return encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', { typeUrl: typeUrlOf(type), node });
}

/** `done` once the stream or its connection is over. */
function open(window: number, message: Uint8Array, done: () => void): () => void {
  begun++;
  const socket = connect({ host, port: Number(port), localAddress: '127.0.0.2' });
  const session = connectHttp2(`http://${address}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: window },
  });
  const once = (): void => {
    session.destroy();
    done();
  };
  session.on('error', () => undefined);
  session.once('close', once);
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  stream.on('close', () => session.close());
  if (window > 0) stream.resume();
  stream.write(framed(message));
  return () => session.destroy();
}

function hold(window: number, message: () => Uint8Array): void {
  const again = (): void => void open(window, message(), () => setTimeout(again, 20));
  again();
}

function connectOften(perSecond: number): void {
  setInterval(() => {
    for (let i = 0; i < perSecond / 50; i++) {
      const close = open(65_535, request('CDS'), () => undefined);
      setTimeout(close, 1_000);
    }
  }, 20);
}

for (const [mode, count] of modes) {
  if (mode === 'connects') connectOften(count);
  else
    for (let i = 0; i < count; i++) {
      if (mode === 'never-reading') hold(0, () => request('CDS'));
      else if (mode === 'never-acking') hold(65_535, () => request('CDS'));
      else hold(65_535, () => Buffer.concat([request('EDS'), NAMES]));
    }
}
setInterval(() => process.stdout.write(`${begun}\n`), 1_000);
