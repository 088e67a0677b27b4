import { describe, expect, it } from 'vitest';
import { createNamingResolver } from '../../../src/client/naming.js';
import type { Clock } from '../../../src/runtime/clock.js';
import { encodeNamingValue } from '../../../src/store/naming.js';
import { mirrorInHand } from '../../support/mirror-in-hand.js';
import { until } from '../../support/until.js';

/** A clock that stands until it is told to go on. */
function clockInHand(): Clock & { goOn(ms: number): void } {
  let nowMs = 0;
  const sleepers = new Set<{ atMs: number; wake: () => void }>();
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((wake, reject) => {
        sleepers.add({ atMs: nowMs + ms, wake });
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    goOn: (ms) => {
      nowMs += ms;
      for (const { atMs, wake } of sleepers) if (atMs <= nowMs) wake();
    },
  };
}

const value = (address: string): string => encodeNamingValue({ address, mesh: {} });

describe('the naming resolver', () => {
  it('asks for what is below the path, whether or not it ends with a slash', async () => {
    const hand = mirrorInHand();
    const naming = createNamingResolver({ store: hand.store, path: 'services/audit/' });
    hand.list({});
    await naming;
    expect(hand.asked).toEqual([{ prefix: 'services/audit/' }]);
  });

  it('gives addresses in turn, in order, each once', async () => {
    const hand = mirrorInHand();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit' });
    hand.list({
      'services/audit/b': value('10.0.0.2:1'),
      'services/audit/a': value('10.0.0.1:1'),
      'services/audit/again': value('10.0.0.2:1'),
    });
    const naming = await opening;
    expect([naming.next(), naming.next(), naming.next()]).toEqual(['10.0.0.1:1', '10.0.0.2:1', '10.0.0.1:1']);
  });

  it('leaves out what cannot be read and what is marked as deleted', async () => {
    const hand = mirrorInHand();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit' });
    hand.list({
      'services/audit/a': 'not JSON',
      'services/audit/b': '{"Op":1,"Addr":"10.0.0.1:1"}',
      'services/audit/c': value('10.0.0.3:1'),
    });
    expect((await opening).addresses()).toEqual(['10.0.0.3:1']);
  });

  it('tells of changes, but not when a key is written again', async () => {
    const hand = mirrorInHand();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit' });
    hand.list({ 'services/audit/a': value('10.0.0.1:1') });
    const naming = await opening;
    const told: (readonly string[])[] = [];
    const stop = naming.onChange((addresses) => told.push(addresses));
    hand.list({ 'services/audit/a': value('10.0.0.1:1') });
    hand.list({ 'services/audit/b': value('10.0.0.2:1') });
    stop();
    hand.list({ 'services/audit/c': value('10.0.0.3:1') });
    expect(told).toEqual([['10.0.0.2:1']]);
  });

  it('holds the last addresses for a minute when all are gone at once, then gives them up', async () => {
    const hand = mirrorInHand();
    const clock = clockInHand();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit', clock });
    hand.list({ 'services/audit/a': value('10.0.0.1:1') });
    const naming = await opening;
    const told: (readonly string[])[] = [];
    naming.onChange((addresses) => told.push(addresses));
    hand.list({});
    clock.goOn(59_000);
    hand.list({ 'services/audit/broken': 'not JSON' });
    expect(naming.addresses()).toEqual(['10.0.0.1:1']);
    clock.goOn(1_000);
    await until('the list is given up', () => told.length === 1);
    expect(told).toEqual([[]]);
  });

  it('holds nothing any more when somebody registers', async () => {
    const hand = mirrorInHand();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit' });
    hand.list({ 'services/audit/a': value('10.0.0.1:1') });
    const naming = await opening;
    hand.list({});
    hand.list({ 'services/audit/b': value('10.0.0.2:1') });
    expect(naming.addresses()).toEqual(['10.0.0.2:1']);
    await naming.close();
  });

  it('says where it looked when there is nobody', async () => {
    const hand = mirrorInHand();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit' });
    hand.list({});
    const naming = await opening;
    expect(() => naming.next()).toThrow('no instance is registered below services/audit/ in a store by hand');
  });

  it('stops waiting for the first list when the signal says so', async () => {
    const hand = mirrorInHand();
    const stop = new AbortController();
    const opening = createNamingResolver({ store: hand.store, path: 'services/audit' }, stop.signal);
    stop.abort(new Error('enough'));
    await expect(opening).rejects.toThrow('enough');
    expect(hand.isClosed()).toBe(true);
  });
});
