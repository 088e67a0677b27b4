import { encodeResource } from '../../src/xds/encode.js';
import { any } from '../../src/xds/envoy-any.js';
import type { EncodedResource, View } from '../../src/xds/resource-cache.js';
import { resourceMap } from '../../src/xds/resource-cache.js';
import { type ResourceShort, resourceType } from '../../src/xds/resource-types.js';

/** Small resources that Envoy accepts; `variant` makes their bytes differ. */
export function cluster(name: string, variant = 0): EncodedResource {
  return encodeResource('CDS', {
    name,
    type: 'EDS',
    connectTimeout: `${1 + variant}s`,
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' } },
  });
}

export function endpoints(clusterName: string, variant = 0, port = 1): EncodedResource {
  const address = { socketAddress: { address: '127.0.0.1', portValue: port } };
  return encodeResource('EDS', {
    clusterName,
    endpoints: [{ lbEndpoints: [{ endpoint: { address } }], loadBalancingWeight: 1 + variant, priority: 0 }],
  });
}

export function listener(name: string, routeName: string, variant = 0, port = 1): EncodedResource {
  return encodeResource('LDS', {
    name,
    address: { socketAddress: { address: '127.0.0.1', portValue: port } },
    statPrefix: `v${variant}`,
    filterChains: [
      {
        filters: [
          {
            name: 'http',
            typedConfig: any('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
              statPrefix: 'http',
              rds: { routeConfigName: routeName, configSource: { ads: {}, resourceApiVersion: 'V3' } },
              httpFilters: [{ name: 'router', typedConfig: any('envoy.extensions.filters.http.router.v3.Router', {}) }],
            }),
          },
        ],
      },
    ],
  });
}

export function routes(name: string, clusterNames: readonly string[], variant = 0): EncodedResource {
  return encodeResource('RDS', {
    name,
    validateClusters: true,
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: { prefix: '/' },
            route: {
              weightedClusters: {
                clusters: clusterNames.map((cluster) => ({ name: cluster, weight: 1 + variant })),
              },
            },
          },
        ],
      },
    ],
  });
}

export function runtimeLayer(name: string, values: Record<string, number | boolean>): EncodedResource {
  return encodeResource('RTDS', { name, layer: values });
}

export function viewOf(
  storeRevision: number,
  resources: readonly EncodedResource[],
  allowEmpty: readonly ResourceShort[] = [],
): View {
  const typeUrls = [...new Set(resources.map((resource) => resource.typeUrl))];
  const byType = typeUrls.map((typeUrl) => {
    return [typeUrl, resourceMap(resources.filter((resource) => resource.typeUrl === typeUrl))] as const;
  });
  return { storeRevision: BigInt(storeRevision), byType: new Map(byType), allowEmpty: new Set(allowEmpty) };
}

export function typeUrlOf(short: ResourceShort): string {
  return resourceType(short).typeUrl;
}
