/** Goal: a pilot whose event loop stands still ends by itself, and one that is only stopped for a while goes on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root, temporaryFolder } from '../support/mesh-process.js';
import { until } from '../support/until.js';

const LIMIT_MS = 500;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let pilot: ChildProcess;
let log = '';

beforeEach(async () => {
  folder = await temporaryFolder('stalled');
  const onSignal = path.join(folder.path, 'block.cjs');
  await writeFile(onSignal, "process.on('SIGUSR2', () => { for (;;); });");
  const args = ['pilot', '--store', `embedded:${folder.path}/store`, '--http', '127.0.0.1:0', '--xds', '127.0.0.1:0'];
  pilot = spawn(process.execPath, ['--require', onSignal, path.join(root, 'bin/mesh'), ...args], {
    env: { ...process.env, MESH_WATCHDOG_MS: String(LIMIT_MS) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  log = '';
  pilot.stderr?.on('data', (part) => (log += String(part)));
  await until('it serves', () => log.includes('pilot serves'));
});

afterEach(async () => {
  pilot.kill('SIGKILL');
  await folder.remove();
});

test('a blocked loop ends the process, and its last line says why', async () => {
  const ended = once(pilot, 'close');
  pilot.kill('SIGUSR2');
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(log.trimEnd().split('\n').at(-1)).toContain(`pilot stands still for ${LIMIT_MS} ms: ending it`);
});

test('a process that was stopped and goes on is not ended, and SIGTERM is obeyed', async () => {
  pilot.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2 * LIMIT_MS));
  pilot.kill('SIGCONT');
  await new Promise((resolve) => setTimeout(resolve, 2 * LIMIT_MS));
  expect(pilot.exitCode ?? pilot.signalCode).toBeNull();
  const ended = once(pilot, 'close');
  pilot.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
