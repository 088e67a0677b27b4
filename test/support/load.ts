/** Load from a process of its own: a test that is busy breaking things does not hold it up. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LoadOptions } from '../../scripts/load.mjs';
import { root } from './mesh-process.js';
import { until } from './until.js';

export interface LoadReport {
  readonly sent: number;
  readonly answers: number;
  readonly failed: number;
  /** The first twenty, each with milliseconds since the start. */
  readonly failures: readonly string[];
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Null before the first one. */
  readonly lastAnswerAt: number | null;
  readonly byInstance: Readonly<Record<string, number>>;
}

export interface Load {
  report(): LoadReport;
  /** So many requests have come to an end since the start. */
  reach(count: number): Promise<void>;
  /** Waits for the last answer. */
  stop(): Promise<LoadReport>;
}

const IDLE: LoadReport = {
  sent: 0,
  answers: 0,
  failed: 0,
  failures: [],
  startedAt: 0,
  lastAnswerAt: null,
  byInstance: {},
};
const REACH_LIMIT_MS = 10 * 60_000;

/** Resolves when requests are answered. `inside` is put before the command, so that it runs on another host. */
export async function openLoad(options: LoadOptions, inside: readonly string[] = []): Promise<Load> {
  const script = path.join(root, 'scripts/load-process.mjs');
  const [command, ...args] = [...inside, process.execPath, script, JSON.stringify({ concurrency: 64, ...options })];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let last = IDLE;
  createInterface(child.stdout).on('line', (line) => {
    last = JSON.parse(line) as LoadReport; // scripts/load-process.mjs wrote it
  });
  const load: Load = {
    report: () => last,
    async reach(count) {
      await until(`${count} requests`, () => last.answers + last.failed >= count, REACH_LIMIT_MS);
    },
    async stop() {
      child.stdin.end();
      await ended;
      return last;
    },
  };
  await until('the first answers', () => last.answers > 0, 20_000).catch(async (error: unknown) => {
    await load.stop();
    throw new Error(`${String(error)}\n${last.failures.join('\n')}`);
  });
  return load;
}
