import { describe, expect, test } from 'vitest';
import { createAdmission } from '../../../src/xds/admission.js';
import { handClock } from '../../support/hand-clock.js';

/** `admitted` lists who came in, in order. */
function gate(limits: { perSecond: number; burst: number }) {
  const { clock, pass } = handClock();
  const admission = createAdmission(limits, clock);
  const admitted: string[] = [];
  const enter = (peer: string, signal = new AbortController().signal): void => {
    admission.enter(peer, signal).then(
      () => admitted.push(peer),
      () => undefined, // it left
    );
  };
  return { pass, admitted, enter };
}

describe('admission of new streams', () => {
  test('lets a burst in at once, and the others one after the other', async () => {
    const { pass, admitted, enter } = gate({ perSecond: 10, burst: 3 });
    for (let port = 1; port <= 6; port++) enter(`a:${port}`);
    await pass(0);
    expect(admitted).toHaveLength(3);
    await pass(99);
    expect(admitted).toHaveLength(3);
    await pass(1);
    expect(admitted).toHaveLength(4);
    await pass(200);
    expect(admitted).toEqual(['a:1', 'a:2', 'a:3', 'a:4', 'a:5', 'a:6']);
  });

  test('is as generous as before after a pause, and no more than that', async () => {
    const { pass, admitted, enter } = gate({ perSecond: 10, burst: 2 });
    enter('a:1');
    enter('a:2');
    await pass(60_000);
    for (let port = 3; port <= 9; port++) enter(`a:${port}`);
    await pass(0);
    expect(admitted).toHaveLength(4);
  });

  test('serves addresses by turns: who connects too often waits behind itself', async () => {
    const { pass, admitted, enter } = gate({ perSecond: 10, burst: 1 });
    for (let port = 1; port <= 100; port++) enter(`greedy:${port}`);
    enter('honest:1');
    await pass(200);
    expect(admitted).toEqual(['greedy:1', 'greedy:2', 'honest:1']);
  });

  test('nobody overtakes those who wait', async () => {
    const { pass, admitted, enter } = gate({ perSecond: 10, burst: 1 });
    enter('a:1');
    enter('a:2');
    await pass(50);
    enter('a:3');
    await pass(200);
    expect(admitted).toEqual(['a:1', 'a:2', 'a:3']);
  });

  test('who leaves takes nobody’s turn', async () => {
    const { pass, admitted, enter } = gate({ perSecond: 10, burst: 1 });
    const gone = new AbortController();
    enter('a:1');
    for (let port = 2; port <= 50; port++) enter(`a:${port}`, gone.signal);
    enter('a:51');
    gone.abort(new Error('left'));
    await pass(100);
    expect(admitted).toEqual(['a:1', 'a:51']);
  });
});
