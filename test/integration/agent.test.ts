/** Goal: the agent with real Docker, real compose, real Envoys and a real store: start, register, die, replace, drain, adopt. */
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Agent, startAgent } from '../../src/agent/agent.js';
import { ownIdentity } from '../../src/agent/claim.js';
import { openDocker } from '../../src/agent/docker.js';
import type { InstanceRecord } from '../../src/model/instance.js';
import type { AgentIdentity, NodeStatus } from '../../src/model/leased-values.js';
import type { MeshEvent } from '../../src/model/mesh-event.js';
import type { NodePlan, PlannedInstance } from '../../src/model/node-plan.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import type { Store } from '../../src/store/store.js';
import { containersWith, docker, isDockerMissing, removeContainersWith } from '../support/docker.js';
import { freePort, temporaryFolder } from '../support/mesh-process.js';
import { nodePlan, plannedInstance } from '../support/node-plans.js';
import { openAt, type StoreServer, startEmbeddedServer } from '../support/stores.js';
import { startTinyPilot, type TinyPilot } from '../support/tiny-pilot.js';
import { until } from '../support/until.js';

const START_LIMIT_MS = 60_000;

describe.skipIf(isDockerMissing())('an agent', () => {
  // Unique on a machine that others use too; short, since names have 40 characters.
  const node = `t${randomBytes(4).toString('hex')}`;
  const label = `io.lightmesh.node=${node}`;
  const old = `app-v1-1`;
  const successor = `app-v1-2`;
  let server: StoreServer;
  let store: Store;
  let pilot: TinyPilot;
  let folder: { path: string; remove(): Promise<void> };
  let agent: Agent;
  let revision = 0;
  let dataDir: string;

  const start = async (): Promise<Agent> =>
    startAgent(
      {
        node,
        store,
        dataDir,
        env: process.env,
        version: 'test',
        clock: systemClock,
        log: silentLogger,
      },
      AbortSignal.timeout(START_LIMIT_MS),
    );
  const instance = async (name: string, rest: Partial<PlannedInstance> = {}): Promise<PlannedInstance> => {
    const [app, inbound, proxy, metrics] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const ports = { app: { http: app }, inbound: { http: inbound }, proxy, metrics, upstreams: {} };
    return plannedInstance({ instance: name, ports, ...rest });
  };
  const plan = async (...instances: readonly PlannedInstance[]): Promise<NodePlan> => {
    const next = nodePlan(++revision, instances, { node });
    const put = { key: store.keys.plan(node), value: JSON.stringify(next) };
    await store.transact({ compare: [], put: [put], delete: [] });
    return next;
  };
  const reached = (): Promise<unknown> => agent.whenReached(revision, AbortSignal.timeout(START_LIMIT_MS));
  const record = async (name: string): Promise<InstanceRecord | undefined> => {
    const entry = await store.get(store.keys.instance(node, name));
    return entry && (JSON.parse(entry.value) as InstanceRecord);
  };
  const status = async (): Promise<NodeStatus | undefined> => {
    const entry = await store.get(store.keys.node(node));
    return entry && (JSON.parse(entry.value) as NodeStatus);
  };
  const listed = async (target: string): Promise<string[]> => {
    const { entries } = await store.list({ prefix: `${target}/` });
    return entries.map((entry) => entry.key.slice(target.length + 1));
  };
  const inboundOf = (planned: PlannedInstance): string => `127.0.0.1:${planned.ports.inbound['http']}`;
  const startedAt = (name: string): string => docker('inspect', '--format', '{{.State.StartedAt}}', name);

  beforeAll(async () => {
    folder = await temporaryFolder('agent');
    dataDir = path.join(folder.path, 'data');
    server = await startEmbeddedServer();
    store = await openAt(server.address, 'test/');
    const service = {
      apiVersion: 'mesh/v1',
      kind: 'Service',
      metadata: { name: 'app' },
      spec: { port: 9080, stable: 'v1' },
    };
    const put = {
      key: store.keys.def('Service', 'default', 'app'),
      value: JSON.stringify({ revision: 1, at: 0, document: service }),
    };
    await store.transact({ compare: [], put: [put], delete: [] });
    pilot = await startTinyPilot(store);
    agent = await start();
  });

  afterAll(async () => {
    await agent?.close();
    removeContainersWith(label);
    await pilot?.stop();
    await store?.close();
    await server?.stop();
    await folder?.remove();
    expect(containersWith(label)).toEqual([]);
  });

  let first: PlannedInstance;

  test('brings a planned pair up, and registers it when the app is healthy beside a ready sidecar', async () => {
    first = await instance(old);
    await plan(first);
    await reached();
    expect(containersWith(label)).toHaveLength(2);
    expect(await listed('services/app')).toEqual([inboundOf(first)]);
    expect(await listed('versions/app/v1')).toEqual([inboundOf(first)]);
    expect(await record(old)).toMatchObject({ state: 'healthy', node, planRevision: 1 });
    expect(await status()).toMatchObject({
      reachedRevision: 1,
      problems: [],
      compose: expect.stringContaining('compose'),
    });
    const response = await fetch(`http://${inboundOf(first)}/hello`);
    expect(response.headers.get('x-backend')).toBe('app/v1');
    expect(pilot.proxies()).toEqual([`default/app/${old}@${node}`]);
  });

  test('takes a killed instance out of the registry at once, and brings it back', async () => {
    const { container } = (await record(old)) as InstanceRecord;
    let died = 0;
    let gone = 0;
    const abort = new AbortController();
    const events = openDocker().events(
      { 'io.lightmesh.node': node },
      undefined,
      {
        open() {},
        event: (event) => {
          if (event.action === 'die') died ||= performance.now();
        },
      },
      abort.signal,
    );
    const mirror = store.mirror({
      list: [{ prefix: 'services/app/' }],
      watch: [{ prefix: 'services/app/' }],
      onChange: (batch) => {
        if (batch.deletes.length > 0) gone ||= performance.now();
      },
    });
    await mirror.whenListed;
    docker('kill', container);
    await until('the key is gone', () => gone > 0);
    abort.abort();
    await events;
    await mirror.close();
    process.stderr.write(`die to key deleted: ${Math.round(gone - died)} ms\n`);
    await until('the record says so', async () => (await record(old))?.state === 'stopped');
    await until('it is back', async () => (await listed('services/app')).length === 1, START_LIMIT_MS);
    await until('the record says so', async () => (await record(old))?.state === 'healthy');
  });

  test('finds an app that is frozen while its container runs, and lists it again when it goes on', async () => {
    const { container, startedAt: since } = (await record(old)) as InstanceRecord;
    const frozen = performance.now();
    docker('kill', '--signal', 'STOP', container);
    try {
      await until('it is out of the registry', async () => (await listed('services/app')).length === 0);
      process.stderr.write(`frozen to key deleted: ${Math.round(performance.now() - frozen)} ms\n`);
      await until('the record says why', async () => (await record(old))?.reason.includes('no answer within'));
      expect((await record(old))?.state).toBe('unhealthy');
    } finally {
      docker('kill', '--signal', 'CONT', container);
    }
    await until('it is back', async () => (await listed('services/app')).includes(inboundOf(first)));
    await until('the record says so', async () => (await record(old))?.state === 'healthy');
    expect((await record(old))?.startedAt).toBe(since);
  });

  test('finds a frozen app even where a connection is the check', async () => {
    const plain = await instance('app-v4-1', {
      health: { tcp: true, interval: '500ms', timeout: '1s', rise: 1, fall: 2 },
    });
    await plan(first, plain);
    await reached();
    const { container } = (await record('app-v4-1')) as InstanceRecord;
    docker('kill', '--signal', 'STOP', container);
    await until('it is unhealthy', async () => (await record('app-v4-1'))?.state === 'unhealthy');
    expect((await record('app-v4-1'))?.reason).toBe('app: its process is stopped (SIGSTOP)');
    docker('kill', '--signal', 'CONT', container);
    await until('it is well again', async () => (await record('app-v4-1'))?.state === 'healthy');
    await plan(first);
    await reached();
  });

  test('takes out what Docker has paused', async () => {
    const { container } = (await record(old)) as InstanceRecord;
    docker('pause', container);
    try {
      await until('the record says so', async () => (await record(old))?.reason === 'Docker has paused the app');
      expect(await listed('services/app')).toEqual([]);
    } finally {
      docker('unpause', container);
    }
    await until('it is back', async () => (await record(old))?.state === 'healthy');
  });

  test('adopts what runs when it is started again', async () => {
    const names = containersWith(label);
    const before = names.map(startedAt);
    await agent.close();
    expect(await listed('services/app')).toEqual([inboundOf(first)]);
    agent = await start();
    await reached();
    expect(names.map(startedAt)).toEqual(before);
    expect(await listed('services/app')).toEqual([inboundOf(first)]);
  });

  /** What an agent has left behind that did not end in order, under a lease of so many seconds. */
  const leaveKey = async (identity: Partial<AgentIdentity>, ttlSeconds: number): Promise<void> => {
    await agent.close();
    const value = JSON.stringify({ node, agent: { ...(await ownIdentity()), ...identity } });
    const put = { key: store.keys.node(node), value, lease: await store.grant(ttlSeconds) };
    await store.transact({ compare: [{ key: put.key, exists: false }], put: [put], delete: [] });
  };

  test('refuses a second agent of its node, and takes no notice of it', async () => {
    const before = await status();
    const refused = start();
    await expect(refused).rejects.toMatchObject({
      code: 'MESH2017',
      message: expect.stringContaining(`${process.pid}`),
    });
    expect(await status()).toEqual(before);
    expect(await listed('services/app')).toEqual([inboundOf(first)]);
  });

  test('takes over at once from one that was killed here, and after its lease from one that is elsewhere', async () => {
    // Far longer than this test waits: only who knows that it is dead comes in.
    await leaveKey({ startTime: 'another life of that number' }, 600);
    agent = await start();
    expect((await status())?.agent?.pid).toBe(process.pid);
    await leaveKey({ machine: 'another' }, 2);
    agent = await start();
    expect((await status())?.agent?.machine).toBe((await ownIdentity()).machine);
    await reached();
    expect(await listed('services/app')).toEqual([inboundOf(first)]);
  });

  test('ends when another has taken its node, and alters nothing more', async () => {
    const theirs = { ...(await ownIdentity()), machine: 'another', host: 'elsewhere' };
    const put = { key: store.keys.node(node), value: JSON.stringify({ node, agent: theirs }) };
    await store.transact({ compare: [], put: [], delete: [put.key] });
    await store.transact({ compare: [{ key: put.key, exists: false }], put: [put], delete: [] });
    await until('it knows', () => agent.taken.aborted);
    expect(agent.taken.reason).toMatchObject({ code: 'MESH2017', message: expect.stringContaining('elsewhere') });
    const { container } = (await record(old)) as InstanceRecord;
    docker('pause', container);
    await until('it has seen it and could not say so', () =>
      agent.progress().problems.some((problem) => problem.includes('Docker has paused')),
    );
    docker('unpause', container);
    await agent.close();
    expect((await record(old))?.state).toBe('healthy');
    expect((await store.get(put.key))?.value).toBe(put.value);
    await store.transact({ compare: [], put: [], delete: [put.key] });
    agent = await start();
    await reached();
  });

  test('comes back after a restart of its machine with the same instances', async () => {
    const { container, sidecar } = (await record(old)) as InstanceRecord;
    await leaveKey({ boot: 'the one before' }, 600);
    docker('kill', container, sidecar);
    const keys = await store.list({ prefix: 'services/app/' });
    await store.transact({ compare: [], put: [], delete: keys.entries.map(({ key }) => key) });
    agent = await start();
    await until(
      'it serves again',
      async () => (await listed('services/app')).includes(inboundOf(first)),
      START_LIMIT_MS,
    );
    await reached();
    expect(await record(old)).toMatchObject({ instance: old, state: 'healthy', ports: first.ports, planRevision: 1 });
    expect(containersWith(label)).toEqual([container, sidecar].toSorted());
    expect((await store.list(store.keys.below('instance', node))).entries).toHaveLength(1);
  });

  test('makes anew what has stopped and mounts a data directory that is gone', async () => {
    const { container, sidecar } = (await record(old)) as InstanceRecord;
    const id = (name: string): string => docker('inspect', '--format', '{{.Id}}', name);
    const before = [container, sidecar].map(id);
    await leaveKey({ boot: 'the one before' }, 600);
    docker('kill', container, sidecar);
    await rm(dataDir, { recursive: true });
    dataDir = path.join(folder.path, 'other');
    agent = await start();
    await until('it is another one', async () => (await record(old))?.state === 'healthy', START_LIMIT_MS);
    await reached();
    expect(containersWith(label)).toEqual([container, sidecar].toSorted());
    for (const name of [container, sidecar]) expect(before).not.toContain(id(name));
    expect((await fetch(`http://${inboundOf(first)}/again`)).headers.get('x-backend')).toBe('app/v1');
  });

  test('replaces an instance: the new one serves before the old one drains by acknowledgement', async () => {
    await pilot.holdAcksAt(1n);
    const second = await instance(successor);
    await plan(second);
    await until('the old one drains', async () => (await record(old))?.state === 'draining', START_LIMIT_MS);
    expect(await record(successor)).toMatchObject({ state: 'healthy' });
    expect(await listed('services/app')).toEqual([inboundOf(second)]);
    const response = await fetch(`http://${inboundOf(first)}/still-there`);
    expect(response.status).toBe(200);
    const slow = fetch(`http://${inboundOf(first)}/slow`, { headers: { 'x-want-delay': '1' } });
    await pilot.holdAcksAt(undefined);
    expect((await slow).status).toBe(200);
    await reached();
    expect(await record(old)).toBeUndefined();
    expect(containersWith(label)).toHaveLength(2);
    await expect(readFile(path.join(dataDir, node, old, 'envoy.yaml'))).rejects.toThrow('ENOENT');
  });

  test('says what stands in the way, and what is well serves all the same', async () => {
    const command = ['/bin/busybox', 'test', '!', '-e', '/tmp/sick'];
    const health = { command, interval: '500ms', timeout: '1s', rise: 1, fall: 2 };
    const well = await instance('app-v2-3', { health });
    const ill = await instance('app-v3-3', { container: { image: 'lightmesh/no-such-image:1' } });
    const second = JSON.parse((await store.get(store.keys.plan(node)))?.value ?? '') as NodePlan;
    await plan(...second.instances, well, ill);
    await until('the good one serves', async () => (await record('app-v2-3'))?.state === 'healthy', START_LIMIT_MS);
    expect(await listed('versions/app/v2')).toEqual([inboundOf(well)]);
    expect(await listed('services/app')).not.toContain(inboundOf(well));
    await until(
      'the bad one is named',
      async () => (await status())?.problems.some((problem) => problem.includes('no-such-image')),
      START_LIMIT_MS,
    );
    expect((await status())?.reachedRevision).toBe(revision - 1);
  });

  test('believes a command that it runs in the container', async () => {
    const { container } = (await record('app-v2-3')) as InstanceRecord;
    docker('exec', container, '/bin/busybox', 'touch', '/tmp/sick');
    await until('it is unhealthy', async () => (await record('app-v2-3'))?.state === 'unhealthy');
    expect((await record('app-v2-3'))?.reason).toBe('app: exit code 1 of /bin/busybox test ! -e /tmp/sick');
    docker('exec', container, '/bin/busybox', 'rm', '/tmp/sick');
    await until('it is well again', async () => (await record('app-v2-3'))?.state === 'healthy');
  });

  test('has told what happened', async () => {
    const { entries } = await store.list(store.keys.below('event'));
    const events = entries.map(({ value }) => JSON.parse(value) as MeshEvent);
    const of = (name: string): Set<string> =>
      new Set(events.filter((event) => event.name === name).map(({ reason }) => reason));
    // The same again is counted, so each stands once, where it was first.
    expect([...of(old)]).toEqual(['started', 'healthy', 'died', 'unhealthy', 'draining', 'stopped']);
    expect([...of(node)]).toEqual(['node-back', 'plan-reached', 'plan-hindered']);
    expect(events.find(({ reason }) => reason === 'died')).toMatchObject({ service: 'app', by: `agent ${node}` });
  });

  test('leaves nothing when the plan is empty', async () => {
    await plan();
    await reached();
    expect(containersWith(label)).toEqual([]);
    expect((await store.list(store.keys.below('instance', node))).entries).toEqual([]);
    expect(await listed('services/app')).toEqual([]);
    expect(await listed('versions/app')).toEqual([]);
  });
});
