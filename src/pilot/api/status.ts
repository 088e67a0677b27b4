import { MAX_FINDINGS, type StatusResponse } from '../../model/api.js';
import { messageOf } from '../../runtime/mesh-error.js';
import { refusedDefinition } from '../quarantine/refused-definition.js';
import type { ApiContext } from './context.js';
import { grayStatusIn, type MeshView, meshViewOf, readMeshView } from './mesh-view.js';
import { nodeItems, serviceStatuses } from './observed.js';
import { defineRoute, type Route } from './route.js';

export function statusRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/status',
      summary: 'The whole mesh on one screen; with the store away, what this pilot saw last',
      answer: 'StatusResponse',
      async handle({ signal }) {
        try {
          return statusOf(api, await readMeshView(api, signal), api.live?.notReady());
        } catch (error) {
          const mirror = api.live?.mirror;
          if (mirror === undefined || api.live?.snapshot() === undefined) throw error;
          return statusOf(api, meshViewOf(api, [...mirror.entries.values()], mirror.storeRevision), messageOf(error));
        }
      },
    }),
  ];
}

function statusOf(api: ApiContext, view: MeshView, failure: string | undefined): StatusResponse {
  const { snapshot } = view.state;
  const proxies = api.live?.proxies() ?? [];
  const states = proxies.map((proxy) => Object.values(proxy.types).map((type) => type.state));
  return {
    version: api.version,
    revision: snapshot.revision,
    store: {
      description: failure === undefined ? api.store.description : `${api.store.description}: ${failure}`,
      synced: failure === undefined && (api.live?.mirror.synced ?? true),
      storeRevision: String(snapshot.storeRevision),
    },
    pilots: view.pilots,
    nodes: nodeItems(snapshot, view.nodes),
    services: serviceStatuses(snapshot),
    proxies: {
      connected: sum([...view.acks.values()].map((ack) => ack.proxies)),
      synced: sum([...view.acks.values()].map((ack) => ack.proxies - ack.behind)),
      nacked: states.filter((types) => types.includes('NACK')).length,
    },
    releases: [...snapshot.releases.values()].map((release) => grayStatusIn(view, release)),
    eviction: view.eviction,
    trustedNetworks: api.live?.trustedNetworks ?? [],
    refused: [...view.refused.values()].slice(0, MAX_FINDINGS).map(refusedDefinition),
    findings: [...view.state.findings].slice(0, MAX_FINDINGS).map(([key, { message }]) => ({ key, message })),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
