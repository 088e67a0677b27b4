/** Proxies: which versions they have, what they are served, and waiting for them. */
import { z } from 'zod';
import {
  type List,
  type ProxyChangesResponse,
  type ProxyConfig,
  type ProxyItem,
  proxyConfigTypes,
} from '../../model/api.js';
import { applyRequest } from '../../model/api-requests.js';
import { viewOf } from '../../model/definition.js';
import { defaultMesh, MESH_NAME, meshKind } from '../../model/mesh.js';
import type { NodePlan } from '../../model/node-plan.js';
import { byText } from '../../model/order.js';
import { instanceBootstrap } from '../../planner/bootstrap.js';
import { MeshError, messageOf } from '../../runtime/mesh-error.js';
import { callerView } from '../caller-view.js';
import { indexAfter } from '../operations/apply.js';
import { proxyChanges } from '../proxy-changes.js';
import { inEffect } from '../quarantine/in-effect.js';
import { waitAcks } from './acks.js';
import type { ApiContext, LivePilot } from './context.js';
import { listOf } from './lists.js';
import { readMeshView } from './mesh-view.js';
import { otherPilots, type RemotePilot } from './other-pilots.js';
import { defineRoute, queryCount, queryFlag, type Route } from './route.js';

/** Of a DNS name and a port. */
const MAX_HOST_CHARS = 261;
const ACK_WAIT_MS = 30_000;
const MAX_ACK_WAIT_MS = 600_000;

export function proxyRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/proxies',
      summary: 'Proxies of this pilot, or with all=true of every pilot',
      query: z.strictObject({ all: queryFlag.optional() }),
      answer: 'List<ProxyItem>',
      async handle({ query, signal }) {
        const revision = api.live?.snapshot()?.revision ?? 0;
        const own = api.live?.proxies() ?? [];
        if (query.all !== true) return listOf('Proxy', revision, liveOf(api).proxies());
        const others = await otherPilots(api, signal);
        const answers = await Promise.all(others.map((pilot) => proxiesOf(api, pilot)));
        const items = [...own, ...answers.flat()].toSorted(byText(({ proxy }) => proxy));
        return listOf('Proxy', revision, items);
      },
    }),
    defineRoute({
      method: 'get',
      // An id holds slashes; a client may encode them or not.
      path: '/v1/proxies/:proxy{.+}/config',
      summary: 'What a proxy is served, as Envoy JSON',
      query: z.strictObject({ type: z.enum([...proxyConfigTypes, 'all']).optional() }),
      answer: 'ProxyConfig',
      async handle({ param, query: { type = 'all' }, signal }) {
        const proxy = param('proxy');
        const config = api.live?.proxyConfig(proxy) ?? (await configElsewhere(api, proxy, signal));
        if (config === undefined) {
          throw new MeshError('MESH2005', `proxy ${proxy} is not connected`, { hint: 'see mesh proxy list' });
        }
        const all = { ...config.resources, bootstrap: bootstrapOf(proxy, api.live?.snapshot()?.plans) };
        const resources = Object.entries(all).filter(([name]) => type === 'all' || name === type);
        return { proxy, resources: Object.fromEntries(resources) } satisfies ProxyConfig;
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/caller-view',
      summary: 'What the sidecar of a caller is served, whether it is there or not: `mesh resolve` decides on it',
      query: z.strictObject({
        host: z.string().min(1).max(MAX_HOST_CHARS),
        namespace: z.string(),
        from: z.string().optional(),
      }),
      answer: 'CallerView',
      async handle({ query, signal }) {
        const { state, refused } = await readMeshView(api, signal);
        return callerView(inEffect(state.snapshot, refused, api.kinds), query);
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/proxy-changes',
      summary: 'What these definitions would change in the Envoys that run; nothing is written',
      body: applyRequest,
      answer: 'ProxyChangesResponse',
      async handle({ body, signal }) {
        const { state } = await readMeshView(api, signal);
        const definitions = viewOf(indexAfter(state, body, { keys: api.store.keys, kinds: api.kinds }));
        const mesh = definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
        const { snapshot } = state;
        const proxies = [...snapshot.plans.values()].reduce((sum, { instances }) => sum + instances.length, 0);
        const groups = proxyChanges(snapshot, { ...snapshot, definitions, mesh });
        return { revision: snapshot.revision, proxies, groups } satisfies ProxyChangesResponse;
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/acks',
      summary: 'Answers when the proxies of every live pilot have acknowledged a store revision, else 504',
      query: z.strictObject({
        storeRevision: z
          .string()
          .regex(/^\d{1,19}$/)
          .transform(BigInt),
        timeoutMs: queryCount(MAX_ACK_WAIT_MS).optional(),
      }),
      answer: 'AckWaitResponse',
      async handle({ query: { storeRevision, timeoutMs = ACK_WAIT_MS }, signal }) {
        const answer = await waitAcks(api, storeRevision, timeoutMs, signal);
        if (answer.acked) return answer;
        throw new MeshError('MESH2003', `not acknowledged within ${timeoutMs} ms by ${answer.laggards.join(', ')}`, {
          retryable: true,
          hint: 'see mesh proxy status',
        });
      },
    }),
  ];
}

/** As planned, not as pushed: what the agent rendered for it. Empty for a proxy that no plan has (any more). */
function bootstrapOf(
  proxy: string,
  plans: ReadonlyMap<string, NodePlan> | undefined,
): ProxyConfig['resources'][string] {
  const [instanceId, node = ''] = (proxy.split('/').at(-1) ?? '').split('@');
  const plan = plans?.get(node);
  const instance = plan?.instances.find((one) => one.instance === instanceId);
  if (plan === undefined || instance === undefined) return [];
  return [{ name: 'bootstrap', version: instance.digest, resource: instanceBootstrap(plan, instance) }];
}

function liveOf(api: ApiContext): LivePilot {
  if (api.live !== undefined) return api.live;
  throw new MeshError('MESH2008', 'no pilot runs here, so no proxy is connected', {
    hint: 'ask a pilot: --server URL',
  });
}

/** A pilot that does not answer has no proxies to show; that is told in the log, not held against the others. */
async function proxiesOf(api: ApiContext, pilot: RemotePilot): Promise<readonly ProxyItem[]> {
  try {
    // Another pilot of the same program answers in the same shape.
    return ((await pilot.get('/v1/proxies')) as List<ProxyItem>).items;
  } catch (error) {
    api.log.warn({ pilot: pilot.id, error: messageOf(error) }, 'another pilot did not tell its proxies');
    return [];
  }
}

async function configElsewhere(api: ApiContext, proxy: string, signal: AbortSignal): Promise<ProxyConfig | undefined> {
  for (const pilot of await otherPilots(api, signal)) {
    const isThere = (await proxiesOf(api, pilot)).some((item) => item.proxy === proxy);
    if (isThere) return (await pilot.get(`/v1/proxies/${encodeURIComponent(proxy)}/config`)) as ProxyConfig;
  }
  return undefined;
}
