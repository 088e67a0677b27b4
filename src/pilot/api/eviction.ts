/** What is missing and frozen, and an operator's word on it. */
import { thawRequest } from '../../model/api-requests.js';
import { DEFAULT_NAMESPACE, fullName } from '../../model/names.js';
import { requireService } from '../operations/known-names.js';
import { thaw } from '../operations/thaw.js';
import type { ApiContext } from './context.js';
import { readMeshView } from './mesh-view.js';
import { defineRoute, type Route } from './route.js';

export function evictionRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/evictions',
      summary: 'Instances that are missing from the registry, and what is frozen',
      answer: 'EvictionStatus',
      handle: async ({ signal }) => (await readMeshView(api, signal)).eviction,
    }),
    defineRoute({
      method: 'post',
      path: '/v1/thaw',
      summary: 'Those who are missing are really gone: end the freeze of a service, or of everything',
      body: thawRequest,
      answer: 'ThawResponse',
      async handle({ body, signal }) {
        const { service: name, namespace = DEFAULT_NAMESPACE, by, why = '' } = body;
        if (name !== undefined) {
          const { state } = await readMeshView(api, signal);
          // What registers itself needs no definition.
          if (!state.sources.has(fullName(namespace, name))) requireService(state.snapshot, namespace, name);
        }
        return thaw(api, { service: name === undefined ? undefined : { namespace, name }, by, why }, signal);
      },
    }),
  ];
}
