/** What machines ask: health, metrics, what there is to scrape, and this API's own description. */
import { allInstances } from '../../model/mesh-snapshot.js';
import { byText } from '../../model/order.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { ApiContext } from './context.js';
import { readMeshView } from './mesh-view.js';
import { openApi } from './openapi.js';
import { defineRoute, type Route } from './route.js';

export function processRoutes(api: ApiContext, all: () => readonly Route[]): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/healthz',
      summary: 'Does the process answer?',
      answer: 'text',
      handle: ({ context }) => context.text('ok\n'),
    }),
    defineRoute({
      method: 'get',
      path: '/readyz',
      summary: 'Does it serve a complete view? 503 with the reason until then',
      answer: 'text',
      handle({ context }) {
        const reason = api.live === undefined ? 'no pilot runs here' : api.live.notReady();
        return reason === undefined ? context.text('ready\n') : context.text(`${reason}\n`, 503);
      },
    }),
    defineRoute({
      method: 'get',
      path: '/metrics',
      summary: 'Metrics of this pilot for Prometheus',
      answer: 'text/plain; version=0.0.4',
      async handle({ context }) {
        if (api.live === undefined) throw new MeshError('MESH2008', 'only a pilot has metrics');
        return context.text(await api.live.metrics(), 200, {
          'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        });
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/sd/prometheus',
      summary: 'Prometheus HTTP discovery: the sidecars and the pilots',
      answer: 'list of { targets, labels }',
      async handle({ signal }) {
        const { state, pilots } = await readMeshView(api, signal);
        const sidecars = allInstances(state.snapshot)
          .filter((record) => record.state !== 'stopped')
          .toSorted(byText(({ instance }) => instance))
          .map((record) => ({
            targets: [`${record.address}:${record.ports.metrics}`],
            labels: {
              __metrics_path__: '/stats/prometheus',
              job: 'mesh-sidecar',
              namespace: record.namespace,
              service: record.service,
              version: record.version,
              mesh_instance: record.instance,
              node: record.node,
            },
          }));
        const own = pilots.map((pilot) => ({ targets: [pilot.http], labels: { job: 'mesh-pilot', pilot: pilot.id } }));
        return [...sidecars, ...own];
      },
    }),
    defineRoute({
      method: 'get',
      path: '/openapi.json',
      summary: 'This description',
      answer: 'OpenAPI 3.1',
      handle: () => openApi(all(), api.version),
    }),
    defineRoute({
      method: 'get',
      path: '/',
      summary: 'What this is',
      answer: 'text',
      handle: ({ context }) =>
        context.text(
          `lightmesh pilot ${api.version}${api.live === undefined ? '' : ` (${api.live.id})`}\n` +
            'API: /v1 (described by /openapi.json), /readyz, /metrics. Command line: mesh --help\n',
        ),
    }),
  ];
}
