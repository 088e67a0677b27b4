import type { ProxyItem, TypeState } from '../../../model/api.js';
import { defineCommand } from '../../command.js';
import { onlyProxies } from '../../find-proxy.js';
import type { Answer } from '../../output/answer.js';
import type { Tone } from '../../output/color.js';
import { formatTable } from '../../output/table.js';
import { age } from '../../output/time.js';
import { writeOrWatch } from '../../output/watch.js';
import type { Session } from '../../session.js';

const tones: Readonly<Record<TypeState, Tone>> = { SYNCED: 'good', STALE: 'warn', NACK: 'bad', NOT_SENT: 'dim' };
const COLUMNS = ['CDS', 'EDS', 'LDS', 'RDS', 'RTDS'];

export const command = defineCommand({
  details: 'SYNCED: it has the newest. STALE: not yet acknowledged. NACK: it refused, and keeps the last good.',
  examples: [
    { line: 'mesh proxy status', what: 'all of them' },
    { line: 'mesh proxy status reviews-v1-7', what: 'one, by a part of its id' },
    { line: 'mesh proxy status -w', what: 'and stay' },
  ],
  arguments: [{ syntax: '[proxy]', description: 'an id or a part of it', completes: 'proxies' }],
  takes: ['watch'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [wanted]) {
    const api = await session.api();
    await writeOrWatch(session, async () => {
      const list = await api.proxies();
      return statusAnswer(session, { ...list, items: onlyProxies(list.items, wanted) });
    });
  },
});

function statusAnswer(session: Session, list: { readonly items: readonly ProxyItem[] }): Answer {
  const now = session.io.clock.now();
  const rows = list.items.map((item) => [
    item.proxy,
    item.envoy,
    ...COLUMNS.map((type) => stateCell(session, item, type)),
    lastAck(item, now),
    item.connectedTo || '-',
  ]);
  const refused = list.items.flatMap((item) =>
    (item.refused ?? []).map(({ kind, name, message }) => `${item.proxy} refused ${kind} ${name}: ${message}\n`),
  );
  const refusals = list.items.flatMap((item) =>
    Object.entries(item.types)
      .filter(([, { error }]) => error !== undefined)
      .map(([type, { error }]) => `${item.proxy} ${type}: ${error}\n`),
  );
  return {
    value: list,
    names: list.items.map(({ proxy }) => proxy),
    text: formatTable(['PROXY', 'ENVOY', ...COLUMNS, 'LAST ACK', 'PILOT'], rows) + [...refusals, ...refused].join(''),
  };
}

function stateCell(session: Session, item: ProxyItem, type: string): string {
  const state = item.types[type]?.state;
  return state === undefined ? '-' : session.style.tone(tones[state], state);
}

function lastAck(item: ProxyItem, now: number): string {
  const times = Object.values(item.types).flatMap(({ ackedAt }) => (ackedAt === undefined ? [] : [ackedAt]));
  return times.length === 0 ? '-' : age(Math.max(...times), now);
}
