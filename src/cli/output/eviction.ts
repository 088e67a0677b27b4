/** What is missing and what is frozen, with what to do about it; nothing when all is well. */
import type { EvictionStatus, FreezeItem } from '../../model/api.js';
import { freezeAdvice, MESH_SCOPE } from '../../model/eviction.js';
import { missingState } from '../instance-table.js';
import type { Session } from '../session.js';
import { formatTable } from './table.js';
import { age } from './time.js';

const MAX_SHOWN = 20;

export function formatEviction({ frozen, missing }: EvictionStatus, session: Session): string {
  const { style, io } = session;
  const now = io.clock.now();
  const alarms = frozen.map((item) => `${style.tone('bad', `${style.symbol.warn} ${freezeLine(item, now)}`)}\n`);
  if (missing.length === 0) return alarms.join('');
  const rows = missing
    .slice(0, MAX_SHOWN)
    .map((item) => [
      item.namespace,
      item.service,
      item.instance,
      item.node || '-',
      style.tone('bad', missingState(item, now)),
      age(item.since, now),
      item.why,
    ]);
  const table = formatTable(['NAMESPACE', 'SERVICE', 'MISSING', 'NODE', 'STATE', 'SINCE', 'WHY'], rows);
  const more = missing.length - MAX_SHOWN;
  return [...alarms, table, ...(more > 0 ? [`… and ${more} more: mesh status -o json\n`] : [])].join('');
}

function freezeLine({ scope, since, why, thaw }: FreezeItem, now: number): string {
  const what = scope === MESH_SCOPE ? 'the whole mesh' : scope;
  if (thaw !== undefined) return `${what} was thawed by ${thaw.by}: those that were missing then are removed`;
  return `${what} is frozen for ${age(since, now)}, nobody is removed: ${why}. ${freezeAdvice(scope)}`;
}
