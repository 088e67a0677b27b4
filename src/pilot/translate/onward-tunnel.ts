/**
 * Connections that go through somebody else's proxy: what they are sent to is asked for the host that is meant (reference: 1.2,
 * tunnel).
 */
import type { Tunnel } from '../../dsl/destination-rule-shape.js';
import type { EnvoyExtensions } from '../../xds/envoy-any.js';
import type { RouteJson } from '../../xds/envoy-json.js';

type TcpProxy = EnvoyExtensions['envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'];

export function tunnelled(tunnel: Tunnel | undefined): Pick<TcpProxy, 'tunnelingConfig'> {
  if (tunnel === undefined) return {};
  return { tunnelingConfig: { hostname: authority(tunnel), usePost: tunnel.protocol === 'POST' } };
}

/**
 * CONNECT that comes in. Without a tunnel it ends here and its bytes go on; with one, CONNECT itself goes on, for the other host.
 * Envoy cannot make POST of it.
 */
export function connected(route: NonNullable<RouteJson['route']>, tunnel: Tunnel | undefined): RouteJson {
  if (tunnel === undefined)
    return { route: { ...route, upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }] } };
  if (tunnel.protocol === 'POST') return { directResponse: { status: NOT_IMPLEMENTED } };
  return { route: { ...route, hostRewriteLiteral: authority(tunnel), upgradeConfigs: [{ upgradeType: 'CONNECT' }] } };
}

const NOT_IMPLEMENTED = 501;

function authority({ targetHost, targetPort }: Tunnel): string {
  return targetHost.includes(':') ? `[${targetHost}]:${targetPort}` : `${targetHost}:${targetPort}`;
}
