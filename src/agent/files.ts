/** Files that others read while we write them: the whole of the old or the whole of the new, never a part. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** True when it was written. An unchanged file keeps its time and its inode, so that nobody reloads it. */
export async function writeIfDifferent(file: string, text: string): Promise<boolean> {
  if ((await readText(file)) === text) return false;
  await mkdir(path.dirname(file), { recursive: true });
  const draft = `${file}.new`;
  const handle = await open(draft, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  return true;
}

/** Undefined when there is no such file. */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
