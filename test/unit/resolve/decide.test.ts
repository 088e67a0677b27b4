import { describe, expect, it } from 'vitest';
import { decide, type EnvoyResources } from '../../../src/resolve/decide.js';
import { mismatch, virtualHostOf } from '../../../src/resolve/match.js';
import { requestOf } from '../../../src/resolve/request.js';
import type { RouteJson, RouteMatchJson, VirtualHostJson } from '../../../src/xds/envoy-json.js';

const hosts = (...domains: readonly (readonly string[])[]): VirtualHostJson[] =>
  domains.map((of, i) => ({ name: String(i), domains: [...of] }));

describe('a virtual host', () => {
  it.each([
    ['its exact name', 'reviews:80', '1'],
    ['its name in any case', 'REVIEWS', '0'],
    ['its name with the dot of an absolute one', 'reviews.:80', '1'],
    ['the longest suffix', 'a.b.example.com', '3'],
    ['a suffix before a prefix', 'api.example.com', '2'],
    ['a prefix', 'api.elsewhere', '4'],
    ['nothing else', 'other', '5'],
  ])('is chosen by %s', (_what, authority, name) => {
    const all = hosts(['reviews'], ['reviews:80'], ['*.example.com'], ['*.b.example.com'], ['api.*'], ['*']);
    expect(virtualHostOf(all, authority)?.name).toBe(name);
  });

  it('of a wildcard stands for at least one character', () => {
    expect(virtualHostOf(hosts(['*.example.com']), '.example.com')).toBeUndefined();
  });
});

describe('a route', () => {
  const request = requestOf({
    host: 'reviews',
    path: '/a/../Books/1?q=a%20b&flag&q=2',
    headers: { 'X-User': 'jason', 'content-type': 'application/grpc+proto' },
  });
  const header = (matcher: object): RouteMatchJson => ({ headers: [{ name: 'x-user', ...matcher }] });
  const gone = (matcher: object): RouteMatchJson => ({ headers: [{ name: 'x-gone', ...matcher }] });

  it.each<[string, RouteMatchJson]>([
    ['a prefix', { prefix: '/Books' }],
    ['a prefix in any case', { prefix: '/books', caseSensitive: false }],
    ['a whole path, without its query', { path: '/Books/1' }],
    ['a path below', { pathSeparatedPrefix: '/Books' }],
    ['an expression', { safeRegex: { regex: '/[^/]+/\\d' } }],
    ['gRPC', { prefix: '/', grpc: {} }],
    ['a header', header({ stringMatch: { exact: 'jason' } })],
    ['another header than this', header({ stringMatch: { prefix: 'm' }, invertMatch: true })],
    ['a header that is there', header({ presentMatch: true })],
    ['a header that is not there', gone({ presentMatch: true, invertMatch: true })],
    [
      'a missing header that counts as an empty one',
      gone({ stringMatch: { exact: 'x' }, invertMatch: true, treatMissingHeaderAsEmpty: true }),
    ],
    ['the method', { headers: [{ name: ':method', stringMatch: { exact: 'GET' } }] }],
    ['the first of a parameter, not decoded', { queryParameters: [{ name: 'q', stringMatch: { exact: 'a%20b' } }] }],
    ['a parameter without a value', { queryParameters: [{ name: 'flag', presentMatch: true }] }],
    ['a part of a text', header({ stringMatch: { contains: 'AS', ignoreCase: true } })],
  ])('is met by %s', (_what, match) => {
    expect(mismatch(match, request)).toBeUndefined();
  });

  it.each<[string, RouteMatchJson]>([
    ['the path does not begin with /books', { prefix: '/books' }],
    ['the path is not below /Book', { pathSeparatedPrefix: '/Book' }],
    ['it is for CONNECT', { connectMatcher: {} }],
    ['header x-user is "jason", must be "ann"', header({ stringMatch: { exact: 'ann' } })],
    [
      'header x-user is "jason", must not match j.*',
      header({ stringMatch: { safeRegex: { regex: 'j.*' } }, invertMatch: true }),
    ],
    ['header x-gone is not there', gone({ stringMatch: { exact: 'x' }, invertMatch: true })],
    ['header x-user is there', header({ presentMatch: true, invertMatch: true })],
    ['parameter q is "a%20b", must be "2"', { queryParameters: [{ name: 'q', stringMatch: { exact: '2' } }] }],
    ['parameter no is not there', { queryParameters: [{ name: 'no', presentMatch: true }] }],
  ])('is not, and says why: %s', (why, match) => {
    expect(mismatch(match, request)).toBe(why);
  });

  it('with a condition that nobody taught us is not decided', () => {
    expect(() => mismatch({ prefix: '/', tlsContext: {} }, request)).toThrow('tlsContext');
  });
});

describe('a decision', () => {
  const to = (name: string, match: RouteMatchJson): RouteJson => ({ name, match, route: { cluster: name } });
  const resources = (...routes: RouteJson[]): EnvoyResources => ({
    routes: new Map([['outbound', { virtualHosts: [{ name: 'reviews', domains: ['reviews'], routes }] }]]),
    clusters: new Map(['a', 'b'].map((name) => [name, { name, loadAssignment: { clusterName: name } }])),
    endpoints: new Map(),
  });
  const request = requestOf({ host: 'reviews' });

  it('shares requests between routes by their runtime fraction', () => {
    const tenth = {
      prefix: '/',
      runtimeFraction: { defaultValue: { numerator: 1000, denominator: 'TEN_THOUSAND' } },
    } as const;
    const { taken, notTaken } = decide(
      resources(to('a', tenth), to('b', { prefix: '/' }), to('b', { prefix: '/' })),
      'outbound',
      request,
    );
    expect(taken.map(({ route, share }) => [route.name, share])).toEqual([
      ['a', 0.1],
      ['b', 0.9],
    ]);
    expect(notTaken.map(({ why }) => why)).toEqual(['an earlier rule takes it']);
  });

  it('takes none when nothing matches', () => {
    expect(decide(resources(to('a', { path: '/a' })), 'outbound', request)).toMatchObject({ taken: [] });
  });
});
