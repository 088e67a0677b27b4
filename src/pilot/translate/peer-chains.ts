/** Filter chains of a port that callers of the mesh come in by, one for each kind of connection that it takes. */
import { any } from '../../xds/envoy-any.js';
import type { FilterChainJson, FilterJson } from '../../xds/envoy-json.js';
import type { Entrance } from './peers.js';
import { meshTls } from './server-tls.js';

/** What callers of the mesh offer, so that a port which takes both tells their TLS from TLS of the app's own (reference: 1.11). */
const OF_MESH = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];

export function entranceChains(
  entrance: Entrance,
  filter: FilterJson,
  layer: 'http' | 'tcp',
): readonly FilterChainJson[] {
  const filters = [filter];
  switch (entrance.kind) {
    case 'plain':
      return [{ filters }];
    case 'closed':
      return [{ filters: [nobody, filter] }];
    case 'mutual':
      return [{ filters, transportSocket: meshTls(entrance.identity, offered(layer)) }];
    case 'both':
      return [
        {
          filterChainMatch: { transportProtocol: 'tls', applicationProtocols: OF_MESH },
          filters,
          transportSocket: meshTls(entrance.identity, offered(layer)),
        },
        // To an app that takes bytes, TLS that is not the mesh's is its own affair.
        layer === 'http' ? { filterChainMatch: { transportProtocol: 'raw_buffer' }, filters } : { filters },
      ];
  }
}

function offered(layer: 'http' | 'tcp'): readonly string[] {
  return layer === 'http' ? ['h2', 'http/1.1'] : [];
}

const nobody: FilterJson = {
  name: 'envoy.filters.network.rbac',
  typedConfig: any('envoy.extensions.filters.network.rbac.v3.RBAC', {
    statPrefix: 'strict_without_certificates_',
    rules: {
      action: 'DENY',
      policies: { 'strict-without-certificates': { permissions: [{ any: true }], principals: [{ any: true }] } },
    },
  }),
};
