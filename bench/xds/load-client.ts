/** `xdsload`, the ADS load client in Go: opens streams as Envoy does, and says when each of them had what. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Milliseconds. */
interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Ready {
  readonly since_start_ms: Quantiles;
  readonly bytes_per_stream: number;
  readonly complete: number;
  readonly n: number;
}

/** When a new value was on every stream; Unix nanoseconds, as numbers: exact to a quarter of a microsecond. */
export interface Arrival {
  readonly name: string;
  readonly value: string;
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly last: number;
}

export interface Counters {
  readonly bytes_total: number;
  readonly responses: Readonly<Record<string, number>>;
  readonly nacks: number;
  readonly ready: number;
}

export interface LoadOptions {
  readonly binary: string;
  readonly address: string;
  readonly streams: number;
  readonly mode: 'delta' | 'sotw';
  readonly nodeId: string;
  readonly metadata: object | undefined;
  /** `type~nameRegex~valueRegex`. */
  readonly watches: readonly string[];
  readonly more?: readonly string[];
}

export interface LoadClient {
  /** All streams have their whole configuration. */
  readonly ready: Promise<Ready>;
  /** The next new value that reaches every stream. */
  nextArrival(): Promise<Arrival>;
  /** Of everything so far. */
  counters(): Promise<Counters>;
  /** Once nothing came for this long. */
  quiet(ms: number): Promise<Counters>;
  reconnectAll(): void;
  stop(): Promise<void>;
}

/** A stream that is lost and comes back up to date is never complete: then there is nothing to wait for. */
const PATIENCE_MS = 180_000;

type Line = { readonly ev: string };

export function startLoad(options: LoadOptions): LoadClient {
  const { binary, address, streams, mode, nodeId, metadata, watches, more = [] } = options;
  const meta = metadata === undefined ? [] : ['-meta', JSON.stringify(metadata)];
  const args = ['-addr', address, '-n', String(streams), '-mode', mode, '-node-id', nodeId, ...meta, ...more];
  for (const watch of watches) args.push('-watch', watch);
  const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const kept = new Map<string, Line[]>();
  const waiting = new Map<string, ((line: Line) => void)[]>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    const next = waiting.get(line.ev)?.shift();
    if (next !== undefined) next(line);
    else kept.set(line.ev, [...(kept.get(line.ev) ?? []), line]);
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const next = <L>(ev: string): Promise<L> => {
    const known = kept.get(ev)?.shift();
    if (known !== undefined) return Promise.resolve(known as L); // each event has one form, which the caller names
    return new Promise((resolve, reject) => {
      const why = `the load client has told of no "${ev}" for ${PATIENCE_MS / 1000} s: has it lost streams?`;
      const limit = setTimeout(() => reject(new Error(why)), PATIENCE_MS);
      const told = (line: Line): void => {
        clearTimeout(limit);
        resolve(line as L);
      };
      waiting.set(ev, [...(waiting.get(ev) ?? []), told]);
    });
  };
  const say = (words: string): void => void child.stdin.write(`${words}\n`);
  return {
    ready: next<Ready>('ready'),
    nextArrival: () => next<Arrival>('value'),
    counters() {
      say('mark now');
      return next<Counters>('mark');
    },
    quiet(ms) {
      say(`quiet ${ms}`);
      return next<Counters>('quiet');
    },
    reconnectAll: () => say('reconnect 1'),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
