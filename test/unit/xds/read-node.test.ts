import { expect, test } from 'vitest';
import { encodeMessage } from '../../../src/xds/encode.js';
import { MAX_NODE_BYTES, readNode, TooMuch } from '../../../src/xds/read-request.js';

const peer = '10.0.0.1:4711';

function nodeOf(json: object): Buffer {
  return Buffer.from(encodeMessage('envoy.config.core.v3.Node', json));
}

test('a node is read as its bootstrap has it', () => {
  const metadata = {
    mesh: {
      service: 'orders',
      gateway: false,
      proxyless: true,
      ports: { proxy: 15001, weight: -0.5 },
      labels: {},
      upstreams: [{ name: 'stöck', listener: null }, [], ['a', 1, [true]]],
    },
    '': 'a name may be empty',
  };
  const bytes = nodeOf({
    id: 'orders-1',
    cluster: 'orders',
    metadata,
    locality: { region: 'north', zone: 'a', subZone: 'rack 7' },
    userAgentName: 'envoy',
    userAgentBuildVersion: { version: { majorNumber: 1, patch: 300 }, metadata: { 'build.type': 'RELEASE' } },
    extensions: [{ name: 'envoy.filters.http.router', category: 'envoy.filters.http' }],
    clientFeatures: ['envoy.lb.does_not_support_overprovisioning'],
  });
  expect(readNode(bytes, peer)).toEqual({
    id: 'orders-1',
    cluster: 'orders',
    metadata,
    locality: { region: 'north', zone: 'a', subZone: 'rack 7' },
    buildVersion: '1.0.300',
    peer,
  });
});

test('what a node does not say is empty, and a version may be a text', () => {
  const empty = {
    id: '',
    cluster: '',
    metadata: {},
    locality: { region: '', zone: '', subZone: '' },
    buildVersion: '',
  };
  expect(readNode(Buffer.alloc(0), peer)).toEqual({ ...empty, peer });
  expect(readNode(nodeOf({ userAgentVersion: '1.40.0' }), peer)).toEqual({ ...empty, buildVersion: '1.40.0', peer });
});

test('metadata has no way to the prototype of what is made of it', () => {
  const metadata = JSON.parse('{"__proto__": {"id": "x"}, "constructor": 1}') as object;
  const read = readNode(nodeOf({ metadata }), peer).metadata as object;
  expect(Object.entries(read)).toEqual([['constructor', 1]]);
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
});

test('what is no node, too deep or too large is refused', () => {
  let deep: object = {};
  for (let i = 0; i < 90; i++) deep = { deeper: deep };
  expect(() => readNode(nodeOf({ metadata: deep }), peer)).not.toThrow();
  // A Struct in a Struct by hand, since our encoder stops at the same depth.
  let bytes: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 1000; i++) bytes = within(1, within(2, within(5, bytes)));
  expect(() => readNode(within(3, bytes), peer)).toThrow(/more than 100 levels/);
  expect(() => readNode(Buffer.from([0x1a, 0x7f, 1]), peer)).toThrow(RangeError);
  expect(() => readNode(within(3, within(1, within(2, Buffer.from([0x12, 1, 0])))), peer)).toThrow(RangeError);
  expect(() => readNode(Buffer.alloc(MAX_NODE_BYTES + 1), peer)).toThrow(TooMuch);
});

/** `content` as a length-delimited field. */
function within(number: number, content: Buffer): Buffer {
  const length = [(content.length & 127) | 128, ((content.length >> 7) & 127) | 128, content.length >> 14];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), content]);
}
