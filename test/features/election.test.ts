/** Leadership on a real etcd and on the embedded server: one holder at a time, and whoever was paused can write nothing. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, type TestContext, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { type Election, standForElection, type Term } from '../../src/store/election.js';
import type { MirrorBatch, Registrar, Store } from '../../src/store/store.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { type Operator, openAt, operatorAt, type StoreServer, storeServers } from '../support/stores.js';
import { until } from '../support/until.js';

const ROLE = 'test';

interface Candidate {
  readonly store: Store;
  readonly registrar: Registrar;
  readonly election: Election;
  readonly terms: Term[];
}

describe.concurrent.each(storeServers())('$name', ({ start }) => {
  let server: StoreServer;
  let operator: Operator;
  let count = 0;

  beforeAll(async () => {
    server = await start();
    operator = operatorAt(server.address);
  }, 30_000);
  afterAll(async () => {
    operator.close();
    await server.stop();
  });

  /** Candidates of one test, under a prefix of their own. */
  const candidates = (context: TestContext) => {
    const prefix = `election-${++count}/`;
    const closing = <T extends { close(): Promise<void> | void }>(thing: T): T => {
      context.onTestFinished(async () => thing.close());
      return thing;
    };
    const candidate = async (id: string, address = server.address, ttlSeconds = 2): Promise<Candidate> => {
      const store = closing(await openAt(address, prefix));
      const registrar = closing(store.registrar({ ttlSeconds }));
      const terms: Term[] = [];
      const onLeading = (term: Term): void => void terms.push(term);
      const common = { store, registrar, clock: systemClock, log: silentLogger };
      const election = closing(standForElection({ ...common, role: ROLE, id, onLeading }));
      return { store, registrar, election, terms };
    };
    return { candidate, closing, prefix };
  };
  const leading = ({ election }: Candidate): Promise<Term> => until('a term', () => election.term());
  const write = (term: Term, store: Store, value: string) =>
    term.transact({ compare: [], put: [{ key: store.keys.plan('a'), value }], delete: [] });

  test('of many candidates one leads, and all see who', async (context) => {
    const { candidate } = candidates(context);
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((id) => candidate(id)));
    await until('everybody sees a leader', () => all.every(({ election }) => election.leader() !== undefined));
    const leaders = all.filter(({ election }) => election.term() !== undefined);
    context.expect(leaders).toHaveLength(1);
    context.expect(new Set(all.map(({ election }) => election.leader())).size).toBe(1);
    const entry = await all[0]?.store.get(all[0].store.keys.leader(ROLE));
    context.expect(leaders[0]?.election.term()?.token).toBe(entry?.createRevision);
    context.expect(entry?.lease).toBe(leaders[0]?.registrar.leaseId);
  });

  test('whoever withdraws hands over at once, to a higher token', async (context) => {
    const { candidate } = candidates(context);
    const a = await candidate('a', server.address, 30);
    const first = await leading(a);
    const b = await candidate('b', server.address, 30);
    await until('b follows', () => b.election.leader() === 'a');
    context.expect(b.election.term()).toBeUndefined();
    await a.election.close();
    const second = await leading(b);
    context.expect(first.signal.aborted).toBe(true);
    context.expect(second.token).toBeGreaterThan(first.token);
    await context.expect(write(first, a.store, 'late')).rejects.toMatchObject({ code: 'MESH2004' });
  });

  test('a leader whose lease was revoked stops, and leads again with a new token', async (context) => {
    const { candidate } = candidates(context);
    const a = await candidate('a');
    const first = await leading(a);
    await operator.revoke(a.registrar.leaseId ?? '');
    const second = await until('another term', () => a.terms[1]);
    context.expect(first.signal.aborted).toBe(true);
    context.expect(second.token).toBeGreaterThan(first.token);
    await context.expect(write(second, a.store, '2')).resolves.toMatchObject({ ok: true });
  });

  test('the key outlives the renewals of its lease', async (context) => {
    const { candidate } = candidates(context);
    const a = await candidate('a');
    await leading(a);
    const { leaseId } = a.registrar;
    let seen = a.registrar.aliveForMs();
    let renewals = 0;
    await until('three renewals', () => {
      const now = a.registrar.aliveForMs();
      if (now > seen) renewals++;
      seen = now;
      return renewals >= 3;
    });
    context.expect(a.registrar.leaseId).toBe(leaseId);
    context.expect(a.terms).toHaveLength(1);
    context.expect(await a.store.get(a.store.keys.leader(ROLE))).toBeDefined();
  });

  test('a leader that is cut off stops by its own clock before another begins, and its late write is refused', async (context) => {
    const { candidate, closing } = candidates(context);
    const proxy: FaultProxy = closing(await startFaultProxy(server.address));
    const a = await candidate('a', proxy.address);
    const first = await leading(a);
    const b = await candidate('b');
    await until('b follows', () => b.election.leader() === 'a');
    proxy.drop();
    const second = await leading(b);
    context.expect(first.signal.aborted).toBe(true);
    context.expect(second.token).toBeGreaterThan(first.token);
    proxy.heal();
    await until('a follows', () => a.election.leader() === 'b');
    context.expect(a.terms).toHaveLength(1);
    await context.expect(write(first, a.store, 'late')).rejects.toMatchObject({ code: 'MESH2004' });
    await context.expect(write(second, b.store, 'right')).resolves.toMatchObject({ ok: true });
  }, 20_000);

  test('a leader that was paused and believes itself alive cannot write: the fence holds without any clock', async (context) => {
    const { candidate } = candidates(context);
    const a = await candidate('a');
    const first = await leading(a);
    // What a paused process would send when it wakes up: its key has been made anew in the meantime.
    const key = a.store.keys.leader(ROLE);
    await a.store.transact({ compare: [], put: [], delete: [key] });
    await a.store.transact({ compare: [{ key, exists: false }], put: [{ key, value: 'b' }], delete: [] });
    const before = await a.store.get(a.store.keys.plan('a'));
    await context.expect(write(first, a.store, 'late')).rejects.toMatchObject({ code: 'MESH2004' });
    context.expect(await a.store.get(a.store.keys.plan('a'))).toEqual(before);
    context.expect(first.signal.aborted).toBe(true);
  });

  test("a refused comparison of the caller's own is an answer, and ends no term", async (context) => {
    const { candidate } = candidates(context);
    const a = await candidate('a');
    const term = await leading(a);
    const key = a.store.keys.plan('a');
    await write(term, a.store, '1');
    const result = await term.transact({ compare: [{ key, exists: false }], put: [{ key, value: '2' }], delete: [] });
    context.expect(result.ok).toBe(false);
    context.expect(term.signal.aborted).toBe(false);
  });

  test('a leader whose process is stopped is replaced, and whatever it does when it wakes up is refused', async (context) => {
    const { candidate, closing, prefix } = candidates(context);
    const script = path.join(import.meta.dirname, '../support/leader-process.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, server.address, prefix, 'child']);
    closing({ close: () => void child.kill('SIGKILL') });
    let said = '';
    child.stdout.on('data', (part) => (said += part));
    await until('it writes as the leader', () => said.includes('written 10\n'), 20_000);
    const b = await candidate('b');
    const values: string[] = [];
    const plans = [b.store.keys.below('plan')];
    const onChange = ({ puts }: MirrorBatch): void => void values.push(...puts.map(({ value }) => value));
    closing(b.store.mirror({ list: plans, watch: plans, onChange }));
    await until('b follows', () => b.election.leader() === 'child' && values.length > 0);
    child.kill('SIGSTOP');
    const term = await leading(b);
    await write(term, b.store, 'b');
    child.kill('SIGCONT');
    await until('it has tried', () => said.includes('refused 3\n'));
    await write(term, b.store, 'b again');
    await until('the last write', () => values.at(-1) === 'b again');
    context.expect(values.slice(values.indexOf('b'))).toEqual(['b', 'b again']);
  }, 40_000);

  test.sequential('after the store has lost everything there is one leader again', async (context) => {
    const { candidate } = candidates(context);
    const a = await candidate('a');
    const b = await candidate('b');
    await until('a leader', () => a.election.term() ?? b.election.term());
    await server.restart({ wiped: true });
    await until('one new leader', async () => {
      const leaders = [a, b].filter(({ election }) => election.term() !== undefined);
      const entry = await a.store.get(a.store.keys.leader(ROLE));
      return leaders.length === 1 && entry?.createRevision === leaders[0]?.election.term()?.token;
    });
  }, 30_000);
});
