import { describe, expect, test } from 'vitest';
import { decodeHealthResponse, encodeHealthRequest } from '../../../src/agent/grpc-frames.js';

describe('the health request', () => {
  test('for the whole server is an empty message in its frame', () => {
    expect([...encodeHealthRequest('')]).toEqual([0, 0, 0, 0, 0]);
  });

  test('carries the name of a service', () => {
    expect([...encodeHealthRequest('ab')]).toEqual([0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62]);
  });

  test('carries a name whose length needs two bytes', () => {
    const frame = encodeHealthRequest('x'.repeat(300));
    expect(frame.readUInt32BE(1)).toBe(303);
    expect([...frame.subarray(5, 8)]).toEqual([0x0a, 0xac, 0x02]);
  });
});

describe('the health response', () => {
  const frame = (...message: number[]): Buffer => Buffer.from([0, 0, 0, 0, message.length, ...message]);

  test('is read', () => {
    expect(decodeHealthResponse(frame(0x08, 1))).toBe('SERVING');
    expect(decodeHealthResponse(frame(0x08, 2))).toBe('NOT_SERVING');
    expect(decodeHealthResponse(frame(0x08, 3))).toBe('SERVICE_UNKNOWN');
    expect(decodeHealthResponse(frame())).toBe('UNKNOWN');
  });

  test('is not guessed from anything else', () => {
    expect(decodeHealthResponse(Buffer.alloc(0))).toBeUndefined();
    expect(decodeHealthResponse(Buffer.from([0, 0, 0, 0, 2, 0x08]))).toBeUndefined();
    expect(decodeHealthResponse(Buffer.from([1, 0, 0, 0, 2, 0x08, 1]))).toBeUndefined();
    expect(decodeHealthResponse(frame(0x08, 9))).toBeUndefined();
    expect(decodeHealthResponse(frame(0x12, 1))).toBeUndefined();
  });
});
