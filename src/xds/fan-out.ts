/** Thousands of proxies learn of a change one after the other, and whatever else the process has to do is done in between. */
import type { Clock } from '../runtime/clock.js';

/** The event loop is kept no longer than this at a time, except by one proxy alone. */
const SLICE_MS = 18;

export interface FanOut<Receiver> {
  /** A receiver that waits already keeps its place: it will see the newest state anyway. The first slice is done at once. */
  add(receivers: Iterable<Receiver>): void;
  delete(receiver: Receiver): void;
}

export function fanOut<Receiver>(
  tell: (receiver: Receiver) => void,
  clock: Pick<Clock, 'monotonic'>,
  later: (next: () => void) => void = setImmediate,
): FanOut<Receiver> {
  const waiting = new Set<Receiver>();
  let isScheduled = false;

  const slice = (): void => {
    isScheduled = false;
    const untilMs = clock.monotonic() + SLICE_MS;
    for (const receiver of waiting) {
      waiting.delete(receiver);
      tell(receiver);
      if (clock.monotonic() >= untilMs) break;
    }
    if (waiting.size === 0) return;
    isScheduled = true;
    later(slice);
  };

  return {
    add(receivers) {
      for (const receiver of receivers) waiting.add(receiver);
      if (!isScheduled) slice();
    },
    delete: (receiver) => void waiting.delete(receiver),
  };
}
