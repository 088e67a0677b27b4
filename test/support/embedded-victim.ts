/** The embedded server in a process of its own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { freePort, temporaryFolder } from './mesh-process.js';

/** A store that can be killed at any time, and started again on what is on its disk. */
export interface Victim {
  /** `host:port`, the same for ever. */
  readonly address: string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Resolves when it serves. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const SCRIPT = path.join(import.meta.dirname, 'embedded-process.ts');

export async function startEmbeddedVictim(): Promise<Victim> {
  const folder = await temporaryFolder('embedded-victim');
  const address = `127.0.0.1:${await freePort()}`;
  let running = await start(folder.path, address);
  const kill = async (): Promise<void> => {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    running.kill('SIGKILL');
    await ended;
  };
  return {
    address,
    kill,
    async restart() {
      await kill();
      running = await start(folder.path, address);
    },
    async stop() {
      await kill();
      await folder.remove();
    },
  };
}

function start(dir: string, address: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, dir, address], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  return new Promise((resolve, reject) => {
    let words = '';
    child.stderr.on('data', (part) => (words = (words + String(part)).slice(-2000)));
    child.stdout.once('data', () => resolve(child)); // it says where it listens when it does
    child.once('exit', (code) => reject(new Error(`the embedded server ended with ${code}: ${words}`)));
  });
}
