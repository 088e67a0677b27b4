/** Goal: what an operator does to a store loses nothing, and refuses what would. Between the embedded store and a real etcd. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { durableOf, everything } from '../../src/store/durable.js';
import { startEmbedded } from '../../src/store/embedded/embedded.js';
import { parseEpoch } from '../../src/store/epoch.js';
import { moveInto } from '../../src/store/move.js';
import { openStore } from '../../src/store/open-store.js';
import type { StoreReport } from '../../src/store/report.js';
import type { Store } from '../../src/store/store.js';
import { type CliResult, cli } from '../support/cli-io.js';
import { type Etcd, hasEtcd, startEtcd } from '../support/etcd.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { smallWorld } from '../support/small-world.js';

const context = { clock: systemClock, log: silentLogger };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let closers: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await temporaryFolder('store');
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
  await folder.remove();
});

const mesh = (line: string): Promise<CliResult> => cli(line.split(' '), { cwd: folder.path });
async function ok(line: string): Promise<CliResult> {
  const done = await mesh(line);
  expect(done.exit, `mesh ${line}\n${done.stderr}`).toBe(0);
  return done;
}
const report = async (url: string): Promise<StoreReport> =>
  JSON.parse((await mesh(`store status --store ${url} -o json`)).stdout) as StoreReport;

async function withStore<T>(url: string, act: (store: Store) => Promise<T>): Promise<T> {
  const at = url.startsWith('embedded:') ? `embedded:${path.join(folder.path, url.slice('embedded:'.length))}` : url;
  const store = await openStore(at, { ...context, timeoutMs: 5000, allowUnfinished: true });
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}
const put = (url: string, key: (store: Store) => string, value: string): Promise<unknown> =>
  withStore(url, (store) => store.transact({ compare: [], put: [{ key: key(store), value }], delete: [] }));
const durable = (url: string): Promise<Map<string, string>> =>
  withStore(url, async (store) => new Map(durableOf(store, (await store.list(everything(store))).entries)));
const epochOf = (url: string) =>
  withStore(url, async (store) => parseEpoch((await store.get(store.keys.metaEpoch))?.value));

/** A mesh with a history, a registration that lasts, and 250 keys more: several transactions. */
async function fill(url: string): Promise<void> {
  const names = Array.from({ length: 20 }, (_, i) => ({ name: `service-${i}` }));
  await writeFile(path.join(folder.path, 'w.yaml'), smallWorld({ nodes: [], deploy: [], services: names }));
  await ok(`apply -f w.yaml --store ${url}`);
  await ok(`delete version service-1-v1 -y --store ${url}`);
  await withStore(url, async (store) => {
    const own = Array.from({ length: 250 }, (_, i) => ({ key: store.keys.plan(`node-${i}`), value: `ünï ${i}` }));
    const rest = [{ key: 'services/legacy/10.0.0.9:80', value: '{"Op":0,"Addr":"10.0.0.9:80"}' }];
    for (let at = 0; at < own.length; at += 100)
      await store.transact({
        compare: [],
        put: [...own.slice(at, at + 100), ...(at === 0 ? [] : rest)].slice(0, 100),
        delete: [],
      });
    const registrar = store.registrar({ ttlSeconds: 60 });
    registrar.set('services/leased/10.0.0.8:80', '{}');
    await registrar.flush();
    await registrar.close({ keepLease: true });
  });
}

