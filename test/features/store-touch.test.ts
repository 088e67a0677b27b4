import { expect, it } from 'vitest';
import { defaultMesh, touchMs } from '../../src/model/mesh.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openStore } from '../../src/store/open-store.js';
import { handClock } from '../support/hand-clock.js';
import { startEmbeddedServer } from '../support/stores.js';
import { until } from '../support/until.js';

it.each([
  ['1h', 20],
  ['24h', 20],
  ['15m', 5],
])('with a compaction retention of %s registrations are written again every %i minutes', (retention, minutes) => {
  expect(touchMs({ ...defaultMesh, compactionRetention: retention })).toBe(minutes * 60_000);
});

it('a registration that nobody changes is written again under its lease, so that its last revision is not compacted away', async () => {
  const server = await startEmbeddedServer();
  const { clock, pass } = handClock();
  const store = await openStore(`etcd://${server.address}`, { clock, log: silentLogger, timeoutMs: 5000 });
  // A lease that outlives the test: what is written again is written for the touch alone.
  const registrar = store.registrar({ ttlSeconds: 3600, touchMs: 5 * 60_000 });
  const key = store.keys.node('quiet');
  registrar.set(key, '1');
  await registrar.flush();
  const first = await store.get(key);
  await pass(4 * 60_000);
  expect(await store.get(key)).toEqual(first);
  await pass(60_000);
  const again = await until('written again', async () => {
    const entry = await store.get(key);
    return entry !== undefined && entry.modRevision > (first?.modRevision ?? 0n) && entry;
  });
  expect(again).toMatchObject({ value: '1', lease: first?.lease, createRevision: first?.createRevision });
  await store.close();
  await server.stop();
});
