/** The doors of a command, held by a test: what it wrote, what it may read, who answers it. */
import type { Io } from '../../src/cli/io.js';
import { run } from '../../src/cli/main.js';
import { type Clock, systemClock } from '../../src/runtime/clock.js';

export interface CliOptions {
  readonly fetch?: typeof fetch;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly isTTY?: boolean;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

export interface CliResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process. */
export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  const tty = options.isTTY ?? false;
  const io: Io = {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    stdin: words(options.stdin ?? ''),
    // No HOME of the machine: a developer's own contexts must not leak into a test.
    env: { USER: 'ana', HOME: '/nonexistent', NO_COLOR: '1', LANG: 'C.UTF-8', ...options.env },
    cwd: options.cwd ?? process.cwd(),
    isTTY: { stdin: tty, stdout: tty, stderr: tty },
    clock: options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
    fetch: options.fetch ?? (() => Promise.reject(new Error('this test has no network'))),
  };
  return { exit: await run(argv, io), stdout, stderr };
}

async function* words(text: string): AsyncGenerator<string> {
  if (text !== '') yield await Promise.resolve(text);
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** A pilot made of fixed answers, by `METHOD /path` without the query. Remembers what it was asked. */
export function fakePilot(answers: Readonly<Record<string, unknown>>): {
  readonly fetch: typeof fetch;
  readonly asked: readonly Asked[];
} {
  const asked: Asked[] = [];
  const fetchFunction = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    const method = init?.method ?? 'GET';
    const body = typeof init?.body === 'string' ? (JSON.parse(init.body) as unknown) : undefined;
    asked.push({ method, path: url.pathname + url.search, body });
    const answer = answers[`${method} ${decodeURIComponent(url.pathname)}`];
    if (answer instanceof Response) return Promise.resolve(answer.clone());
    const missing = { error: { code: 'MESH2005', message: `nothing at ${method} ${url.pathname}` } };
    return Promise.resolve(answer === undefined ? Response.json(missing, { status: 404 }) : Response.json(answer));
  };
  return { fetch: fetchFunction as typeof fetch, asked };
}

export function failure(status: number, code: string, message: string, problems?: readonly unknown[]): Response {
  return Response.json({ error: { code, message, ...(problems === undefined ? {} : { problems }) } }, { status });
}
