import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from './lock-file.js';

/** Makes room for an empty journal and keeps the old one under another name, which is returned. */
export async function setAsideJournal(dir: string, atMs: number): Promise<string> {
  const unlock = await takeLock(dir);
  try {
    const aside = join(dir, `journal.damaged-${atMs}`);
    await rename(join(dir, 'journal'), aside);
    await rm(join(dir, 'journal.synced'), { force: true });
    return aside;
  } finally {
    await unlock();
  }
}
