import { expect, it } from 'vitest';
import { patiently } from '../../../src/cli/patience.js';
import type { Session } from '../../../src/cli/session.js';
import { handClock } from '../../support/hand-clock.js';

function listener() {
  const { clock, pass } = handClock();
  const said: string[] = [];
  // All that it needs of a session.
  const session = { io: { clock }, say: (text: string) => void said.push(text) } as unknown as Session;
  return { session, said, pass };
}

it('a change that takes a while is told of, until it is done', async () => {
  const { session, said, pass } = listener();
  let finish: (value: string) => void = () => undefined;
  const answer = patiently(session, 'applying', new Promise<string>((resolve) => (finish = resolve)));
  await pass(1000);
  expect(said).toEqual([]);
  await pass(6500);
  expect(said).toEqual([
    'Still applying, 2 s: it takes effect all at once.',
    'Still applying, 7 s: it takes effect all at once.',
  ]);
  finish('done');
  expect(await answer).toBe('done');
  await pass(60_000);
  expect(said).toHaveLength(2);
});

it('a change that fails does so at once', async () => {
  const { session, said } = listener();
  await expect(patiently(session, 'applying', Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(said).toEqual([]);
});
