/** Is it still the same process? A number alone may have been given to another since. */
import { readFile } from 'node:fs/promises';

/** Clock ticks after boot at which it was started; undefined when there is no such process (or it is a zombie). */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name of the program stands in parentheses and may hold anything, so fields are counted from behind it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z') return undefined;
  return fields[19];
}
