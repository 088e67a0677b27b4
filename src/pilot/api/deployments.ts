/** Plans and deployments. */
import { z } from 'zod';
import { deployRequest, planRequest } from '../../model/api-requests.js';
import type { Deployment } from '../../model/revision.js';
import { valueOf } from '../../model/stored-value.js';
import { listPublished } from '../mesh-state.js';
import { deploy, plan } from '../operations/deploy.js';
import { readHead, readPlan } from '../stored-values.js';
import type { ApiContext } from './context.js';
import { listOf } from './lists.js';
import { defineRoute, queryList, type Route } from './route.js';

export function deploymentRoutes(api: ApiContext): readonly Route[] {
  const { store } = api;
  return [
    defineRoute({
      method: 'post',
      path: '/v1/plan',
      summary: 'What a deploy would change now',
      body: planRequest,
      answer: 'PlanResponse',
      handle: ({ body, signal }) => plan(api, body, signal),
    }),
    defineRoute({
      method: 'post',
      path: '/v1/deploy',
      summary: 'Plan again and commit the plans of the nodes',
      body: deployRequest,
      answer: 'DeployResponse',
      handle: ({ body, signal }) => deploy(api, body, signal),
    }),
    defineRoute({
      method: 'get',
      path: '/v1/deployments',
      summary: 'Deployments, newest first',
      answer: 'List<DeploymentItem>',
      async handle({ signal }) {
        const { entries } = await store.list([store.keys.below('deploy'), { key: store.keys.revHead }], {}, signal);
        const items = entries.flatMap(({ value }) => valueOf<Deployment>(value, ['id', 'nodes']) ?? []);
        return listOf(
          'Deployment',
          headOf(entries, store.keys.revHead),
          items.toSorted((a, b) => b.id - a.id),
        );
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/plans',
      summary: 'The committed plans, complete, as the agents read them',
      query: z.strictObject({ node: queryList.optional() }),
      answer: 'List<NodePlan>',
      async handle({ query, signal }) {
        const { entries } = await listPublished(store, [store.keys.below('plan')], signal);
        const plans = entries.flatMap((entry) => {
          if (entry.key === store.keys.revHead) return [];
          const read = readPlan(entry.value);
          return 'value' in read ? [read.value] : [];
        });
        const items = plans.filter((one) => query.node?.includes(one.node) ?? true);
        return listOf('NodePlan', headOf(entries, store.keys.revHead), items);
      },
    }),
  ];
}

export function headOf(entries: readonly { readonly key: string; readonly value: string }[], revHead: string): number {
  return readHead(entries.find((entry) => entry.key === revHead)?.value);
}
