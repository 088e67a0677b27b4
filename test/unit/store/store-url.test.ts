import { describe, expect, it } from 'vitest';
import { formatStoreUrl, parseStoreUrl } from '../../../src/store/store-url.js';

describe('a store URL', () => {
  it.each([
    ['etcd://10.0.0.4:2379', { kind: 'etcd', tls: false, addresses: ['10.0.0.4:2379'], prefix: 'lightmesh/' }],
    ['etcd://a:1,b:2/team/mesh', { kind: 'etcd', tls: false, addresses: ['a:1', 'b:2'], prefix: 'team/mesh/' }],
    ['etcds://etcd.example', { kind: 'etcd', tls: true, addresses: ['etcd.example:2379'], prefix: 'lightmesh/' }],
    ['etcd://[::1]:2379/', { kind: 'etcd', tls: false, addresses: ['[::1]:2379'], prefix: 'lightmesh/' }],
    ['embedded:./data', { kind: 'embedded', dir: './data', prefix: 'lightmesh/' }],
    ['embedded:///var/mesh', { kind: 'embedded', dir: '/var/mesh', prefix: 'lightmesh/' }],
    ['embedded:data?quota=1GiB', { kind: 'embedded', dir: 'data', prefix: 'lightmesh/', quotaBytes: 1024 ** 3 }],
  ])('%s is understood', (text, parsed) => {
    expect(parseStoreUrl(text)).toEqual(parsed);
  });

  it.each([
    ['', 'starts with neither'],
    ['http://a:1', 'starts with neither'],
    ['embedded:', 'names no directory'],
    ['embedded:data?quota=1', 'is not a quota'],
    ['embedded:data?quota=1MiB', '4MiB to 3GiB'],
    ['embedded:data?quota=4GiB', '4MiB to 3GiB'],
    ['embedded:data?size=1GiB', 'is not a quota'],
    ['etcd://', 'is not host:port'],
    ['etcd://a:1,,b:2', 'is not host:port'],
    ['etcd://a:0', '0 is not a port'],
    ['etcd://a:70000', '70000 is not a port'],
    ['etcd://user:secret@a:1', 'passwords do not belong'],
    ['etcd://a:1/x//y', 'empty part'],
    ['etcd://a:1//x', 'empty part'],
    ['etcd://a:1/x?y=1', 'not allowed'],
  ])('%s is refused with a reason and a hint', (text, why) => {
    expect(() => parseStoreUrl(text)).toThrow(
      expect.objectContaining({ code: 'MESH2007', message: expect.stringContaining(why), hint: expect.any(String) }),
    );
  });

  it.each(['etcd://a:1,b:2/mesh', 'etcds://a:2379', 'embedded:./data', 'embedded:d?quota=64MiB'])(
    '%s is written as it was read',
    (text) => {
      expect(formatStoreUrl(parseStoreUrl(text))).toBe(text);
    },
  );
});
