import { describe, expect, it } from 'vitest';
import { keysUnder } from '../../../src/store/keys.js';

const keys = keysUnder('lightmesh/');

describe('keys', () => {
  it.each([
    [keys.metaEpoch, 'lightmesh/meta/epoch', { kind: 'meta', name: 'epoch' }],
    [keys.metaSchema, 'lightmesh/meta/schema', { kind: 'meta', name: 'schema' }],
    [
      keys.def('Service', 'default', 'reviews'),
      'lightmesh/def/Service/default/reviews',
      { kind: 'def', defKind: 'Service', namespace: 'default', name: 'reviews' },
    ],
    [
      keys.def('Node', undefined, 'a'),
      'lightmesh/def/Node/-/a',
      { kind: 'def', defKind: 'Node', namespace: undefined, name: 'a' },
    ],
    [keys.rev(42), 'lightmesh/rev/000000000042', { kind: 'rev', revision: 42, part: undefined }],
    [keys.rev(42, 3), 'lightmesh/rev/000000000042/0003', { kind: 'rev', revision: 42, part: 3 }],
    [keys.staged('x', 3), 'lightmesh/rev/staged/x/0003', { kind: 'staged', id: 'x', part: 3 }],
    [keys.revHead, 'lightmesh/rev/head', { kind: 'rev-head' }],
    [keys.plan('a'), 'lightmesh/plan/a', { kind: 'plan', node: 'a' }],
    [keys.deploy('d1'), 'lightmesh/deploy/d1', { kind: 'deploy', id: 'd1' }],
    [keys.instance('a', 'r-1'), 'lightmesh/instance/a/r-1', { kind: 'instance', node: 'a', instance: 'r-1' }],
    [keys.node('a'), 'lightmesh/node/a', { kind: 'node', node: 'a' }],
    [
      keys.release('default', 'r'),
      'lightmesh/release/default/r',
      { kind: 'release', namespace: 'default', service: 'r' },
    ],
    [keys.pilot('p'), 'lightmesh/pilot/p', { kind: 'pilot', id: 'p' }],
    [keys.ack('p'), 'lightmesh/ack/p', { kind: 'ack', pilot: 'p' }],
    [
      keys.fact('default', 'r', 'p'),
      'lightmesh/fact/default/r/p',
      { kind: 'fact', namespace: 'default', service: 'r', pilot: 'p' },
    ],
    [
      keys.quarantine('Route', 'default', 'r'),
      'lightmesh/quarantine/Route/default/r',
      { kind: 'quarantine', defKind: 'Route', namespace: 'default', name: 'r' },
    ],
    [
      keys.evict('default', 'r', 'r-1'),
      'lightmesh/evict/default/r/r-1',
      { kind: 'evict', namespace: 'default', service: 'r', instance: 'r-1' },
    ],
    [
      keys.seen('default', 'r', '10.0.0.1:80'),
      'lightmesh/seen/default/r/10.0.0.1:80',
      { kind: 'seen', namespace: 'default', service: 'r', address: '10.0.0.1:80' },
    ],
    [keys.freeze(), 'lightmesh/freeze/-/-', { kind: 'freeze', namespace: undefined, service: undefined }],
    [keys.freeze('default', 'r'), 'lightmesh/freeze/default/r', { kind: 'freeze', namespace: 'default', service: 'r' }],
    [keys.lock('deploy'), 'lightmesh/lock/deploy', { kind: 'lock', name: 'deploy' }],
    [keys.leader('release'), 'lightmesh/leader/release', { kind: 'leader', role: 'release' }],
    [keys.event(42, 'x'), 'lightmesh/event/0000000000042-x', { kind: 'event', id: '0000000000042-x' }],
    [keys.witness('a'), 'lightmesh/witness/a', { kind: 'witness', node: 'a' }],
    [keys.txn('x'), 'lightmesh/txn/x', { kind: 'txn', id: 'x' }],
  ])('%s is written as the contract says and read back', (key, written, parsed) => {
    expect(key).toBe(written);
    expect(keys.parse(key)).toEqual(parsed);
  });

  it('sort by revision as numbers do', () => {
    const sorted = [keys.rev(9), keys.rev(10), keys.rev(101)];
    expect(sorted.toSorted()).toEqual(sorted);
  });

  it.each([
    'services/r/1:2',
    'lightmesh/',
    'lightmesh/plan/',
    'lightmesh/plan/a/b',
    'lightmesh/rev/12',
    'lightmesh/rev/000000000012/x',
    'lightmesh/rev/staged/x',
    'lightmesh/new/x',
  ])('%s is not one of ours', (key) => {
    expect(keys.parse(key)).toBeUndefined();
  });

  it.each(['', 'a/b'])('never take a segment like %j', (name) => {
    expect(() => keys.plan(name)).toThrow(expect.objectContaining({ code: 'MESH2000' }));
  });

  it('name what is below them', () => {
    expect(keys.below('def', 'Service')).toEqual({ prefix: 'lightmesh/def/Service/' });
  });
});
