import { describe, expect, test } from 'vitest';
import { refusalOf, timeoutMs, trailers } from '../../../src/xds/transport/grpc-headers.js';

const request = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };

describe('a request', () => {
  test.each([
    ['as Envoy writes it', {}],
    ['as grpc-js writes it', { 'content-type': 'application/grpc+proto', 'grpc-accept-encoding': 'identity,deflate' }],
    ['that names the encoding that is none', { 'grpc-encoding': 'identity' }],
    ['with a deadline', { 'grpc-timeout': '100m' }],
  ])('%s is served', (_what, headers) => {
    expect(refusalOf({ ...request, ...headers })).toBeUndefined();
  });

  test.each([
    ['with GET', { ':method': 'GET' }, { ':status': 405 }],
    ['of a browser', { 'content-type': 'application/grpc-web+proto' }, { ':status': 415 }],
    ['in JSON', { 'content-type': 'application/grpc+json' }, { ':status': 415 }],
    ['without a type', { 'content-type': undefined }, { ':status': 415 }],
    ['from behind what drops trailers', { te: undefined }, { ':status': 200, 'grpc-status': 13 }],
    ['that is compressed', { 'grpc-encoding': 'gzip' }, { 'grpc-status': 12, 'grpc-accept-encoding': 'identity' }],
    ['with a deadline that is none', { 'grpc-timeout': '1 hour' }, { 'grpc-status': 3 }],
  ])('%s is refused', (_what, headers, refusal) => {
    expect(refusalOf({ ...request, ...headers } as typeof request)).toMatchObject(refusal);
  });
});

test('a deadline is up to eight digits and a unit', () => {
  const read = (text?: string): number => timeoutMs({ 'grpc-timeout': text });
  expect(['1H', '2M', '3S', '4m', '5000u', '6000000n'].map(read)).toEqual([3_600_000, 120_000, 3_000, 4, 5, 6]);
  expect(read()).toBe(Number.POSITIVE_INFINITY);
  expect(['', '5', 'S', '123456789S', '1s', '-1S'].map(read)).toEqual(Array(6).fill(Number.NaN));
});

describe('a status', () => {
  test('is told with what gRPC clients read again as it was', () => {
    const details = 'no “a%b” — ünïcode\n\u0000 \u{1f600} ~';
    const message = String(trailers(3, details)['grpc-message']);
    expect(message).toMatch(/^[ -~]+$/);
    expect(decodeURIComponent(message)).toBe(details);
  });

  test('without details has none', () => {
    expect(trailers(0, '')).toEqual({ 'grpc-status': 0 });
  });

  test('is short enough for every client, whatever it repeats', () => {
    expect(String(trailers(3, 'x'.repeat(1_000_000))['grpc-message'])).toMatch(/^x{1000}%E2%80%A6$/);
  });
});
