/**
 * Acts with a signal that aborts as soon as one of these does, and leaves nothing on them when that is over. AbortSignal.any
 * does on Node 20: a signal that lives as long as the process remembers every one that was ever made of it.
 */
export async function withEither<T>(
  signals: readonly AbortSignal[],
  act: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const either = new AbortController();
  for (const signal of signals) {
    const stop = (): void => either.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { signal: over.signal });
  }
  try {
    return await act(either.signal);
  } finally {
    over.abort();
  }
}
