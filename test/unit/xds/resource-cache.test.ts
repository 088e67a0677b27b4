import { describe, expect, test } from 'vitest';
import { LayeredMap } from '../../../src/runtime/layered-map.js';
import {
  differenceOf,
  digestOf,
  type EncodedResource,
  type ResourceMap,
  resourceMap,
} from '../../../src/xds/resource-cache.js';
import { cluster } from '../../support/xds-resources.js';

const other = (name: string): EncodedResource => ({ ...cluster(name), digest: '00000000000000ff' });
const layered = (own: readonly EncodedResource[], shared: ResourceMap): ResourceMap =>
  new LayeredMap([resourceMap(own), shared]);

describe('layers of resources', () => {
  const shared = resourceMap([cluster('a'), cluster('b')]);
  const own = [cluster('in')];

  test('are read as one map', () => {
    const map = layered(own, shared);
    expect(map.size).toBe(3);
    expect([...map.keys()]).toEqual(['in', 'a', 'b']);
    expect([...map.values()].map(({ name }) => name)).toEqual(['in', 'a', 'b']);
    expect(map.get('b')).toBe(shared.get('b'));
    expect([map.has('in'), map.has('c')]).toEqual([true, false]);
    const seen: string[] = [];
    map.forEach((_, name) => seen.push(name));
    expect(seen).toEqual(['in', 'a', 'b']);
  });

  test('have the digest of the same resources in one map', () => {
    expect(digestOf(layered(own, shared))).toBe(digestOf(resourceMap([...own, ...shared.values()])));
  });

  test('differ by what differs in each', () => {
    const before = layered([...own, cluster('gone')], shared);
    const after = layered(own, resourceMap([cluster('a'), other('b'), cluster('new')]));
    expect(differenceOf(before, after)).toEqual({ changed: ['b', 'new'], removed: ['gone'] });
  });

  test('do not differ by a resource that has moved from one to the other', () => {
    const before = layered([...own, cluster('c')], shared);
    const after = layered(own, resourceMap([...shared.values(), cluster('c')]));
    expect(differenceOf(before, after)).toEqual({ changed: [], removed: [] });
  });

  test('are compared with a map without layers', () => {
    const whole = resourceMap([...shared.values(), other('in'), cluster('gone')]);
    expect(differenceOf(whole, layered(own, shared))).toEqual({ changed: ['in'], removed: ['gone'] });
    expect(differenceOf(layered(own, shared), whole)).toEqual({ changed: ['gone', 'in'], removed: [] });
  });
});
