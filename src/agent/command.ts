/** Runs a program without a shell, within a time, keeping the end of what it says. */
import { spawn } from 'node:child_process';

export interface CommandResult {
  /** Exit status, or undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly stdout: string;
  /** The last MAX_OUTPUT_CHARS of stdout and of stderr: an error stands at the end. */
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

const MAX_OUTPUT_CHARS = 16_384;
/** Between asking a program to end and killing it. */
const KILL_AFTER_MS = 5000;

/** Rejects when the program cannot be started, when it takes too long, and when the signal aborts. */
export function runCommand(
  command: readonly string[],
  options: CommandOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const child = spawn(program, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let ended: Error | undefined;
    let killTimer: NodeJS.Timeout | undefined;
    const end = (reason: Error): void => {
      ended ??= reason;
      child.kill('SIGTERM');
      killTimer ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    };
    const aborted = (): void => end(signal.reason as Error);
    const timer = setTimeout(() => end(new Error(`not done within ${options.timeoutMs} ms`)), options.timeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      signal.removeEventListener('abort', aborted);
    };
    signal.addEventListener('abort', aborted, { once: true });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-MAX_OUTPUT_CHARS);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-MAX_OUTPUT_CHARS);
    });
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (status) => {
      settle();
      if (ended === undefined) resolve({ status: status ?? undefined, stdout, stderr });
      else reject(ended);
    });
  });
}
