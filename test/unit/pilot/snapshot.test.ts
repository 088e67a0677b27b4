import { describe, expect, test } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import type { InstanceRecord } from '../../../src/model/instance.js';
import { serviceKind } from '../../../src/model/service.js';
import { versionKind } from '../../../src/model/version.js';
import { emptySnapshot, type SnapshotState, updateSnapshot } from '../../../src/pilot/snapshot.js';
import { keysUnder } from '../../../src/store/keys.js';
import { encodeNamingValue, namingKey } from '../../../src/store/naming.js';
import type { MirrorBatch } from '../../../src/store/store.js';

const keys = keysUnder('lightmesh/');
let storeRevision = 0n;

function update(state: SnapshotState, values: Readonly<Record<string, unknown>>): SnapshotState {
  storeRevision++;
  const entry = (key: string, value: unknown) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return { key, value: text, modRevision: storeRevision, createRevision: storeRevision, lease: '0' };
  };
  const entries = Object.entries(values);
  const batch: MirrorBatch = {
    storeRevision,
    puts: entries.filter(([, value]) => value !== undefined).map(([key, value]) => entry(key, value)),
    deletes: entries.filter(([, value]) => value === undefined).map(([key]) => ({ key, previous: entry(key, '') })),
    relisted: false,
    regressed: false,
  };
  return updateSnapshot(state, batch, { keys, kinds: allKinds });
}

function service(name: string, spec: object = {}): Record<string, unknown> {
  const document = { apiVersion: 'mesh/v1', kind: 'Service', metadata: { name }, spec: { port: 80, ...spec } };
  return { [keys.def('Service', 'default', name)]: { revision: 1, at: 0, document } };
}

function record(rest: Partial<InstanceRecord> = {}): Record<string, unknown> {
  const value: InstanceRecord = {
    instance: 'web-v1-1',
    namespace: 'default',
    service: 'web',
    version: 'v1',
    node: 'a',
    cluster: 'room',
    region: 'r',
    zone: 'z',
    address: '10.0.0.1',
    ports: { app: { http: 1 }, inbound: { http: 20_001 }, proxy: 2, metrics: 3, upstreams: {} },
    labels: {},
    state: 'healthy',
    reason: '',
    container: '',
    sidecar: '',
    startedAt: 0,
    planRevision: 1,
    ...rest,
  };
  return { [keys.instance(value.node, value.instance)]: value };
}

const plainKey = namingKey({ namespace: 'default', service: 'web' }, '10.0.0.1:20001');
const versionKey = namingKey({ namespace: 'default', service: 'web', version: 'v1' }, '10.0.0.1:20001');
const registered = (mesh: object = {}): string => encodeNamingValue({ address: '10.0.0.1:20001', mesh });

const endpointsIn = ({ snapshot }: SnapshotState): string[] =>
  (snapshot.endpoints.get('default/web') ?? []).map((e) => `${e.address}:${e.port} ${e.version} ${e.health}`);

describe('definitions', () => {
  test('those of kinds that did not change stay the same objects, and so do their lists', () => {
    const first = update(emptySnapshot, { ...service('web'), ...service('api') });
    const web = first.snapshot.definitions.get(serviceKind, 'default', 'web');
    const versions = first.snapshot.definitions.all(versionKind);
    const second = update(first, service('api', { owner: 'us' }));
    expect(second.snapshot.definitions).not.toBe(first.snapshot.definitions);
    expect(second.snapshot.definitions.get(serviceKind, 'default', 'web')).toBe(web);
    expect(second.snapshot.definitions.all(versionKind)).toBe(versions);
    expect(second.snapshot.endpoints).toBe(first.snapshot.endpoints);
  });

  test('the namespace is that of the key, and the document stays as it was written', () => {
    const document = { apiVersion: 'mesh/v1', kind: 'Service', metadata: { name: 'web' }, spec: { port: 80 } };
    const key = keys.def('Service', 'shop', 'web');
    const { snapshot } = update(emptySnapshot, { [key]: { revision: 1, at: 0, document } });
    expect(snapshot.definitions.get(serviceKind, 'shop', 'web')).toMatchObject({ namespace: 'shop', document });
  });

  test('one that cannot be read keeps its last good and is told of, until it is good again', () => {
    const key = keys.def('Service', 'default', 'web');
    const good = update(emptySnapshot, service('web'));
    const bad = update(good, { [key]: '{"revision":2' });
    expect(bad.snapshot).toBe(good.snapshot);
    expect(bad.findings.get(key)?.message).toBe('the value is not JSON');
    const mended = update(bad, service('web', { owner: 'us' }));
    expect(mended.findings.size).toBe(0);
    expect(mended.snapshot.definitions.get(serviceKind, 'default', 'web')?.spec.owner).toBe('us');
  });
});

