/** What runs: instances and nodes. */
import { z } from 'zod';
import { refuseUnknown } from '../operations/known-names.js';
import type { ApiContext } from './context.js';
import { listOf } from './lists.js';
import { readMeshView } from './mesh-view.js';
import { instanceItems, nodeItems } from './observed.js';
import { defineRoute, type Route } from './route.js';

export function instanceRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/instances',
      summary: 'Instances and their states; without a namespace, of all of them',
      query: z.strictObject({
        service: z.string().optional(),
        namespace: z.string().optional(),
        node: z.string().optional(),
      }),
      answer: 'List<InstanceItem>',
      async handle({ query, signal }) {
        const { state, eviction } = await readMeshView(api, signal);
        const namespace = query.namespace === 'all' ? undefined : query.namespace;
        const items = instanceItems(
          state.snapshot,
          eviction.missing,
          (record) =>
            (query.service === undefined || record.service === query.service) &&
            (namespace === undefined || record.namespace === namespace) &&
            (query.node === undefined || record.node === query.node),
        );
        if (items.length === 0) refuseUnknown(state.snapshot, { ...query, namespace });
        return listOf('Instance', state.snapshot.revision, items);
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/nodes',
      summary: 'Nodes, their agents and how far they are',
      answer: 'List<NodeItem>',
      async handle({ signal }) {
        const { state, nodes } = await readMeshView(api, signal);
        return listOf('Node', state.snapshot.revision, nodeItems(state.snapshot, nodes));
      },
    }),
  ];
}
