import { describe, expect, it } from 'vitest';
import {
  decodeNamingValue,
  encodeNamingValue,
  namingKey,
  namingKeyProblem,
  namingRanges,
  namingTarget,
  parseNamingKey,
} from '../../../src/store/naming.js';

describe('naming keys', () => {
  it.each([
    [{ namespace: 'default', service: 'reviews' }, 'services/reviews/10.0.0.7:8080'],
    [{ namespace: 'shop', service: 'reviews' }, 'services.shop/reviews/10.0.0.7:8080'],
    [{ namespace: 'default', service: 'reviews', version: 'v1.2' }, 'versions/reviews/v1.2/10.0.0.7:8080'],
    [{ namespace: 'shop', service: 'reviews', version: 'v1' }, 'versions.shop/reviews/v1/10.0.0.7:8080'],
  ])('of %j are written and read back', (name, key) => {
    expect(namingKey(name, '10.0.0.7:8080')).toBe(key);
    expect(parseNamingKey(key)).toEqual({ version: undefined, ...name, id: '10.0.0.7:8080' });
  });

  it('are found by the target that a Go client dials', () => {
    expect(namingTarget({ namespace: 'default', service: 'reviews' })).toBe('services/reviews');
    expect(namingTarget({ namespace: 'default', service: 'reviews', version: 'v1' })).toBe('versions/reviews/v1');
  });

  it('keep the id of a service that registers itself, whatever it is', () => {
    expect(parseNamingKey('services/pay/host-1/main')).toMatchObject({ service: 'pay', id: 'host-1/main' });
  });

  it.each(['services/reviews', 'services//1:2', 'versions/reviews/v1', 'versions/r//1:2', 'services2/r/1:2', 'x'])(
    '%s is not one',
    (key) => {
      expect(parseNamingKey(key)).toBeUndefined();
    },
  );

  it('lie in the ranges that are watched, others do not', () => {
    const inRange = (key: string): boolean => namingRanges().some(({ start, end }) => key >= start && key < end);
    expect(['services/a/b', 'services.ns/a/b', 'versions/a/v/b', 'versions.ns/a/v/b'].every(inRange)).toBe(true);
    expect(['services', 'services0', 'servicesx/a', 'lightmesh/x'].some(inRange)).toBe(false);
  });
});

describe('naming values', () => {
  it('never have an object as Metadata: Go clients would panic', () => {
    const text = encodeNamingValue({ address: '10.0.0.7:8080', mesh: { version: 'v1', zone: 'z1' } });
    expect(text).toBe('{"Op":0,"Addr":"10.0.0.7:8080","Metadata":null,"Mesh":{"version":"v1","zone":"z1"}}');
    expect(decodeNamingValue(text)).toEqual({
      kind: 'endpoint',
      address: '10.0.0.7:8080',
      mesh: { version: 'v1', zone: 'z1' },
      version: 'v1',
    });
  });

  it.each([
    ['{"Op":0,"Addr":"h:1","Metadata":null}', undefined],
    ['{"addr":"h:1"}', undefined],
    ['{"Addr":"[::1]:1","Metadata":"v2"}', 'v2'],
    ['{"Addr":"h:1","Metadata":"{\\"version\\":\\"v3\\"}"}', 'v3'],
    ['{"Addr":"h:1","Metadata":{"version":"v4"}}', 'v4'],
    ['{"Addr":"h:1","Metadata":"some free text"}', undefined],
    ['{"Addr":"h:1","Metadata":"v1","Mesh":{"version":"v2"}}', 'v2'],
    ['{"Addr":"h:1","Metadata":"not a version-"}', undefined],
    ['{"OP":0,"aDDr":"h:1","mesh":{"version":"v2"}}', 'v2'],
  ])('%s is an endpoint of version %s', (text, version) => {
    expect(decodeNamingValue(text)).toMatchObject({ kind: 'endpoint', version });
  });

  it('that say Op 1 count as absent', () => {
    expect(decodeNamingValue('{"Op":1,"Addr":"h:1"}')).toEqual({ kind: 'ignored' });
  });

  it.each([
    ['', 'not JSON'],
    ['[]', 'not a JSON object'],
    ['{"Op":"ADD","Addr":"h:1"}', 'Op is "ADD"'],
    ['{"Op":2,"Addr":"h:1"}', 'Op is 2'],
    ['{"Op":0}', 'Addr is undefined'],
    ['{"Addr":"no port"}', 'Addr is "no port"'],
    ['{"Addr":"h:99999"}', 'Addr is "h:99999"'],
    ['{"Addr":"[:::]:1"}', 'Addr is "[:::]:1"'],
    ['{"Addr":"h:1","Mesh":{"version":"v1|x"}}', 'the version is "v1|x"'],
    [`{"Addr":"${'h'.repeat(100)}"}`, `Addr is "${'h'.repeat(59)}…`],
    [`{"Addr":"h:1","Metadata":"${'x'.repeat(1 << 20)}"}`, 'characters, expected 16384 at most'],
  ])('%j is a problem: %s', (text, problem) => {
    expect(decodeNamingValue(text)).toEqual({ kind: 'problem', problem: expect.stringContaining(problem) as string });
  });
});

describe('a naming key with a right value', () => {
  it.each([
    ['services.Shop/web/x', '"Shop" in the key is no name'],
    ['services/web page/x', '"web page" in the key is no name'],
    ['versions/web/v 1/x', 'the version is "v 1"'],
    ['versions/web/v1.2/any id', undefined],
  ])('%s: %s', (key, problem) => {
    const parsed = parseNamingKey(key);
    expect(parsed && namingKeyProblem(parsed)).toEqual(problem && (expect.stringContaining(problem) as string));
  });
});
