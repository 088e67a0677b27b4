import { describe, expect, test } from 'vitest';
import { type AckStatus, MAX_LAGGARDS } from '../../../src/model/leased-values.js';
import { ackStatus } from '../../../src/pilot/acks.js';
import { laggardsAt } from '../../../src/pilot/wait-for-acks.js';

describe('what a pilot acknowledges', () => {
  test('is everything when no proxy is connected', () => {
    expect(ackStatus(7n, [])).toEqual({ storeRevision: '7', laggards: [], behind: 0, proxies: 0 });
  });

  test('is what its slowest proxy has', () => {
    const proxies = [
      { id: 'a', ackedRevision: 7n },
      { id: 'b', ackedRevision: 5n },
      { id: 'c', ackedRevision: 6n },
    ];
    expect(ackStatus(7n, proxies)).toEqual({ storeRevision: '5', laggards: ['b', 'c'], behind: 2, proxies: 3 });
  });

  test('is nothing while a proxy has not acknowledged anything', () => {
    expect(ackStatus(7n, [{ id: 'a', ackedRevision: -1n }]).storeRevision).toBe('0');
  });

  test('names some of many laggards and counts all', () => {
    const proxies = Array.from({ length: 100 }, (_, i) => ({ id: `p${i}`, ackedRevision: 1n }));
    const status = ackStatus(2n, proxies);
    expect([status.laggards.length, status.behind]).toEqual([MAX_LAGGARDS, 100]);
  });
});

describe('who lags', () => {
  const pilot = (id: string) => ({ id, http: '', xds: '', version: '', startedAt: 0 });
  const ack = (storeRevision: string, laggards: readonly string[] = []): AckStatus => {
    return { storeRevision, laggards, behind: laggards.length, proxies: 9 };
  };

  test('the proxies of pilots that are behind, and pilots that have said nothing', () => {
    const acks = new Map([
      ['one', ack('10')],
      ['two', ack('8', ['slow'])],
      ['gone', ack('1', ['old'])],
    ]);
    const pilots = [pilot('one'), pilot('two'), pilot('three')];
    expect(laggardsAt({ pilots, acks }, 10n)).toEqual(['slow', 'pilot three']);
    expect(laggardsAt({ pilots, acks }, 8n)).toEqual(['pilot three']);
  });

  test('nobody where no pilot lives', () => {
    expect(laggardsAt({ pilots: [], acks: new Map() }, 10n)).toEqual([]);
  });
});
