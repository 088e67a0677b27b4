import type { EventItem, List } from '../../model/api.js';
import { parseDurationMs } from '../../model/duration.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { EventQuery } from '../api-client.js';
import { defineCommand } from '../command.js';
import { kindOf } from '../kind-words.js';
import { type Answer, formatAnswer, writeAnswer } from '../output/answer.js';
import { formatTable } from '../output/table.js';
import { clockTime } from '../output/time.js';
import type { Session } from '../session.js';

interface Options {
  readonly since: string;
}

const POLL_INTERVAL_MS = 1000;
/** Kinds of what happens that are no kinds of definitions. */
const observedKinds = ['Instance', 'Pilot', 'Release', 'Revision'];

export const command = defineCommand<Options>({
  details:
    'What agents and pilots saw, and every accepted revision, newest last. Events are kept for an hour; `mesh history` keeps revisions for good.',
  examples: [
    { line: 'mesh events', what: 'of the last hour' },
    { line: 'mesh events reviews -w', what: 'of a service and its instances, and stay' },
    { line: 'mesh events node/node-a --since 10m', what: 'of a node and what runs there' },
    { line: 'mesh events -A -w -o json', what: 'for scripts, one event per line' },
  ],
  arguments: [{ syntax: '[what]', description: 'a service, or KIND/NAME', completes: 'services' }],
  options: [{ flags: '--since <duration>', description: 'how far back', defaultValue: '1h' }],
  takes: ['namespace', 'allNamespaces', 'watch'],
  output: ['table', 'wide', 'json', 'yaml'],
  connects: 'api',
  async run(session, [what], { since }) {
    const { settings } = session;
    const sinceMs = parseDurationMs(since);
    if (sinceMs === undefined) {
      throw new MeshError('MESH2007', `--since "${since}" is no duration`, { hint: 'write 10m, 90s or 1h30m' });
    }
    const namespace = settings.allNamespaces ? 'all' : settings.namespace;
    const query = { namespace, sinceMs, ...(await about(what)) };
    const api = await session.api();
    if (settings.watch) return follow(session, () => api.events(query));
    const list = await api.events(query);
    if (list.items.length === 0) session.say(`Nothing happened within ${since}. \`mesh history\` goes further back.`);
    await writeAnswer(session, { value: list, text: list.items.length === 0 ? '' : table(session, list.items) });
  },
});

async function about(what: string | undefined): Promise<Partial<EventQuery>> {
  if (what === undefined) return {};
  const [word = '', name, ...rest] = what.split('/');
  if (name === undefined) return { service: word };
  if (word === '' || name === '' || rest.length > 0) {
    throw new MeshError('MESH2007', `"${what}" is neither a service nor KIND/NAME`, {
      hint: 'write reviews, node/node-a or instance/reviews-v1-7',
    });
  }
  const observed = observedKinds.find((kind) => kind.toLowerCase() === word.toLowerCase().replace(/s$/, ''));
  return { kind: observed ?? (await kindOf(word)).kind, name };
}

/** What is new, or was seen again, a line each. */
async function follow(session: Session, read: () => Promise<List<EventItem>>): Promise<void> {
  const { io, settings } = session;
  let shown = new Map<string, number>();
  for (;;) {
    const { items } = await read();
    const news = items.filter(({ id, count }) => shown.get(id) !== count);
    shown = new Map(items.map(({ id, count }) => [id, count]));
    for (const item of news) {
      const answer: Answer = { value: item, text: `${line(session, item).join('  ')}\n` };
      session.write(await formatAnswer(answer, settings.output, true));
    }
    await io.clock.sleep(POLL_INTERVAL_MS, io.signal);
  }
}

function table(session: Session, items: readonly EventItem[]): string {
  const by = session.settings.output === 'wide' ? ['BY'] : [];
  const header = ['AT', 'REASON', 'WHAT', ...by, 'MESSAGE'];
  return formatTable(
    header,
    items.map((item) => line(session, item)),
  );
}

function line({ style, settings }: Session, item: EventItem): string[] {
  const { lastAt, reason, tone, kind, name, by, message, count } = item;
  const times = count > 1 ? ` (${count} times since ${clockTime(item.at)})` : '';
  return [
    clockTime(lastAt),
    tone === 'warning' ? style.tone('warn', reason) : reason,
    `${kind}/${name}`,
    ...(settings.output === 'wide' ? [by] : []),
    `${message}${times}`,
  ];
}
