import { describe, expect, test } from 'vitest';
import type { EvictionStatus, InstanceItem, StatusResponse } from '../../../src/model/api.js';
import { type Clock, systemClock } from '../../../src/runtime/clock.js';
import { cli, fakePilot } from '../../support/cli-io.js';

const NOW = 1_700_000_060_000;
const clock: Clock = { ...systemClock, now: () => NOW };
const frozen: EvictionStatus = {
  leader: 'p1',
  frozen: [{ scope: 'shop/api', since: NOW - 30_000, why: '4 of 6 instances vanished within 20s' }],
  missing: [
    {
      namespace: 'shop',
      service: 'api',
      version: 'v1',
      instance: 'api-v1-1',
      node: 'node-a',
      address: '10.0.0.1:20000',
      state: 'suspect',
      since: NOW - 30_000,
      until: null,
      isFrozen: true,
      why: 'the lease of its agent has ended',
    },
  ],
};
const well: EvictionStatus = { leader: null, frozen: [], missing: [] };
const status = (eviction: EvictionStatus): StatusResponse => ({
  version: '0',
  revision: 7,
  store: { description: 'etcd', synced: true, storeRevision: '9' },
  pilots: [],
  nodes: [],
  services: [],
  proxies: { connected: 0, synced: 0, nacked: 0 },
  releases: [],
  eviction,
  trustedNetworks: [],
  refused: [],
  findings: [],
});
const statusText = async (eviction: EvictionStatus): Promise<string> => {
  const { fetch } = fakePilot({ 'GET /v1/status': status(eviction) });
  const { stdout, exit } = await cli(['status'], { fetch, clock });
  expect(exit).toBe(0);
  return stdout;
};

describe('mesh status', () => {
  test('shows what is frozen, since when and why, who is missing, and what to type', async () => {
    const text = await statusText(frozen);
    expect(text).toContain(
      '! shop/api is frozen for 30s, nobody is removed: 4 of 6 instances vanished within 20s. Look at the store, the network and the agents; if they are really gone: mesh thaw api -n shop',
    );
    expect(text).toMatch(/shop +api +api-v1-1 +node-a +suspect \(frozen\) +30s +the lease of its agent has ended/);
    expect(text).toMatch(/^leader +p1$/m);
  });

  test('counts those that are evicted: they are listed elsewhere', async () => {
    const evicted = frozen.missing.map((item) => ({ ...item, state: 'evicted' as const, isFrozen: false }));
    const text = await statusText({ ...well, missing: evicted });
    expect(text).toContain('1 instance evicted: mesh get instances -A');
    expect(text).not.toContain('MISSING');
  });

  test('says that nobody is removed while no pilot leads, and nothing of evictions when all is well', async () => {
    const text = await statusText(well);
    expect(text).toContain('none: nobody is removed, however long it is missing');
    expect(text).not.toContain('MISSING');
  });
});

describe('mesh get instances', () => {
  test('is the list of mesh ps; what is missing shows what becomes of it', async () => {
    const item = { instance: 'api-v1-1', service: 'api', namespace: 'default', version: 'v1', node: 'a' };
    const ports = { address: '10.0.0.1:1', appPort: 2, inboundPort: 1, proxyPort: 3, metricsPort: 4 };
    const rest = { container: '', sidecar: '', startedAt: 0, planRevision: 1, state: 'unhealthy', reason: '' } as const;
    const eviction = { state: 'suspect', since: NOW - 17_000, until: NOW + 43_000, isFrozen: false } as const;
    const items: InstanceItem[] = [
      { ...item, ...ports, ...rest, eviction },
      { ...item, ...ports, ...rest, instance: 'api-v1-2' },
    ];
    const { fetch } = fakePilot({ 'GET /v1/instances': { kind: 'InstanceList', items } });
    const all = await cli(['get', 'instances'], { fetch, clock });
    expect(all.stdout).toMatch(/api-v1-1 +a +suspect \(removed in 43s\) /);
    expect(all.stdout).toMatch(/api-v1-2 +a +unhealthy /);
    expect((await cli(['ps'], { fetch, clock })).stdout).toBe(all.stdout);
    expect((await cli(['get', 'instance', 'api-v1-2', '-o', 'name'], { fetch, clock })).stdout).toBe('api-v1-2\n');
    const refused = await cli(['get', 'instances', '-l', 'a=b'], { fetch, clock });
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('mesh ps SERVICE') });
  });
});

describe('mesh thaw', () => {
  const thawed = { thawed: [{ scope: 'shop/api', since: 0, why: '' }], stillFrozen: ['mesh'] };

  test('asks, and changes nothing without an answer', async () => {
    const { fetch, asked } = fakePilot({ 'GET /v1/evictions': frozen, 'POST /v1/thaw': thawed });
    const done = await cli(['thaw', 'api', '-n', 'shop'], { fetch });
    expect(done.exit).toBe(2);
    expect(done.stderr).toContain('mesh thaw api -n shop -y');
    expect(asked.map(({ method }) => method)).toEqual(['GET']);
  });

  test('says what it ended, what still holds, and what to look at next', async () => {
    const { fetch, asked } = fakePilot({ 'GET /v1/evictions': frozen, 'POST /v1/thaw': thawed });
    const done = await cli(['thaw', 'api', '-n', 'shop', '-y', '-m', 'gone'], { fetch });
    expect(done).toMatchObject({ exit: 0, stdout: 'thawed: shop/api\n' });
    expect(done.stderr).toContain('The whole mesh is frozen too');
    expect(asked[1]?.body).toMatchObject({ namespace: 'shop', service: 'api', why: 'gone' });
  });

  test('of what is not frozen asks nothing and says so', async () => {
    const { fetch } = fakePilot({ 'GET /v1/evictions': well, 'POST /v1/thaw': { thawed: [], stillFrozen: [] } });
    expect(await cli(['thaw', 'api'], { fetch })).toMatchObject({ exit: 0, stderr: 'default/api is not frozen.\n' });
    expect(await cli(['thaw'], { fetch })).toMatchObject({ exit: 0, stderr: 'Nothing is frozen.\n' });
  });
});
