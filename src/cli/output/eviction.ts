/** What is missing and what is frozen, with what to do about it; nothing when all is well. */
import type { EvictionItem, EvictionStatus, FreezeItem } from '../../model/api.js';
import { freezeAdvice, MESH_SCOPE } from '../../model/eviction.js';
import { missingState } from '../instance-table.js';
import type { Session } from '../session.js';
import { counted } from './count.js';
import { formatTable } from './table.js';
import { age } from './time.js';

const MAX_SHOWN = 20;

export function formatEviction({ frozen, missing }: EvictionStatus, session: Session): string {
  const { style, io } = session;
  const now = io.clock.now();
  const alarms = frozen.map((item) => `${style.tone('bad', `${style.symbol.warn} ${freezeLine(item, now)}`)}\n`);
  const suspects = missing.filter(({ state }) => state === 'suspect');
  const shown = suspects.slice(0, MAX_SHOWN);
  const more = suspects.length - shown.length;
  // They stay in the lists until their agents are back, or their records are gone.
  const evicted = missing.length - suspects.length;
  return [
    ...alarms,
    ...(shown.length > 0 ? [suspectTable(shown, session, now)] : []),
    ...(more > 0 ? [`… and ${more} more: mesh status -o json\n`] : []),
    ...(evicted > 0 ? [`${counted(evicted, 'instance')} evicted: mesh get instances -A\n`] : []),
  ].join('');
}

function suspectTable(suspects: readonly EvictionItem[], { style }: Session, now: number): string {
  const rows = suspects.map((item) => [
    item.namespace,
    item.service,
    item.instance,
    item.node || '-',
    style.tone('bad', missingState(item, now)),
    age(item.since, now),
    item.why,
  ]);
  return formatTable(['NAMESPACE', 'SERVICE', 'MISSING', 'NODE', 'STATE', 'SINCE', 'WHY'], rows);
}

function freezeLine({ scope, since, why, thaw }: FreezeItem, now: number): string {
  const what = scope === MESH_SCOPE ? 'the whole mesh' : scope;
  if (thaw !== undefined) return `${what} was thawed by ${thaw.by}: those that were missing then are removed`;
  return `${what} is frozen for ${age(since, now)}, nobody is removed: ${why}. ${freezeAdvice(scope)}`;
}
