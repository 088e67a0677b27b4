import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { cache } from './places.mjs';

export const docker = (...args) =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** The label's value, or undefined when there is no such image. */
export function labelOf(image, label) {
  try {
    return docker('image', 'inspect', '--format', `{{index .Config.Labels "${label}"}}`, image);
  } catch (error) {
    if (/no such image/i.test(error.stderr)) return undefined;
    throw new Error(`Docker does not answer (${error.stderr?.trim() ?? error.message}): run scripts/setup`);
  }
}

/** Lays the files out below `.cache`, and streams them to the engine as one layer. */
export async function importImage(image, files, changes) {
  mkdirSync(cache, { recursive: true });
  const tree = mkdtempSync(path.join(cache, 'image-'));
  try {
    for (const file of files) layOut(tree, file);
    await stream(
      ['tar', '-C', tree, '--owner=0', '--group=0', '--mode=u+rwX,go+rX', '--sort=name', '-c', '.'],
      ['docker', 'import', ...changes.flatMap((change) => ['--change', change]), '-', image],
    );
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function layOut(tree, file) {
  const to = path.join(tree, file.path);
  mkdirSync(file.directory ? to : path.dirname(to), { recursive: true });
  if (file.source !== undefined) copyFileSync(file.source, to, constants.COPYFILE_FICLONE);
  else if (file.target !== undefined) symlinkSync(file.target, to);
  else if (file.text !== undefined) writeFileSync(to, file.text);
  if (file.mode !== undefined) chmodSync(to, file.mode); // not left to the umask
}

async function stream([fromCommand, ...fromArgs], [toCommand, ...toArgs]) {
  const from = spawn(fromCommand, fromArgs, { stdio: ['ignore', 'pipe', 'inherit'] });
  const to = spawn(toCommand, toArgs, { stdio: [from.stdout, 'ignore', 'inherit'] });
  from.stdout.destroy(); // it is the other's now
  const codes = await Promise.all(
    [from, to].map((child) => new Promise((resolve) => child.once('error', () => resolve(127)).once('close', resolve))),
  );
  if (codes.some((code) => code !== 0))
    throw new Error(`${fromCommand} and ${toCommand} ended with ${codes.join(' and ')}`);
}
