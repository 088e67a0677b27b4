/**
 * One process per data directory. The lock names its holder by process id and start time, so that a lock whose holder was
 * killed is taken over, also when the id has been given to another process since.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../runtime/mesh-error.js';

interface Holder {
  readonly pid: number;
  readonly startTime: string;
}

const MAX_TRIES = 3;

/** Returns how to give it back. MESH2011 when another holder lives. */
export async function takeLock(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'lock');
  const own = join(dir, `lock.${randomUUID()}`);
  const text = JSON.stringify({ pid: process.pid, startTime: await startTimeOf(process.pid) });
  await writeFile(own, text);
  try {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      // Linking fails when there is a lock, and never shows a half-written one.
      if (await succeeds(link(own, path))) return () => rm(path, { force: true });
      await removeIfStale(dir, path);
    }
    throw new MeshError('MESH2011', `several processes are taking over the data directory ${dir} at once`);
  } finally {
    await rm(own, { force: true });
  }
}

async function removeIfStale(dir: string, path: string): Promise<void> {
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found === undefined) return;
  const holder = holderOf(found);
  if (holder && (await startTimeOf(holder.pid)) === holder.startTime) throw inUse(dir, holder);
  // Moving is atomic: of two who found the same stale lock, one gets it. Whoever got a fresh one instead puts it back.
  const aside = join(dir, `lock.${randomUUID()}`);
  if (!(await succeeds(rename(path, aside)))) return;
  if ((await readFile(aside, 'utf8')) !== found) await succeeds(link(aside, path));
  await rm(aside, { force: true });
}

function inUse(dir: string, holder: Holder): MeshError {
  return new MeshError('MESH2011', `the data directory ${dir} is in use by process ${holder.pid}`, {
    hint: `Use that store by its address, which is in ${join(dir, 'address')}, or stop the process.`,
  });
}

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, startTime } = JSON.parse(text) as Partial<Holder>; // checked on the next line
    return Number.isInteger(pid) && typeof startTime === 'string' ? { pid: pid as number, startTime } : undefined;
  } catch {
    return undefined; // not ours, or from before a crash of the machine: nobody holds it
  }
}

/** Clock ticks since boot where /proc tells; elsewhere a constant for a living process. Empty for a dead one. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the command in parentheses, which may hold anything; the start time is the 22nd.
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  if (process.platform === 'linux') return '';
  return isAlive(pid) ? 'alive' : '';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function succeeds(action: Promise<unknown>): Promise<boolean> {
  return action.then(
    () => true,
    () => false,
  );
}