describe('an operator', () => {
  it('sees what a store holds, also while a process serves it, and no new store where there is none', async () => {
    await fill('embedded:a');
    const served = await startEmbedded({ dir: path.join(folder.path, 'a'), ...context });
    closers.push(() => served.close());
    const { stdout } = await ok('store status --store embedded:a');
    expect(stdout).toMatch(/^mesh revision +2$/m);
    expect(stdout).toMatch(/^epoch +[0-9a-f-]{36}, made at /m);
    expect(stdout).toMatch(/^127\.0\.0\.1:\d+ +leader +3\.4\.0\+lightmesh .*in use of/m);
    expect(stdout).toMatch(/^def\/Version +19 /m);
    expect(stdout).toMatch(/^services +2 +1 /m);
    const { members, needs, type } = await report(`etcd://${served.address}`);
    expect({ type, needs, members }).toMatchObject({ type: 'embedded', needs: [], members: [{ isLeader: true }] });
    const missing = await mesh('store status --store embedded:typo');
    expect(missing).toMatchObject({ exit: 4 });
    await expect(stat(path.join(folder.path, 'typo'))).rejects.toThrow('ENOENT');
  });

  it('forgets history at a distance from the head, and ends NOSPACE when that has made room', async () => {
    const dir = path.join(folder.path, 'a');
    const server = await startEmbedded({ dir, ...context, quotaBytes: 4 * 1024 * 1024 });
    closers.push(() => server.close());
    const url = `etcd://${server.address}`;
    await withStore(url, async () => {}); // it has an epoch
    const connect = (): Etcd3 => {
      const client = new Etcd3({ hosts: [`http://${server.address}`] });
      closers.push(async () => client.close());
      return client;
    };
    const client = connect();
    const many = Array.from({ length: 1200 }, (_, i) => `k${i}`);
    await Promise.all(many.map((key) => client.put(key).value('x')));
    expect((await mesh(`store compact --keep 999 --store ${url}`)).exit).toBe(2);
    const { compactedRevision } = JSON.parse((await ok(`store compact --keep 1000 --store ${url} -o json`)).stdout) as {
      compactedRevision: string;
    };
    const after = await report(url);
    expect(after.history).toMatchObject({
      compactedRevision,
      lastCompaction: { storeRevision: compactedRevision },
    });
    expect(Number(after.storeRevision) - Number(compactedRevision)).toBeGreaterThanOrEqual(1000);
    const big = async (): Promise<never> => {
      for (;;) await client.put('big').value('x'.repeat(100_000));
    };
    await expect(big()).rejects.toThrow('database space exceeded');
    const full = await mesh(`store status --store ${url}`);
    expect(full.exit).toBe(8);
    expect(full.stdout).toContain('`mesh store compact --keep 10 --defrag` makes room');
    const kept = await mesh(`store compact --keep 1000 --defrag --store ${url}`);
    expect(kept).toMatchObject({ exit: 8, stdout: expect.stringContaining('forget more with --keep 10') });
    const other = connect(); // the first one's breaker has opened
    await Promise.all(['big', ...many.slice(0, 20)].map((key) => other.delete().key(key)));
    const ended = await ok(`store compact --keep 10 --defrag --store ${url}`);
    expect(ended.stdout).toContain('the alarm is ended');
    await other.put('small').value('again');
    expect((await report(url)).needs).toEqual([]);
  }, 30_000);

  it('is refused an adoption that nobody waits for, and releases those who do', async () => {
    await fill('embedded:a');
    const idle = await ok('store adopt --store embedded:a -o json');
    expect(JSON.parse(idle.stdout)).toMatchObject({ released: [] });
    const lost = { epoch: 'of-before', reason: 'the store is empty' };
    await put('embedded:a', ({ keys }) => keys.pilot('p1'), JSON.stringify({ id: 'p1', lost }));
    const seen = await mesh('store status --store embedded:a');
    expect(seen).toMatchObject({ exit: 8, stdout: expect.stringContaining('pilot p1 is frozen, the store is empty') });
    expect((await mesh('store adopt --store embedded:a')).exit).toBe(2);
    const before = await epochOf('embedded:a');
    await ok('store adopt -y -m restored --store embedded:a');
    expect(await epochOf('embedded:a')).toMatchObject({
      made: 'adopt',
      by: expect.stringContaining('ana@'),
      why: 'restored',
      after: before?.id,
      accepts: [before?.id, 'of-before'],
    });
    expect((await mesh('store status --store embedded:a')).exit).toBe(0);
  });

  it('brings a backup back over a damaged journal, which is kept', async () => {
    await fill('embedded:a');
    await ok('store backup b --store embedded:a');
    const journal = path.join(folder.path, 'a', 'journal');
    const bytes = await readFile(journal);
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 4;
    await writeFile(journal, bytes);
    const refused = await mesh('store status --store embedded:a');
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('MESH2014') });
    expect(await readFile(journal)).toEqual(bytes);
    const back = await ok('store restore b --store embedded:a --replace -y');
    const aside = /journal is now (\S+)/.exec(back.stderr)?.[1] ?? '';
    expect(await readFile(aside)).toEqual(bytes);
    expect((await report('embedded:a')).revision).toBe(2);
  });

  it('is told what is wrong with a file that is no backup, was changed, or is there already', async () => {
    await fill('embedded:a');
    await ok('store backup b --store embedded:a');
    expect((await stat(path.join(folder.path, 'b'))).mode & 0o777).toBe(0o600);
    expect(await mesh('store backup b --store embedded:a')).toMatchObject({ exit: 5 });
    await ok('store backup b --replace --store embedded:a');
    const text = await readFile(path.join(folder.path, 'b'), 'utf8');
    const spoilt = { none: 'x', changed: text.replace('ünï 7', 'ünï 8'), cut: text.slice(0, -200) };
    for (const [name, content] of Object.entries(spoilt)) {
      await writeFile(path.join(folder.path, name), content);
      const done = await mesh(`store restore ${name} --store embedded:new`);
      expect(done, name).toMatchObject({ exit: 3, stderr: expect.stringContaining('MESH2053') });
    }
  });
});

