/** What happened. */
import { z } from 'zod';
import { readMeshState } from '../mesh-state.js';
import { events } from '../operations/events.js';
import { refuseUnknown } from '../operations/known-names.js';
import type { ApiContext } from './context.js';
import { listOf } from './lists.js';
import { defineRoute, queryCount, type Route } from './route.js';

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 5000;
const HOUR_MS = 3_600_000;

export function eventRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/events',
      summary: 'What happened within the last sinceMs milliseconds (default one hour), oldest first',
      query: z.strictObject({
        namespace: z.string().optional(),
        kind: z.string().optional(),
        name: z.string().optional(),
        service: z.string().optional(),
        sinceMs: queryCount(7 * 24 * HOUR_MS).optional(),
        limit: queryCount(MAX_LIMIT).optional(),
      }),
      answer: 'List<EventItem>',
      async handle({ query, signal }) {
        const { namespace = 'all', kind, name, service, sinceMs = HOUR_MS, limit = DEFAULT_LIMIT } = query;
        const since = api.clock.now() - sinceMs;
        const items = await events(api.store, { namespace, kind, name, service, since, limit }, signal);
        if (items.length === 0) {
          const { snapshot } = await readMeshState(
            api.store,
            { ...api, keys: api.store.keys },
            { instances: false },
            signal,
          );
          const node = kind === 'Node' ? name : undefined;
          refuseUnknown(snapshot, { service, node, namespace: namespace === 'all' ? undefined : namespace });
        }
        return listOf('Event', api.live?.snapshot()?.revision ?? 0, items);
      },
    }),
  ];
}
