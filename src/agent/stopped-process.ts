/**
 * Is an app frozen (SIGSTOP)? The kernel takes connections for it all the same, so a check that only connects does not see it.
 * Read from /proc, where the agent sees its machine's processes; where it does not, nothing is claimed.
 */
import { readFile } from 'node:fs/promises';

/** `pid` is that of the container's first process; 0 when it has none. */
export async function whyStopped(pid: number, container: string): Promise<string | undefined> {
  if (pid === 0) return undefined;
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  if (!isStopped(await read('stat'))) return undefined;
  // In a container of its own the agent would see another process of that number.
  if (!(await read('cgroup')).includes(container)) return undefined;
  // The first process may be an init that hands over to the app: the app may be well beside it.
  if ((await read(`task/${pid}/children`)).trim() !== '') return undefined;
  return 'its process is stopped (SIGSTOP)';
}

/** Of `/proc/PID/stat`: `PID (name) STATE …`, where the name may hold anything. */
export function isStopped(stat: string): boolean {
  return /^\) [Tt] /.test(stat.slice(stat.lastIndexOf(')')));
}
