import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from './places.mjs';

/** The exit code; output goes where ours goes. Commands of npm packages are found. A signal counts as a failure. */
export function run(command, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: environment() });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** Its standard output; throws when it fails. */
export function capture(command, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: environment() });
    let text = '';
    child.stdout.on('data', (part) => (text += part));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${command} exited ${code}`))));
  });
}

function environment() {
  const PATH = `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`;
  return { ...process.env, PATH };
}
