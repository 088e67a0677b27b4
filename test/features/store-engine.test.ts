/** How the embedded server forgets: history by age and number, the journal by size; and that nothing else is forgotten. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { Engine } from '../../src/store/embedded/engine.js';
import { openJournal } from '../../src/store/embedded/journal.js';
import { applyPut, deleteKey } from '../../src/store/embedded/kv-txn.js';
import { temporaryFolder } from '../support/mesh-process.js';

const HOUR_MS = 3_600_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let wallMs = 0;
const clock: Clock = { ...systemClock, now: () => wallMs };
const closables: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = await temporaryFolder('engine');
});
afterEach(async () => {
  for (const thing of closables.splice(0)) await thing.close();
  await folder.remove();
});

async function open(): Promise<{ readonly engine: Engine; readonly close: () => Promise<void> }> {
  const { journal, records } = await openJournal(path.join(folder.path, 'journal'), silentLogger);
  const engine = new Engine(clock, journal, records);
  closables.push(journal);
  const close = async (): Promise<void> => {
    closables.splice(closables.indexOf(journal), 1);
    await journal.close();
  };
  return { engine, close };
}
function put(engine: Engine, key: string, value: string, lease = '0'): void {
  engine.change(() => applyPut(engine, { key: Buffer.from(key), value: Buffer.from(value), lease }));
}
/** Everything that can be asked of it. */
function stateOf(engine: Engine): object {
  const { mvcc, header, leases } = engine;
  const revisions = Array.from({ length: mvcc.head - Math.max(0, mvcc.compacted) }, (_, i) => mvcc.head - i);
  return {
    header,
    compacted: mvcc.compacted,
    history: revisions.map((revision) => [...mvcc.range({ key: '', single: false, end: undefined }, revision)]),
    events: revisions.map((revision) => mvcc.revisionAt(revision)),
    leases: [...leases.all()].map(({ id, ttlSeconds, keys }) => ({ id, ttlSeconds, keys: [...keys].sort() })),
  };
}

describe('the embedded server', () => {
  it('keeps ten thousand revisions when all are older than an hour', async () => {
    const { engine } = await open();
    for (let i = 0; i < 10_500; i++) put(engine, `k${i % 10}`, 'x');
    await engine.tidy();
    expect(engine.mvcc.revisionAt(2)).toBeDefined();
    wallMs += 2 * HOUR_MS;
    await engine.tidy();
    expect(engine.mvcc.compacted).toBe(engine.mvcc.head - 10_000);
  });

  it('is the same after a restart, and after its journal was written anew', async () => {
    const first = await open();
    const { engine } = first;
    engine.grant('5', 60);
    engine.grant('6', 60);
    for (let i = 0; i < 50; i++) put(engine, `k${i % 7}`, `${i}`, i % 3 === 0 ? '5' : '6');
    engine.change(() => deleteKey(engine, engine.mvcc.get('k3') ?? expect.fail('k3 is there')));
    engine.compact(20);
    engine.revoke('6');
    const before = stateOf(engine);
    await first.close();

    const second = await open();
    expect(stateOf(second.engine)).toEqual(before);
    await second.engine.rewriteJournal();
    put(second.engine, 'k1', 'after');
    const later = stateOf(second.engine);
    await second.close();
    const third = await open();
    expect(stateOf(third.engine)).toEqual(later);
  });

  it('writes a journal anew that is long and mostly history, so that it does not grow for ever', async () => {
    const { engine, close } = await open();
    const file = path.join(folder.path, 'journal');
    for (let i = 0; i < 400; i++) put(engine, 'k', 'x'.repeat(50_000));
    await engine.durable();
    const long = (await stat(file)).size;
    engine.compact(engine.mvcc.head);
    await engine.tidy();
    expect(long).toBeGreaterThan(20_000_000);
    expect((await stat(file)).size).toBeLessThan(100_000);
    const before = stateOf(engine);
    await close();
    expect(stateOf((await open()).engine)).toEqual(before);
  });
});
