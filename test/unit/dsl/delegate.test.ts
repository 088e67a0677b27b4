import { describe, expect, it } from 'vitest';
import { conflicts, mergeDelegate } from '../../../src/dsl/delegate.js';
import { type HttpRule, type IstioMatch, virtualServiceSchema } from '../../../src/dsl/virtual-service-shape.js';

const to = (host: string) => ({ route: [{ destination: { host } }] });

function rule(http: object): HttpRule {
  return virtualServiceSchema.parse({ hosts: ['a'], http: [http] }).http[0] as HttpRule;
}

function match(given: object): IstioMatch {
  return rule({ match: [given], ...to('a') }).match?.[0] as IstioMatch;
}

describe('two matches', () => {
  it.each([
    [{ uri: { prefix: '/a' } }, { uri: { prefix: '/a/b' } }, false],
    [{ uri: { prefix: '/a/b' } }, { uri: { prefix: '/a' } }, true],
    [{ uri: { prefix: '/a' } }, { uri: { exact: '/a/b' } }, false],
    [{ uri: { exact: '/a' } }, { uri: { prefix: '/a' } }, true],
    [{ uri: { regex: '/a' } }, {}, false],
    [{ uri: { regex: '/a' } }, { uri: { regex: '/a' } }, true],
    [{ uri: { prefix: '/a' }, ignoreUriCase: true }, { uri: { prefix: '/a' } }, true],
    [{ headers: { x: { exact: '1' } } }, { headers: { y: { exact: '2' } } }, false],
    [{ headers: { x: { exact: '1' } } }, { headers: { x: { exact: '2' } } }, true],
    [{ headers: { x: {} } }, { headers: { x: { exact: '2' } } }, false],
    [{ port: 80 }, {}, false],
    [{ port: 80 }, { port: 81 }, true],
    [{ sourceLabels: { a: '1' } }, { sourceLabels: { b: '2' } }, false],
    [{ sourceLabels: { a: '1' } }, { sourceLabels: { a: '2' } }, true],
    [{ sourceNamespace: 'a' }, { sourceNamespace: 'b' }, true],
  ])('%j over %j: conflict %s', (root, one, isConflict) => {
    expect(conflicts(match(root), match(one))).toBe(isConflict);
  });
});

describe('a rule that delegates', () => {
  const root = rule({
    name: 'shop',
    match: [{ uri: { prefix: '/shop' }, headers: { x: { exact: '1' } } }, { uri: { exact: '/login' } }],
    delegate: { name: 'other' },
    timeout: '2s',
    retries: { attempts: 1 },
  });

  it('narrows every rule of the other to what it takes itself, and adds what that one does not say', () => {
    const { rules, dropped } = mergeDelegate(root, [
      rule({ name: 'v1', match: [{ uri: { prefix: '/shop/v1' } }], timeout: '1s', ...to('v1') }),
      rule({ ...to('rest') }),
    ]);
    expect(dropped).toBe(0);
    expect(rules).toMatchObject([
      {
        name: 'shop-v1',
        match: [{ uri: { prefix: '/shop/v1' }, headers: { x: { exact: '1' } } }],
        timeout: '1s',
        retries: { attempts: 1 },
        ...to('v1'),
      },
      { name: 'shop', match: root.match, timeout: '2s', ...to('rest') },
    ]);
    expect(rules.every((one) => one.delegate === undefined)).toBe(true);
  });

  it('leaves out what can never hold', () => {
    const { rules, dropped } = mergeDelegate(root, [
      rule({ match: [{ uri: { prefix: '/shop' } }, { uri: { prefix: '/other' } }], ...to('a') }),
    ]);
    expect([rules, dropped]).toEqual([[], 1]);
  });
});
