/** The doors of a command: what it reads, where it writes, what ends it. Tests bring their own. */
import { type Clock, systemClock } from '../runtime/clock.js';

export interface Writer {
  write(text: string): unknown;
}

export interface Io {
  /** The answer. */
  readonly stdout: Writer;
  /** The conversation. */
  readonly stderr: Writer;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly clock: Clock;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly fetch: typeof fetch;
}

/** The reason with which the signal of the process is aborted. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

export function processIo(): Io {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Asked twice: whatever is still being tidied up is not worth the wait to this user.
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort(new Interrupted());
    });
  }
  // `mesh get … | head` closes the pipe early; that is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    isTTY: {
      stdin: process.stdin.isTTY === true,
      stdout: process.stdout.isTTY === true,
      stderr: process.stderr.isTTY === true,
    },
    clock: systemClock,
    signal: interrupt.signal,
    fetch: globalThis.fetch,
  };
}
