/** Lets callers wait for a fact about a loop's state: the loop says when to look again. */
export class Settled {
  readonly #checks = new Set<() => void>();
  readonly #closing: AbortSignal;

  constructor(closing: AbortSignal) {
    this.#closing = closing;
  }

  /** Resolves when the fact is seen; rejects with the reason of whichever signal aborts first. */
  when(fact: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const signals = signal ? [signal, this.#closing] : [this.#closing];
      const ended = signals.find(({ aborted }) => aborted);
      if (ended) return reject(ended.reason as Error);
      const over = new AbortController();
      const check = (): void => {
        if (!fact()) return;
        over.abort();
        resolve();
      };
      this.#checks.add(check);
      over.signal.addEventListener('abort', () => this.#checks.delete(check));
      for (const one of signals) {
        const stop = (): void => {
          over.abort();
          reject(one.reason as Error);
        };
        one.addEventListener('abort', stop, { signal: over.signal });
      }
      check();
    });
  }

  lookAgain(): void {
    for (const check of this.#checks) check();
  }
}
