import path from 'node:path';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { describe, expect, it } from 'vitest';
import { echoService, healthService } from '../../fixtures/apps/demo-app/echo.js';
import { decodeStrings, encodeStrings } from '../../fixtures/apps/demo-app/wire.js';

const proto = path.resolve(import.meta.dirname, '../../fixtures/apps/demo-app/echo.proto');
const reply = { message: 'grüß', service: 'audit', version: 'v1', instance: 'a'.repeat(300), node: 'n' };

describe('the hand-written protobuf of the demo application', () => {
  it('is what echo.proto says', () => {
    const defined = loadSync(proto, { defaults: true })['lightmesh.demo.Echo'] as unknown as {
      Say: { path: string; responseSerialize(value: object): Buffer; responseDeserialize(bytes: Buffer): object };
    };
    const { say } = echoService;
    expect(say.path).toBe(defined.Say.path);
    expect(say.responseSerialize(reply)).toEqual(defined.Say.responseSerialize(reply));
    expect(defined.Say.responseDeserialize(say.responseSerialize(reply))).toEqual(reply);
    expect(say.responseDeserialize(defined.Say.responseSerialize(reply))).toEqual(reply);
  });

  it('leaves out what is empty, which means the same', () => {
    const { responseSerialize, responseDeserialize } = echoService.say;
    const empty = { message: '', service: '', version: '', instance: '', node: '' };
    expect(responseSerialize(empty)).toHaveLength(0);
    expect(responseDeserialize(Buffer.alloc(0))).toEqual(empty);
  });

  it('has the fields that echo.proto has, and no others', () => {
    const type = loadSync(proto)['lightmesh.demo.EchoReply'] as MessageTypeDefinition<object, object>;
    const { field } = type.type as { field: { name: string; number: number }[] };
    expect(field.map(({ name, number }) => [number, name])).toEqual(
      Object.keys(reply).map((name, index) => [index + 1, name]),
    );
  });

  it('skips fields that it does not know', () => {
    const newer = encodeStrings(['a', 'b', 'c'], { a: 'one', b: 'two', c: 'three' });
    const odd = Buffer.from([0x20, 0x96, 0x01, 0x2d, 1, 2, 3, 4, 0x31, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(decodeStrings(['a'], Buffer.concat([odd, newer]))).toEqual({ a: 'one' });
  });

  it('refuses a message that ends too early', () => {
    const bytes = encodeStrings(['a'], { a: 'hello' });
    expect(() => decodeStrings(['a'], bytes.subarray(0, -1))).toThrow('ends in the middle');
  });

  it('reads back a health status', () => {
    const { responseSerialize, responseDeserialize } = healthService.check;
    expect([0, 1, 2, 3].map((status) => responseDeserialize(responseSerialize(status)))).toEqual([0, 1, 2, 3]);
  });
});
