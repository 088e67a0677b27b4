/** What the embedded server promises beside being an etcd: its directory, its journal, and stock clients. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Etcd3 } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { type EmbeddedServer, startEmbedded } from '../../src/store/embedded/embedded.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { hasEtcd } from '../support/etcd.js';
import { run, temporaryFolder } from '../support/mesh-process.js';
import { openAt } from '../support/stores.js';
import { until } from '../support/until.js';

const context = { clock: systemClock, log: silentLogger };
const LEASE_LISTED = /granted with TTL\((\d+)s\)/;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dir: string;
let closables: { close(): Promise<void> }[] = [];
const closing = <T extends { close(): Promise<void> }>(thing: T): T => {
  closables.push(thing);
  return thing;
};
const open = async (): Promise<Store> => closing(await openStore(`embedded:${dir}`, { ...context, timeoutMs: 3000 }));

beforeEach(async () => {
  folder = await temporaryFolder('embedded');
  dir = path.join(folder.path, 'data');
});
afterEach(async () => {
  for (const thing of closables.reverse()) await thing.close();
  closables = [];
  await folder.remove();
});

describe('its directory', () => {
  it('is opened by its URL, and by its address from elsewhere', async () => {
    const store = await open();
    const address = (await readFile(path.join(dir, 'address'), 'utf8')).trim();
    expect(store.addresses).toEqual([address]);
    const other = closing(await openAt(address, store.prefix));
    const key = store.keys.plan('a');
    await store.transact({ compare: [], put: [{ key, value: '1' }], delete: [] });
    expect(await other.get(key)).toMatchObject({ value: '1' });
  });

  it('is refused to a second opener, who is told the process that has it', async () => {
    await open();
    const second = openStore(`embedded:${dir}`, { ...context, timeoutMs: 3000 });
    await expect(second).rejects.toMatchObject({ code: 'MESH2011' });
    await expect(second).rejects.toThrow(String(process.pid));
  });

  it('keeps its address over a restart, and its epoch', async () => {
    const first = await open();
    const epoch = await first.get(first.keys.metaEpoch);
    await first.close();
    const second = await open();
    expect(second.addresses).toEqual(first.addresses);
    expect(await second.get(second.keys.metaEpoch)).toEqual(epoch);
  });

  it.each(['0.0.0.0:0', '10.0.0.4:2379', '[::]:0'])(
    'is not served on %s, where others could reach it',
    async (listen) => {
      await expect(startEmbedded({ dir, listen, ...context })).rejects.toMatchObject({ code: 'MESH2007' });
    },
  );

  it('is taken over when the process that the lock names is not the one that took it', async () => {
    await (await open()).close();
    await writeFile(path.join(dir, 'lock'), JSON.stringify({ pid: process.pid, startTime: 'another' }));
    expect((await open()).addresses).toHaveLength(1);
  });

  it('is refused with MESH2014 when the journal is damaged before its end', async () => {
    const store = await open();
    const key = store.keys.plan('a');
    for (const value of ['1', '2', '3']) await store.transact({ compare: [], put: [{ key, value }], delete: [] });
    await store.close();
    const journal = await readFile(path.join(dir, 'journal'));
    journal[20] = (journal[20] ?? 0) ^ 0x10;
    await writeFile(path.join(dir, 'journal'), journal);
    await expect(open()).rejects.toMatchObject({ code: 'MESH2014' });
  });
});

describe('a killed process', () => {
  const children = new Set<ChildProcess>();
  const start = async (): Promise<{ child: ChildProcess; address: string }> => {
    const script = path.join(import.meta.dirname, '../support/embedded-process.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return { child, address: String(line).trim() };
  };
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  it('has lost nothing that it had acknowledged', async () => {
    const acknowledged = new Map<string, bigint>();
    for (let round = 0; round < 3; round++) {
      const { child, address } = await start();
      const store = await openAt(address, 'test/', 400);
      const write = async (writer: number): Promise<void> => {
        for (let i = 0; !child.killed; i++) {
          const key = store.keys.plan(`${round}-${writer}-${i}`);
          const done = await store.transact({ compare: [], put: [{ key, value: 'x'.repeat(200) }], delete: [] });
          acknowledged.set(key, done.storeRevision);
        }
      };
      const writing = Array.from({ length: 8 }, (_, writer) => write(writer).catch(() => {})); // the kill ends it
      const enough = acknowledged.size + 300;
      await until('some writes are acknowledged', () => acknowledged.size >= enough);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await Promise.all(writing);
      await store.close();
    }
    const server = closing(await startEmbedded({ dir, ...context }));
    const store = closing(await openAt(server.address, 'test/'));
    const { entries } = await store.list(store.keys.below('plan'));
    const found = new Map(entries.map(({ key, modRevision }) => [key, modRevision]));
    const lost = [...acknowledged].filter(([key, revision]) => found.get(key) !== revision);
    expect(lost).toEqual([]);
  }, 60_000);
});

const hasEtcdctl = (): boolean => hasEtcd() && spawnSync('etcdctl', ['version']).status === 0;

describe.runIf(hasEtcdctl())('etcdctl', () => {
  const etcdctl = async (address: string, ...args: string[]): Promise<string> => {
    const done = await run('etcdctl', ['--endpoints', address, ...args], { env: { ETCDCTL_API: '3' } });
    if (done.code !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${done.stderr}`);
    return done.stdout.trim();
  };

  it('puts, gets, deletes, compares, compacts and asks for the status', async () => {
    const { address } = closing(await startEmbedded({ dir, ...context }));
    expect(await etcdctl(address, 'put', 'a/1', 'one')).toBe('OK');
    await etcdctl(address, 'put', 'a/2', 'two');
    expect(await etcdctl(address, 'get', '--prefix', 'a/')).toBe('a/1\none\na/2\ntwo');
    expect(await etcdctl(address, 'get', '--prefix', '--keys-only', '--order=DESCEND', '--limit=1', 'a/')).toBe('a/2');
    expect(await etcdctl(address, 'get', '--rev=2', '--prefix', 'a/')).toBe('a/1\none');
    expect(await etcdctl(address, 'del', '--prefix', 'a/')).toBe('2');
    expect(await etcdctl(address, 'compaction', '3')).toBe('compacted revision 3');
    await expect(etcdctl(address, 'get', '--rev=2', 'a/1')).rejects.toThrow(
      'etcdserver: mvcc: required revision has been compacted',
    );
    const txn = await run('etcdctl', ['--endpoints', address, 'txn'], {
      env: { ETCDCTL_API: '3' },
      input: 'version("b") = "0"\n\nput b created\n\nget b\n\n',
    });
    expect(txn.stdout).toContain('SUCCESS');
    expect(await etcdctl(address, 'endpoint', 'status')).toContain(address);
    expect(await etcdctl(address, 'endpoint', 'health').catch(String)).not.toContain('unhealthy');
    expect(await etcdctl(address, 'member', 'list')).toContain('embedded');
  }, 20_000);

  it('grants, lists, reads and revokes leases, whose keys go with them', async () => {
    const { address } = closing(await startEmbedded({ dir, ...context }));
    const granted = await etcdctl(address, 'lease', 'grant', '60');
    const id = /lease (\w+) granted/.exec(granted)?.[1] ?? '';
    expect(LEASE_LISTED.exec(granted)?.[1]).toBe('60');
    await etcdctl(address, 'put', `--lease=${id}`, 'leased', '1');
    expect(await etcdctl(address, 'lease', 'list')).toContain(id);
    expect(await etcdctl(address, 'lease', 'timetolive', '--keys', id)).toContain('attached keys([leased])');
    expect(await etcdctl(address, 'lease', 'keep-alive', '--once', id)).toContain('TTL(60)');
    await etcdctl(address, 'lease', 'revoke', id);
    expect(await etcdctl(address, 'get', 'leased')).toBe('');
    await expect(etcdctl(address, 'put', `--lease=${id}`, 'leased', '1')).rejects.toThrow('requested lease not found');
  }, 20_000);

  it('is refused new keys when the quota is used up, and goes on after compaction, defrag and disarm', async () => {
    const open = (): Promise<EmbeddedServer> => startEmbedded({ dir, ...context, quotaBytes: 4 * 1024 * 1024 });
    let server = await open();
    const { address } = server;
    closing({ close: () => server.close() });
    const lease = /lease (\w+) granted/.exec(await etcdctl(address, 'lease', 'grant', '60'))?.[1] ?? '';
    const client = new Etcd3({ hosts: [`http://${address}`] });
    closing({ close: async () => client.close() });
    const fill = async (): Promise<never> => {
      for (;;) await client.put('big').value('x'.repeat(200_000));
    };
    await expect(fill()).rejects.toThrow('etcdserver: mvcc: database space exceeded');
    const spaceExceeded = 'etcdserver: mvcc: database space exceeded';
    await expect(etcdctl(address, 'put', 'more', 'x')).rejects.toThrow(spaceExceeded);
    await expect(etcdctl(address, 'lease', 'grant', '60')).rejects.toThrow(spaceExceeded);
    expect(await etcdctl(address, 'alarm', 'list')).toMatch(/memberID:\d+ alarm:NOSPACE/);
    expect(await etcdctl(address, 'endpoint', 'status')).toContain('NOSPACE');
    // Reads, deletes and renewals go on, and the alarm outlives a restart.
    await etcdctl(address, 'del', 'big');
    expect(await etcdctl(address, 'lease', 'keep-alive', '--once', lease)).toContain('TTL(60)');
    await server.close();
    server = await open();
    await expect(etcdctl(address, 'put', 'more', 'x')).rejects.toThrow(spaceExceeded);
    const revision = /"revision":(\d+)/.exec(await etcdctl(address, 'endpoint', 'status', '-w', 'json'))?.[1] ?? '';
    await etcdctl(address, 'compaction', revision);
    await etcdctl(address, 'defrag');
    expect(await etcdctl(address, 'alarm', 'disarm')).toContain('NOSPACE');
    expect(await etcdctl(address, 'alarm', 'list')).toBe('');
    expect(await etcdctl(address, 'put', 'more', 'x')).toBe('OK');
    expect(await etcdctl(address, 'endpoint', 'hashkv')).toMatch(/, \d+$/);
    await expect(etcdctl(address, 'snapshot', 'save', path.join(folder.path, 'db'))).rejects.toThrow(
      'mesh store backup',
    );
  }, 30_000);

  it('watches from the past and the present, with previous values', async () => {
    const { address } = closing(await startEmbedded({ dir, ...context }));
    await etcdctl(address, 'put', 'w/a', '1');
    const args = ['--endpoints', address, 'watch', '--prefix', '--prev-kv', '--rev=2', 'w/'];
    const child = spawn('etcdctl', args, { env: { ...process.env, ETCDCTL_API: '3' } });
    let seen = '';
    child.stdout.on('data', (part) => (seen += part));
    await until('the past is told', () => seen.includes('PUT'));
    await etcdctl(address, 'put', 'w/a', '2');
    await etcdctl(address, 'del', 'w/a');
    await until('the present is told', () => seen.includes('DELETE'));
    child.kill();
    expect(seen.trim().split('\n')).toEqual([
      'PUT',
      'w/a',
      '1',
      'PUT',
      'w/a',
      '1',
      'w/a',
      '2',
      'DELETE',
      'w/a',
      '2',
      'w/a',
    ]);
  }, 20_000);
});
