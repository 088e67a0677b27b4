/**
 * CONNECT, ended here: the tunnelled bytes come back in through a listener of this same Envoy, on an abstract socket that needs
 * no port. That listener knows no CONNECT itself, so a tunnel inside a tunnel ends with an answer and not in a loop.
 */
import type { AddressJson, ClusterJson } from '../../xds/envoy-json.js';
import type { ProxyScope } from './proxy.js';
import { remember } from './remember.js';

export const TUNNEL_CLUSTER = 'tunnel';

/** Unique on this machine, as the port is. */
export function tunnelAddress(proxyPort: number): AddressJson {
  return { pipe: { path: `@lightmesh/tunnel/${proxyPort}` } };
}

export const tunnelCluster: (scope: ProxyScope) => ClusterJson = remember(
  (scope: ProxyScope): ClusterJson => ({
    name: TUNNEL_CLUSTER,
    type: 'STATIC',
    connectTimeout: '1s',
    loadAssignment: {
      clusterName: TUNNEL_CLUSTER,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: tunnelAddress(scope.ports.proxy) } }] }],
    },
  }),
);
