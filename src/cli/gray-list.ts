import type { GrayStatus, List } from '../model/api.js';
import type { Answer } from './output/answer.js';
import { formatCount } from './output/gray-status.js';
import { formatTable } from './output/table.js';
import { age } from './output/time.js';
import type { Session } from './session.js';

const HEADER = ['NAMESPACE', 'SERVICE', 'STABLE', 'GRAY', 'PHASE', 'ASKED', 'MEASURED', 'REQUESTS', 'PROXIES', 'SINCE'];

export function grayList(session: Session, list: List<GrayStatus>, shows: (status: GrayStatus) => boolean): Answer {
  const items = list.items.filter(shows);
  if (items.length === 0) session.say('No gray release. Begin one: mesh gray start SERVICE --to VERSION --weight 10');
  const now = session.io.clock.now();
  const rows = items.map((item) => [
    item.namespace,
    item.service,
    item.stable,
    item.gray,
    item.phase,
    `${item.weight} %`,
    item.share === null ? '-' : `${Math.round(item.share * 10) / 10} %`,
    formatCount(item.stableCounts.requests + item.grayCounts.requests),
    `${item.proxies.acked}/${item.proxies.total}`,
    age(item.since, now),
  ]);
  return {
    value: { ...list, items },
    names: items.map(({ namespace, service }) => `${namespace}/${service}`),
    text: items.length === 0 ? '' : formatTable(HEADER, rows),
  };
}
