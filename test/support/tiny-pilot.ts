/**
 * The least that makes a sidecar ready, for tests of the agent that need no pilot: a real ADS server that gives each proxy
 * its inbound listener, and stands in the store as a pilot does.
 */

import type { AckStatus, PilotStatus } from '../../src/model/leased-values.js';
import type { ProxyMetadata } from '../../src/model/proxy-metadata.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import type { Store } from '../../src/store/store.js';
import { createAdsServer } from '../../src/xds/ads-server.js';
import { encodeResource } from '../../src/xds/encode.js';
import { any } from '../../src/xds/envoy-any.js';
import type { EncodedResource, View } from '../../src/xds/resource-cache.js';
import { viewOf } from './xds-resources.js';

export interface TinyPilot {
  readonly address: string;
  /** Ids of the proxies that are connected. */
  proxies(): readonly string[];
  /** What `ack/<pilot>` says: all that was written so far, or not more than this. */
  holdAcksAt(storeRevision: bigint | undefined): Promise<void>;
  stop(): Promise<void>;
}

const ID = 'tiny';
const FAR_AHEAD = 2n ** 60n;

export async function startTinyPilot(store: Store): Promise<TinyPilot> {
  const host = {
    connect: (node: { readonly metadata: unknown }) => {
      const view = inboundView((node.metadata as { mesh: ProxyMetadata }).mesh);
      return Promise.resolve({ view: () => view, closed() {} });
    },
  };
  const server = createAdsServer({ host, clock: systemClock, logger: silentLogger });
  const address = await server.listen('127.0.0.1:0');
  const registrar = store.registrar({ ttlSeconds: 10 });
  const status: PilotStatus = { id: ID, http: '127.0.0.1:1', xds: address, version: 'test', startedAt: Date.now() };
  registrar.set(store.keys.pilot(ID), JSON.stringify(status));
  const holdAcksAt = async (storeRevision = FAR_AHEAD): Promise<void> => {
    const isHeld = storeRevision < FAR_AHEAD;
    const ack: AckStatus = {
      storeRevision: `${storeRevision}`,
      laggards: isHeld ? ['slow-proxy'] : [],
      behind: isHeld ? 1 : 0,
      proxies: 1,
    };
    registrar.set(store.keys.ack(ID), JSON.stringify(ack));
    await registrar.flush();
  };
  await holdAcksAt();
  return {
    address,
    proxies: () => server.proxies().map((proxy) => proxy.id),
    holdAcksAt,
    async stop() {
      await registrar.close();
      await server.close({ drainMs: 100 });
    },
  };
}

function inboundView({ address, ports }: ProxyMetadata): View {
  const resources = Object.entries(ports.inbound).flatMap(([name, port]): EncodedResource[] => [
    encodeResource('CDS', {
      name: `inbound|${port}||`,
      type: 'STATIC',
      connectTimeout: '1s',
      loadAssignment: {
        clusterName: `inbound|${port}||`,
        endpoints: [{ lbEndpoints: [{ endpoint: { address: socket('127.0.0.1', ports.app[name] ?? 0) } }] }],
      },
    }),
    encodeResource('LDS', {
      name: `inbound|${port}`,
      address: socket(address, port),
      enableReusePort: false,
      filterChains: [{ filters: [inboundHttp(port)] }],
    }),
  ]);
  return viewOf(1, resources);
}

function socket(address: string, portValue: number): { socketAddress: { address: string; portValue: number } } {
  return { socketAddress: { address, portValue } };
}

function inboundHttp(port: number): object {
  const route = { match: { prefix: '/' }, route: { cluster: `inbound|${port}||`, timeout: '30s' } };
  return {
    name: 'http',
    typedConfig: any('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      statPrefix: `inbound|${port}`,
      routeConfig: { name: `inbound|${port}`, virtualHosts: [{ name: 'app', domains: ['*'], routes: [route] }] },
      httpFilters: [{ name: 'router', typedConfig: any('envoy.extensions.filters.http.router.v3.Router', {}) }],
    }),
  };
}
