import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from './places.mjs';

/** The exit code; output goes where ours goes. Commands of npm packages are found. A signal counts as a failure. */
export function run(command, ...args) {
  const PATH = `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH } });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
