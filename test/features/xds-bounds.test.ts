/** What one stream, or many that come at once, may take of the server. Hostile clients in earnest: test/faults/xds-hostile.test.ts. */
import { afterEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/runtime/clock.js';
import { until } from '../support/until.js';
import { cluster, endpoints, viewOf } from '../support/xds-resources.js';
import { startXds, type TestXds } from '../support/xds-test-host.js';

let xds: TestXds;
afterEach(() => xds.stop());

const MINUTE = 60_000;

/** A clock that a test puts forward; whoever sleeps does so in real time. */
function clockAhead() {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs };
  return { clock, advance: (ms: number) => void (aheadMs += ms) };
}

test('an old stream is asked to begin anew, and is sent nothing when it does', async () => {
  const { clock, advance } = clockAhead();
  xds = await startXds({ clock });
  xds.show(viewOf(1, [cluster('a')]));
  const old = xds.client().delta();
  old.send('CDS');
  const first = await old.next();
  old.ack(first);
  await until('it is acknowledged', () => xds.server.proxies()[0]?.ackedRevision === 1n);
  advance(24 * MINUTE - 1_000);
  const young = xds.client().delta({ id: 'young' });
  young.send('CDS');
  young.ack(await young.next());
  advance(12 * MINUTE + 1_000);
  expect(await old.status()).toMatchObject({ code: 14, details: /come back, here or to another/ });
  const anew = xds.client().delta();
  anew.send('CDS', { initialResourceVersions: { a: first.resources.get('a')?.version } });
  await until('it is acknowledged', () => xds.server.proxies().length === 2);
  await until('it is up to date', () => xds.server.proxies().every(({ ackedRevision }) => ackedRevision === 1n));
  expect(anew.responses).toEqual([]);
});

test('ages differ by a fifth, so that what began together does not end together', async () => {
  const { clock, advance } = clockAhead();
  xds = await startXds({ clock });
  const ids = Array.from({ length: 40 }, (_, i) => `p${i}`);
  const streams = ids.map((id) => xds.client().delta({ id }));
  for (const stream of streams) stream.send('RTDS');
  await until('all are there', () => xds.server.proxies().length === ids.length);
  advance(30 * MINUTE);
  await until('some are gone', () => xds.server.proxies().length < ids.length);
  expect(xds.server.proxies().length).toBeGreaterThan(0);
  advance(6 * MINUTE);
  await until('all are gone', () => xds.server.proxies().length === 0);
});

test('an old stream that owes an answer may give it first', async () => {
  const { clock, advance } = clockAhead();
  xds = await startXds({ clock, maxAgeMs: 1_000 });
  xds.show(viewOf(1, [cluster('a'), endpoints('a')]));
  const stream = xds.client().delta();
  stream.send('CDS');
  const first = await stream.next();
  advance(2_000);
  const other = xds.client().delta({ id: 'other' });
  other.send('RTDS');
  await until('the other is there', () => xds.server.proxies().length === 2);
  advance(2_000);
  await until('the other is gone for its age', () => xds.server.proxies().length === 1);
  stream.ack(first);
  expect(await stream.status()).toMatchObject({ code: 14, details: /come back/ });
});

test('who comes while many come waits for its turn, and is not taken for silent meanwhile', async () => {
  xds = await startXds({ admission: { perSecond: 1.2, burst: 1 } });
  xds.show(viewOf(1, [cluster('a')]));
  const [first, second] = [xds.client().delta({ id: 'first' }), xds.client().delta({ id: 'second' })];
  first.send('CDS');
  await first.next();
  second.send('CDS');
  second.send('RTDS', { resourceNamesSubscribe: ['x'] });
  expect(second.responses).toEqual([]);
  expect((await second.next('CDS')).resources.size).toBe(1);
  expect((await second.next('RTDS')).removed).toEqual(['x']);
  expect(xds.connected.map(({ id }) => id)).toEqual(['first', 'second']);
});

test('who leaves while it waits was never there', async () => {
  xds = await startXds({ admission: { perSecond: 2, burst: 1 } });
  const ids = ['first', 'hasty', 'third'];
  const [first, hasty, third] = ids.map((id) => xds.client().delta({ id }));
  first?.send('CDS');
  await until('the first is there', () => xds.connected.length === 1);
  hasty?.send('CDS');
  hasty?.end();
  await hasty?.status();
  third?.send('CDS');
  await third?.next();
  expect(xds.connected.map(({ id }) => id)).toEqual(['first', 'third']);
});

test('who waits may not leave a heap of messages meanwhile', async () => {
  xds = await startXds({ host: { connect: () => new Promise(() => undefined) } });
  const many = xds.client().delta({ id: 'many' });
  for (let i = 0; i < 70; i++) many.send('CDS');
  expect(await many.status()).toMatchObject({ code: 8, details: /too many messages/ });
  const large = xds.client().delta({ id: 'large' });
  const names = Array.from({ length: 1_000 }, (_, i) => `${'x'.repeat(1_000)}${i}`);
  for (let i = 0; i < 5; i++) large.send('EDS', { resourceNamesSubscribe: names });
  expect(await large.status()).toMatchObject({ code: 8, details: /too many messages/ });
});

test('names are counted over all messages of a type', async () => {
  xds = await startXds();
  const stream = xds.client().delta();
  for (const part of [1, 2]) {
    stream.send('EDS', { resourceNamesSubscribe: Array.from({ length: 3_000 }, (_, i) => `${part}-${i}`) });
  }
  expect(await stream.status()).toMatchObject({ code: 8, details: /6000 names of EDS/ });
});

test('a message of nothing but tiny fields is refused before it is read to its end', async () => {
  xds = await startXds();
  const stream = xds.client().delta();
  stream.sendRaw(Buffer.alloc(1024 * 1024, Buffer.from([0x78, 1])));
  expect(await stream.status()).toMatchObject({ code: 3, details: /more than 20000 fields/ });
});

test('as many names as are served, and their versions, fit into a first message', async () => {
  xds = await startXds();
  const stream = xds.client().delta();
  const names = Array.from({ length: 5_000 }, (_, i) => `cluster-${i}`);
  const initialResourceVersions = Object.fromEntries(names.map((name) => [name, 'v']));
  stream.send('EDS', { resourceNamesSubscribe: names, initialResourceVersions });
  expect((await stream.next()).removed).toHaveLength(5_000);
});
