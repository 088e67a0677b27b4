/** Gray releases. A command answers when the proxies have acknowledged it, or after a bound; its answer says how many have. */
import { z } from 'zod';
import type { GrayHistoryItem, GrayResponse } from '../../model/api.js';
import { grayCommandRequest, grayShiftRequest, grayStartRequest } from '../../model/api-requests.js';
import { fullName } from '../../model/names.js';
import { byKey } from '../../model/order.js';
import type { Release } from '../../model/release.js';
import { suggestion } from '../../model/suggestion.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { RELEASE_KIND } from '../changes.js';
import { type GrayRequest, gray } from '../operations/gray.js';
import { history } from '../operations/history.js';
import { waitAcks } from './acks.js';
import type { ApiContext } from './context.js';
import { listOf } from './lists.js';
import { grayStatusIn, type MeshView, readMeshView } from './mesh-view.js';
import { defineRoute, queryCount, type Route, type RouteInput } from './route.js';

const ACK_WAIT_MS = 2000;
const MAX_ACK_WAIT_MS = 60_000;
const MAX_HISTORY = 1000;

const query = z.strictObject({ timeoutMs: queryCount(MAX_ACK_WAIT_MS).optional() });
type Query = z.output<typeof query>;

export function grayRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/v1/gray/:namespace/:service/start',
      summary: 'Start a gray release of a service to a version',
      query,
      body: grayStartRequest,
      answer: 'GrayResponse',
      handle: (input) => {
        const { to, from, weight, steps, matches } = input.body;
        return command(api, input, { command: 'start', to, from, weight, steps, matches });
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/gray/:namespace/:service/shift',
      summary: 'Give the gray version another share of plain traffic',
      query,
      body: grayShiftRequest,
      answer: 'GrayResponse',
      handle: (input) => command(api, input, { command: 'shift', weight: input.body.weight, delta: input.body.delta }),
    }),
    ...plainCommands.map(([name, summary]) =>
      defineRoute({
        method: 'post',
        path: `/v1/gray/:namespace/:service/${name}`,
        summary,
        query,
        body: grayCommandRequest,
        answer: 'GrayResponse',
        handle(input) {
          const { full } = input.body;
          if (name === 'promote') return command(api, input, { command: name, full });
          if (full !== undefined) throw new MeshError('MESH2007', `gray ${name} knows no "full"`);
          return command(api, input, { command: name });
        },
      }),
    ),
    defineRoute({
      method: 'get',
      path: '/v1/gray',
      summary: 'The newest release of every service that has one',
      answer: 'List<GrayStatus>',
      async handle({ signal }) {
        const view = await readMeshView(api, signal);
        const { releases, revision } = view.state.snapshot;
        const sorted = [...releases].toSorted(byKey);
        return listOf(
          'GrayRelease',
          revision,
          sorted.map(([, release]) => grayStatusIn(view, release)),
        );
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/gray/:namespace/:service',
      summary: 'The newest release of a service: asked weight, measured share, acknowledgements',
      answer: 'GrayStatus',
      async handle({ param, signal }) {
        const view = await readMeshView(api, signal);
        return grayStatusIn(view, releaseIn(view, param('namespace'), param('service')));
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/gray/:namespace/:service/history',
      summary: 'The transitions of all releases of a service, newest first',
      query: z.strictObject({ limit: queryCount(MAX_HISTORY).optional() }),
      answer: 'List<GrayHistoryItem>',
      async handle({ param, query: { limit = MAX_HISTORY }, signal }) {
        const filter = { kind: RELEASE_KIND, namespace: param('namespace'), name: param('service'), limit };
        const revisions = await history(api.store, filter, signal);
        const items = revisions.flatMap(({ revision, changes }) =>
          changes.flatMap(({ kind, namespace, name, after }): GrayHistoryItem[] => {
            if (kind !== RELEASE_KIND || namespace !== filter.namespace || name !== filter.name) return [];
            // Written by this very program under this kind.
            const release = after as Release | undefined;
            const transition = release?.history.find((one) => one.revision === revision);
            return release === undefined || transition === undefined
              ? []
              : [{ ...transition, stable: release.stable, gray: release.gray }];
          }),
        );
        return listOf('GrayTransition', revisions[0]?.revision ?? 0, items);
      },
    }),
  ];
}

const plainCommands = [
  ['promote', 'To the next step, or with full (or after the last step) to the end'],
  ['rollback', 'Take all traffic away from the gray version'],
  ['pause', 'Hold the release where it is'],
  ['resume', 'Go on after a pause'],
  ['undo', 'Go back to the old version after a release has succeeded'],
] as const;

async function command(
  api: ApiContext,
  input: RouteInput<Query, { readonly by: string; readonly why?: string }>,
  request: GrayRequest,
): Promise<GrayResponse> {
  const { body, param, signal } = input;
  const target = { namespace: param('namespace'), service: param('service'), by: body.by, why: body.why };
  const { revision, storeRevision, release, advice } = await gray(api, target, request, signal);
  await waitAcks(api, storeRevision, input.query.timeoutMs ?? ACK_WAIT_MS, signal);
  const view = await readMeshView(api, signal);
  return { revision, storeRevision: String(storeRevision), status: grayStatusIn(view, release), advice };
}

function releaseIn(view: MeshView, namespace: string, service: string): Release {
  const { releases, definitions } = view.state.snapshot;
  const release = releases.get(fullName(namespace, service));
  if (release !== undefined) return release;
  const services = definitions.names('Service', namespace);
  const hint = services.includes(service) ? `mesh gray start ${service} --to VERSION` : suggestion(service, services);
  throw new MeshError('MESH2005', `${namespace}/${service} has no gray release`, { hint });
}