describe.runIf(hasEtcd())('between the embedded store and etcd', () => {
  let etcd: Etcd;
  let count = 0;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());
  /** Naming keys have no prefix: each test leaves them as it found them. */
  const fresh = (): string => {
    const url = `${etcd.url}/mesh-${count++}`;
    closers.push(() =>
      withStore(url, (store) => store.transact({ compare: [], put: [], delete: [{ prefix: 'services' }] })),
    );
    return url;
  };

  it('a backup goes from one to the other and back, whole, and only what hangs on no lease', async () => {
    await fill('embedded:a');
    const url = fresh();
    await ok('store backup one --store embedded:a');
    await ok(`store restore one --store ${url}`);
    const original = await durable('embedded:a');
    expect(original.has('services/legacy/10.0.0.9:80')).toBe(true);
    expect(original.has('services/leased/10.0.0.8:80')).toBe(false);
    expect(await durable(url)).toEqual(original);
    expect(await epochOf(url)).toMatchObject({
      made: 'restore',
      after: (await epochOf('embedded:a'))?.id,
      accepts: [],
    });
    await ok(`store backup two --store ${url}`);
    await ok('store restore two --store embedded:b');
    expect(await durable('embedded:b')).toEqual(original);
    expect(await mesh(`store restore one --store ${url}`)).toMatchObject({ exit: 5 });
    expect((await ok(`get version -o name --store ${url}`)).stdout.trim().split('\n')).toHaveLength(19);
  }, 20_000);

  it('a copy wants the pilots stopped and the target empty, and names what is in its way', async () => {
    await fill('embedded:a');
    const url = fresh();
    await put('embedded:a', ({ keys }) => keys.pilot('p1'), '{"id":"p1"}');
    const running = await mesh(`store copy embedded:a ${url}`);
    expect(running).toMatchObject({ exit: 5, stderr: expect.stringContaining('p1') });
    expect((await durable(url)).size).toBe(0);
    await withStore('embedded:a', (store) =>
      store.transact({ compare: [], put: [], delete: [store.keys.pilot('p1')] }),
    );
    await ok(`store copy embedded:a ${url}`);
    expect(await durable(url)).toEqual(await durable('embedded:a'));
    const from = await epochOf('embedded:a');
    expect(await epochOf(url)).toMatchObject({ made: 'copy', after: from?.id });
    expect((await epochOf(url))?.accepts).toContain(from?.id);
    expect(await mesh(`store copy embedded:a ${url}`)).toMatchObject({
      exit: 5,
      stderr: expect.stringContaining('--replace'),
    });
    await put('embedded:a', ({ keys }) => keys.plan('node-0'), 'changed');
    await ok(`store copy embedded:a ${url} --replace -y`);
    expect(await durable(url)).toEqual(await durable('embedded:a'));
  }, 20_000);

  it('a copy that ends anywhere shuts the target to everybody but its repetition', async () => {
    await fill('embedded:a');
    const wanted = await durable('embedded:a');
    const options = {
      command: 'copy',
      from: 'a',
      replace: false,
      by: 'ana',
      why: '',
      at: 1,
      after: 'x',
      isContinuation: true,
    } as const;
    for (let transactions = 1; ; transactions++) {
      const url = fresh();
      const isDone = await withStore(url, async (store) => {
        let left = transactions;
        const failing: Store = {
          ...store,
          transact: (...args) => (left-- > 0 ? store.transact(...args) : Promise.reject(new Error('killed'))),
        };
        return moveInto(failing, () => Promise.resolve(wanted), { ...options, onProgress: () => {} }).then(
          () => true,
          () => false,
        );
      });
      if (isDone) {
        expect(transactions).toBeGreaterThan(4);
        break;
      }
      await expect(openStore(url, { ...context, timeoutMs: 5000 })).rejects.toMatchObject({ code: 'MESH2050' });
      const looked = await mesh(`store status --store ${url}`);
      expect(looked).toMatchObject({ exit: 8, stdout: expect.stringContaining('has not been finished') });
      await ok(`store copy embedded:a ${url}`);
      expect(await durable(url)).toEqual(wanted);
      await ok(`get service --store ${url}`);
      await withStore(url, (store) => store.transact({ compare: [], put: [], delete: [{ prefix: 'services' }] }));
    }
  }, 60_000);
});
