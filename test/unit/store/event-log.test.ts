import { expect, test } from 'vitest';
import { type EventNews, MAX_EVENT_MESSAGE, type MeshEvent } from '../../../src/model/mesh-event.js';
import { silentLogger } from '../../../src/runtime/logger.js';
import { openEventLog } from '../../../src/store/event-log.js';
import { keysUnder } from '../../../src/store/keys.js';
import type { Transaction } from '../../../src/store/store.js';
import { handClock } from '../../support/hand-clock.js';

function setUp() {
  const { clock, pass } = handClock();
  const keys = keysUnder('lightmesh/');
  const written = new Map<string, { readonly event: MeshEvent; readonly lease: string | undefined }>();
  let leases = 0;
  let isAway = false;
  const store = {
    keys,
    grant: async () => String(++leases),
    async transact({ put }: Transaction) {
      if (isAway) throw new Error('the store is away');
      for (const { key, value, lease } of put) written.set(key, { event: JSON.parse(value) as MeshEvent, lease });
      return { ok: true, storeRevision: 1n };
    },
  };
  const log = openEventLog({ store, clock, log: silentLogger, by: 'agent node-a' });
  return {
    log,
    pass,
    written,
    events: () => [...written.values()].map(({ event }) => event),
    away: (value: boolean) => void (isAway = value),
  };
}

const news = (over: Partial<EventNews> = {}): EventNews => ({
  reason: 'unhealthy',
  tone: 'warning',
  kind: 'Instance',
  namespace: 'default',
  name: 'reviews-v1-1',
  message: 'app: HTTP status 503',
  ...over,
});

test('an event is written at once, under a lease', async () => {
  const { log, pass, written } = setUp();
  log.record(news());
  await pass(0);
  const [[key, { event, lease }] = ['', { event: undefined, lease: undefined }]] = [...written];
  expect(key).toMatch(/^lightmesh\/event\/\d{13}-[0-9a-f]{8}000001$/);
  expect(event).toEqual({ ...news(), by: 'agent node-a', at: event?.at, lastAt: event?.at, count: 1 });
  expect(lease).toBe('1');
});

test('the same event is counted, another one and a much later one are written', async () => {
  const { log, pass, events } = setUp();
  log.record(news());
  await pass(1000);
  log.record(news());
  log.record(news());
  await pass(1000);
  expect(events().map(({ count, lastAt, at }) => [count, lastAt - at])).toEqual([[3, 1000]]);
  log.record(news({ message: 'app: HTTP status 500' }));
  await pass(11 * 60_000);
  log.record(news());
  await pass(1000);
  expect(events().map(({ count }) => count)).toEqual([3, 1, 1]);
});

test('a lease takes the events of a few minutes only, so that old ones vanish', async () => {
  const { log, pass, written } = setUp();
  log.record(news({ name: 'a' }));
  await pass(60_000);
  log.record(news({ name: 'b' }));
  await pass(5 * 60_000);
  log.record(news({ name: 'c' }));
  await pass(1000);
  expect([...written.values()].map(({ lease }) => lease)).toEqual(['1', '1', '2']);
});

test('a storm is written slowly and cut short, and an event says so', async () => {
  const { log, pass, events } = setUp();
  for (let i = 0; i < 1000; i++) log.record(news({ name: `i-${i}` }));
  await pass(2000);
  const atOnce = events().length;
  expect(atOnce).toBeGreaterThanOrEqual(100);
  expect(atOnce).toBeLessThan(110);
  await pass(10 * 60_000);
  expect(events()).toHaveLength(201);
  const told = events().filter(({ reason }) => reason === 'left-out');
  expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('800 events of agent node-a')]);
});

test('what the store did not take is written when it is back, and on the way out', async () => {
  const { log, pass, events, away } = setUp();
  away(true);
  log.record(news());
  await pass(30_000);
  expect(events()).toEqual([]);
  away(false);
  await pass(3000);
  expect(events()).toHaveLength(1);
  log.record(news({ reason: 'stopped' }));
  const closed = log.close();
  await pass(0);
  await closed;
  expect(events().map(({ reason }) => reason)).toEqual(['unhealthy', 'stopped']);
});

test('a message is cut at its bound', async () => {
  const { log, pass, events } = setUp();
  log.record(news({ message: 'x'.repeat(10_000) }));
  await pass(0);
  expect(events()[0]?.message).toHaveLength(MAX_EVENT_MESSAGE);
});
