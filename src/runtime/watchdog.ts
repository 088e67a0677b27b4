/**
 * Ends a process whose event loop stands still: it answers nobody, and whoever waits for it should go elsewhere. A thread of
 * its own counts how often it has looked in vain, so neither a stopped process (SIGSTOP) nor a machine that slept is ended.
 */
import { Worker } from 'node:worker_threads';

/** As text, so that it needs no file beside this one. The kernel's signal is the only end that a stuck loop cannot put off. */
const WATCHER = `
const { workerData: { beats, limitMs, intervalMs, name } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
let last = -1;
let inVain = 0;
setInterval(() => {
  const now = Atomics.load(beats, 0);
  inVain = now === last ? inVain + 1 : 0;
  last = now;
  if (inVain * intervalMs < limitMs) return;
  const message = name + ' stands still for ' + limitMs + ' ms: ending it, so that others take over';
  writeSync(2, JSON.stringify({ level: 60, time: new Date().toISOString(), component: name, msg: message }) + '\\n');
  process.kill(process.pid, 'SIGKILL');
}, intervalMs);
`;

export const STALL_LIMIT_MS = 10_000;
const LOOKS_PER_LIMIT = 20;

export interface WatchdogOptions {
  /** Of the process, for its last line. */
  readonly name: string;
  /** 0 for none, as under a debugger. */
  readonly limitMs: number;
}

/** For as long as the process lives; neither its thread nor its timer keeps it alive. */
export function startWatchdog({ name, limitMs }: WatchdogOptions): void {
  if (limitMs <= 0) return;
  const intervalMs = Math.ceil(limitMs / LOOKS_PER_LIMIT);
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const beating = setInterval(() => Atomics.add(beats, 0, 1), intervalMs / 2);
  const worker = new Worker(WATCHER, { eval: true, workerData: { beats, limitMs, intervalMs, name } });
  worker.unref();
  beating.unref();
}
