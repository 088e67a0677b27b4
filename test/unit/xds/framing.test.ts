import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { framed, MessageReader } from '../../../src/xds/transport/framing.js';
import { GrpcFailure } from '../../../src/xds/transport/transport.js';
import { Pieces } from '../../../src/xds/wire.js';

const onWire = (message: Uint8Array): Buffer => Buffer.concat(framed(new Pieces([message])));

describe('reading', () => {
  test('finds the same messages wherever the bytes are cut', () => {
    const someBytes = fc.uint8Array({ maxLength: 40 });
    const large = fc.integer({ min: 4_000, max: 20_000 }).map((length) => new Uint8Array(length).fill(7));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(someBytes, large)),
        fc.array(fc.integer({ min: 1, max: 3_000 })),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map(onWire));
          const reader = new MessageReader(20_000);
          const found: Buffer[] = [];
          let at = 0;
          for (const cut of cuts) {
            found.push(...reader.read(bytes.subarray(at, at + cut)));
            at += cut;
          }
          found.push(...reader.read(bytes.subarray(at)));
          expect(found.map((message) => message.toString('hex'))).toEqual(
            messages.map((message) => Buffer.from(message).toString('hex')),
          );
          expect(reader.waiting).toBe(0);
        },
      ),
    );
  });

  test('refuses a message that is too long when it has its length, and keeps nothing for it', () => {
    const reader = new MessageReader(1_000);
    expect([...reader.read(onWire(Buffer.alloc(1_000)))]).toHaveLength(1);
    expect(() => [...reader.read(Buffer.from([0, 0, 0, 3, 233]))]).toThrow(
      new GrpcFailure(8, 'a message of 1001 bytes; at most 1000 are read'),
    );
  });

  test('refuses what is compressed', () => {
    const [head, ...bytes] = onWire(Buffer.from('x'));
    expect(head).toBe(0);
    expect(() => [...new MessageReader(10).read(Buffer.from([1, ...bytes]))]).toThrow('send with identity');
  });
});

describe('writing', () => {
  test('copies short pieces together and writes long ones as they are', () => {
    const [short, long] = [Buffer.alloc(100, 1), Buffer.alloc(5_000, 2)];
    const parts = framed(new Pieces([short, short, long, short, long, long]));
    expect(parts.map((part) => part.length)).toEqual([205, 5_000, 100, 5_000, 5_000]);
    expect(parts.filter((part) => part === long)).toHaveLength(3);
    const [message = Buffer.alloc(0)] = new MessageReader(100_000).read(Buffer.concat(parts));
    expect(message.equals(Buffer.concat([short, short, long, short, long, long]))).toBe(true);
  });
});
