import type { InstanceItem } from '../model/api.js';
import type { InstanceState } from '../model/instance.js';
import type { Tone } from './output/color.js';
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
    style.tone(tones[item.state], item.state),
    item.address,
    `127.0.0.1:${item.proxyPort}`,
    age(item.startedAt, now),
    ...(wide ? wideCells(item) : []),
  ]);
  return formatTable(header, rows);
}

function wideCells(item: InstanceItem): string[] {
  const { appPort, metricsPort, container, planRevision, reason } = item;
  return [`127.0.0.1:${appPort}`, String(metricsPort), container || '-', String(planRevision), reason || '-'];
}
