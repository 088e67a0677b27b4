import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { withEither } from '../../../src/runtime/either-signal.js';
import { untilAborted } from '../../../src/runtime/until-aborted.js';

const never = new Promise<never>(() => undefined);

test('gives up when either of them does, for its reason', async () => {
  const [long, short] = [new AbortController(), new AbortController()];
  const acting = withEither([long.signal, short.signal], (either) => untilAborted(never, either));
  short.abort(new Error('enough'));
  await expect(acting).rejects.toThrow('enough');
});

test('gives up at once when one of them has before', async () => {
  const gone = AbortSignal.abort(new Error('closed'));
  const acting = withEither([new AbortController().signal, gone], (either) => untilAborted(never, either));
  await expect(acting).rejects.toThrow('closed');
});

test('leaves nothing on a signal that lives on, whether it went well or not', async () => {
  const long = new AbortController();
  const of = (act: () => Promise<string>): Promise<string> =>
    withEither([long.signal, new AbortController().signal], act);
  expect(await of(async () => 'done')).toBe('done');
  await expect(of(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(getEventListeners(long.signal, 'abort')).toEqual([]);
  expect(madeOf(long.signal)).toBe(0);
});

/** How many signals it remembers that AbortSignal.any has made of it. */
function madeOf(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find((one) => one.description === 'kDependantSignals');
  const made = key && (signal as unknown as Record<symbol, Set<unknown> | null>)[key]; // Node's own
  return made?.size ?? 0;
}
