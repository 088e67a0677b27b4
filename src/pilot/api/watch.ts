/** Server-sent events: what has changed, so that whoever shows something knows when to read it again. */
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { MAX_REPLAYED, type WatchChange, type WatchRevision, type WatchTopic } from '../../model/api.js';
import { changeAction, type Revision } from '../../model/revision.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { Keys, ParsedKey } from '../../store/keys.js';
import { parseNamingKey } from '../../store/naming.js';
import { history } from '../operations/history.js';
import type { ApiContext, LivePilot } from './context.js';
import { defineRoute, type Route } from './route.js';

/** Proxies between us and the browser close streams that are silent. */
const PING_MS = 15_000;

const topics: Partial<Record<ParsedKey['kind'], WatchTopic>> = {
  def: 'definitions',
  instance: 'instances',
  evict: 'instances',
  freeze: 'instances',
  seen: 'instances',
  plan: 'plans',
  release: 'releases',
  fact: 'facts',
  node: 'nodes',
  pilot: 'pilots',
  ack: 'acks',
  event: 'events',
};

export function watchRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/watch',
      summary: 'Server-sent events: each new revision, and which topics have changed',
      query: z.strictObject({}),
      answer: 'text/event-stream of WatchRevision and WatchChange',
      handle({ context }) {
        const { live } = api;
        if (live === undefined) {
          throw new MeshError('MESH2008', 'only a pilot can be watched', { hint: 'ask a pilot: --server URL' });
        }
        const lastId = context.req.header('Last-Event-ID');
        const from = lastId !== undefined && /^\d{1,12}$/.test(lastId) ? Number(lastId) : live.snapshot()?.revision;
        return streamSSE(context, (stream) => send(api, live, stream, from ?? 0));
      },
    }),
  ];
}

/** Until the reader has gone. Revisions after `from` are read from the store: none is lost, however they came to be. */
async function send(api: ApiContext, live: LivePilot, stream: SSEStreamingApi, from: number): Promise<void> {
  const { keys } = api.store;
  let sent = from;
  let isHeadNew = true;
  let changed = new Set<WatchTopic>();
  let wake = new AbortController();
  const stop = live.onChange((news) => {
    isHeadNew ||= news.includes(keys.revHead);
    for (const topic of news.flatMap((key) => topicOf(key, keys) ?? [])) changed.add(topic);
    wake.abort(new Error('news'));
  });
  stream.onAbort(() => wake.abort(new Error('the reader has gone')));
  try {
    while (!stream.aborted) {
      const next = (wake = new AbortController());
      if (isHeadNew) {
        isHeadNew = false;
        for (const revision of await missedRevisions(api, sent)) {
          await stream.writeSSE(revisionEvent(revision));
          sent = revision.revision;
        }
      }
      if (changed.size > 0) {
        const topics = changed;
        changed = new Set();
        await stream.writeSSE(changeEvent(topics, sent));
      }
      if (isHeadNew || changed.size > 0) continue;
      if (await isQuiet(api, next.signal)) await stream.write(': still here\n\n');
    }
  } finally {
    stop();
  }
}

/** Resolves with true when nothing has woken us for a while. */
async function isQuiet(api: ApiContext, news: AbortSignal): Promise<boolean> {
  try {
    await api.clock.sleep(PING_MS, news);
    return true;
  } catch {
    return false; // woken
  }
}

interface SseEvent {
  readonly id: string;
  readonly event: 'revision' | 'change';
  readonly data: string;
}

function revisionEvent(revision: Revision): SseEvent {
  const { at, by, why, command } = revision;
  const changes = revision.changes.map((change) => ({
    kind: change.kind,
    ...(change.namespace === undefined ? {} : { namespace: change.namespace }),
    name: change.name,
    action: changeAction(change),
  }));
  const data: WatchRevision = { revision: revision.revision, at, by, why, command, changes };
  return { id: String(revision.revision), event: 'revision', data: JSON.stringify(data) };
}

function changeEvent(changed: ReadonlySet<WatchTopic>, revision: number): SseEvent {
  const change: WatchChange = { topics: [...changed].toSorted() };
  return { id: String(revision), event: 'change', data: JSON.stringify(change) };
}

function topicOf(key: string, keys: Keys): WatchTopic | undefined {
  const parsed = keys.parse(key);
  if (parsed !== undefined) return topics[parsed.kind];
  return parseNamingKey(key) === undefined ? undefined : 'instances';
}

/** Oldest first; of a long gap the newest. */
async function missedRevisions(api: ApiContext, sent: number): Promise<Revision[]> {
  const missed = await history(api.store, { limit: MAX_REPLAYED });
  return missed.filter((revision) => revision.revision > sent).toReversed();
}
