import type { InstanceItem } from '../model/api.js';
import { formatDurationMs } from '../model/duration.js';
import type { InstanceState } from '../model/instance.js';
import type { Style, Tone } from './output/color.js';
import { formatTable } from './output/table.js';
import { age } from './output/time.js';
import type { Session } from './session.js';

const tones: Readonly<Record<InstanceState, Tone>> = {
  healthy: 'good',
  starting: 'warn',
  draining: 'warn',
  unhealthy: 'bad',
  stopped: 'dim',
};

const COLUMNS = ['SERVICE', 'VERSION', 'INSTANCE', 'NODE', 'STATE', 'ADDRESS', 'PROXY', 'AGE'];
const WIDE_COLUMNS = ['APP', 'METRICS', 'CONTAINER', 'REVISION', 'REASON'];

export function instanceTable(items: readonly InstanceItem[], wide: boolean, session: Session): string {
  const { settings, style, io } = session;
  const namespace = settings.allNamespaces || new Set(items.map((item) => item.namespace)).size > 1;
  const header = [...(namespace ? ['NAMESPACE'] : []), ...COLUMNS, ...(wide ? WIDE_COLUMNS : [])];
  const now = io.clock.now();
  const rows = items.map((item) => [
    ...(namespace ? [item.namespace] : []),
    item.service,
    item.version,
    item.instance,
    item.node,
    stateCell(item, style, now),
    item.address,
    `127.0.0.1:${item.proxyPort}`,
    age(item.startedAt, now),
    ...(wide ? wideCells(item) : []),
  ]);
  return formatTable(header, rows);
}

/** One that is missing shows what becomes of it, instead of what its record last said. */
function stateCell({ state, eviction }: InstanceItem, style: Style, now: number): string {
  if (eviction === undefined) return style.tone(tones[state], state);
  return style.tone('bad', missingState(eviction, now));
}

/** `suspect (removed in 43s)`, `suspect (frozen)`, `evicted`. */
export function missingState({ state, until, isFrozen }: NonNullable<InstanceItem['eviction']>, now: number): string {
  if (isFrozen && state === 'suspect') return 'suspect (frozen)';
  if (until === null) return state;
  return `${state} (removed in ${formatDurationMs(Math.max(0, Math.round((until - now) / 1000) * 1000))})`;
}

function wideCells(item: InstanceItem): string[] {
  const { appPort, metricsPort, container, planRevision, reason } = item;
  return [`127.0.0.1:${appPort}`, String(metricsPort), container || '-', String(planRevision), reason || '-'];
}