describe('endpoints', () => {
  test('a record with its registration is healthy, without it unhealthy', () => {
    const running = update(emptySnapshot, { ...record(), [versionKey]: registered() });
    expect(endpointsIn(running)).toEqual(['10.0.0.1:20001 v1 HEALTHY']);
    expect(endpointsIn(update(running, { [versionKey]: undefined }))).toEqual(['10.0.0.1:20001 v1 UNHEALTHY']);
  });

  test('a registration that is written again as it was changes nothing at all', () => {
    const running = update(emptySnapshot, { ...record(), [versionKey]: registered({ zone: 'z' }) });
    expect(update(running, { [versionKey]: registered({ zone: 'z' }) })).toBe(running);
    expect(update(running, { [versionKey]: registered({ zone: 'y' }) })).not.toBe(running);
  });

  test.each([
    ['draining', ['10.0.0.1:20001 v1 DRAINING']],
    ['unhealthy', ['10.0.0.1:20001 v1 UNHEALTHY']],
    ['starting', []],
    ['stopped', []],
  ] as const)('a %s instance is shown as %j', (state, expected) => {
    expect(endpointsIn(update(emptySnapshot, record({ state })))).toEqual(expected);
  });

  test('every port of an instance lives with the one under which it is registered', () => {
    const ports = { app: {}, inbound: { http: 20_001, admin: 20_002 }, proxy: 2, metrics: 3, upstreams: {} };
    const running = update(emptySnapshot, { ...record({ ports }), [versionKey]: registered() });
    expect(endpointsIn(running)).toEqual(['10.0.0.1:20001 v1 HEALTHY', '10.0.0.1:20002 v1 HEALTHY']);
  });

  test('an address that registered itself is healthy, once, with the version that one of its keys names', () => {
    const alone = update(emptySnapshot, { [plainKey]: registered() });
    expect(endpointsIn(alone)).toEqual(['10.0.0.1:20001  HEALTHY']);
    expect(endpointsIn(update(alone, { [versionKey]: registered() }))).toEqual(['10.0.0.1:20001 v1 HEALTHY']);
  });

  test('an instance that registers itself besides its agent is counted once, with what its record says', () => {
    const both = update(emptySnapshot, { ...record({ state: 'draining' }), [plainKey]: registered() });
    expect(endpointsIn(both)).toEqual(['10.0.0.1:20001 v1 DRAINING']);
  });

  test('the list stays the same object when a record changes in what no proxy sees', () => {
    const running = update(emptySnapshot, { ...record(), [versionKey]: registered() });
    const renamed = update(running, record({ container: 'other' }));
    expect(renamed.snapshot.endpoints).toBe(running.snapshot.endpoints);
    expect(renamed.snapshot.instances).not.toBe(running.snapshot.instances);
  });

  test('a value that is no registration is told of, and changes nothing', () => {
    const bad = update(emptySnapshot, { [plainKey]: '{"Op":0}' });
    expect(endpointsIn(bad)).toEqual([]);
    expect(bad.findings.get(plainKey)?.message).toContain('Addr');
    const good = update(bad, { [plainKey]: registered() });
    expect([endpointsIn(good), good.findings.size]).toEqual([['10.0.0.1:20001  HEALTHY'], 0]);
  });

  test('a host name is not for proxies: one of them would refuse all endpoints of its service', () => {
    const state = update(emptySnapshot, { [plainKey]: registered(), 'services/web/n': '{"Addr":"web.intranet:80"}' });
    expect(endpointsIn(state)).toEqual(['10.0.0.1:20001  HEALTHY']);
    expect(state.findings.get('services/web/n')?.message).toContain('expected an IP address');
  });

  test.each([
    [
      'endpoints.Manager of etcd 3.5 and later',
      '{"Op":0,"Addr":"10.0.0.9:80","Metadata":null}',
      '10.0.0.9:80  HEALTHY',
    ],
    ['GRPCResolver of etcd 3.3', '{"Op":0,"Addr":"10.0.0.9:80","Metadata":"v2"}', '10.0.0.9:80 v2 HEALTHY'],
    ['a hand that knows only the address', '{"addr":"10.0.0.9:80"}', '10.0.0.9:80  HEALTHY'],
    ['an IPv6 host', '{"Addr":"[fd00::1]:80"}', 'fd00::1:80  HEALTHY'],
  ])('what %s has written is an instance like any other', (_, value, expected) => {
    expect(endpointsIn(update(emptySnapshot, { 'services/web/any id': value }))).toEqual([expected]);
  });

  test('one that is marked as deleted is none', () => {
    const state = update(emptySnapshot, { 'services/web/x': '{"Op":1,"Addr":"10.0.0.9:80"}' });
    expect([endpointsIn(state), state.findings.size]).toEqual([[], 0]);
  });
});

test('leases, acknowledgements and facts leave the very same state', () => {
  const state = update(emptySnapshot, { ...service('web'), ...record() });
  const news = {
    [keys.ack('p1')]: {},
    [keys.fact('default', 'web', 'p1')]: {},
    [keys.node('a')]: {},
    'somebody/else': '',
  };
  expect(update(state, news)).toBe(state);
});

test('a head of the revisions that cannot be read is told of, and the revision before it stays', () => {
  const state = update(emptySnapshot, { ...service('web'), [keys.revHead]: { revision: 7 } });
  const damaged = update(state, { [keys.revHead]: 'oops' });
  expect(damaged.snapshot.revision).toBe(7);
  expect(damaged.findings.get(keys.revHead)?.message).toContain('head of the revisions');
  expect(update(damaged, { [keys.revHead]: { revision: 8 } }).findings.size).toBe(0);
});
