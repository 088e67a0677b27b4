/** Patches of a route table and of what stands in it. */
import type { PatchMatch } from '../../dsl/envoy-filter-shape.js';
import type { RouteConfigurationJson, RouteJson, VirtualHostJson } from '../../xds/envoy-json.js';
import { type Patch, patchMessages } from './envoy-patches.js';
import { editList, mapped, merged } from './patch-list.js';
import type { Place } from './patch-place.js';

/** The same table when the patch is not for it. */
export function patchRoutes(routes: RouteConfigurationJson, patch: Patch, place: Place): RouteConfigurationJson {
  const { applyTo, operation, value } = patch;
  const asked = askedTable(patch.match);
  if (!isTableMatch(routes, patch.match, asked, place)) return routes;
  if (applyTo === 'ROUTE_CONFIGURATION') {
    // A table of many ports is not the one of this port.
    const isOfMany = asked.port !== undefined && place.port === undefined;
    return isOfMany ? routes : merged(routes, { operation, value, message: patchMessages.ROUTE_CONFIGURATION });
  }
  const before: readonly VirtualHostJson[] = routes.virtualHosts ?? [];
  const isMatch = (host: VirtualHostJson): boolean => isHostMatch(host, patch.match, asked, place);
  const after =
    applyTo === 'VIRTUAL_HOST'
      ? editList(before, { operation, value, message: patchMessages.VIRTUAL_HOST, isAnchored: true, isMatch })
      : mapped(before, (host) => (isMatch(host) ? patchHost(host, patch) : host));
  return after === before ? routes : { ...routes, virtualHosts: [...after] };
}

interface AskedTable {
  readonly port: number | undefined;
  readonly name: string | undefined;
}

/** Istio's tables of callers are called after their port. */
function askedTable({ routeConfiguration }: PatchMatch): AskedTable {
  const { name, portNumber } = routeConfiguration ?? {};
  return name !== undefined && /^\d+$/.test(name)
    ? { port: Number(name), name: undefined }
    : { port: portNumber, name };
}

function isTableMatch(
  { name = '' }: RouteConfigurationJson,
  { context }: PatchMatch,
  asked: AskedTable,
  place: Place,
): boolean {
  if (context !== 'ANY' && context !== place.context) return false;
  if (asked.port !== undefined && place.port !== undefined && asked.port !== place.port) return false;
  return asked.name === undefined || asked.name === name || asked.name === istioTableName(name);
}

function istioTableName(name: string): string {
  return name === 'outbound' ? 'http_proxy' : `${name}||`;
}

function isHostMatch(
  host: VirtualHostJson,
  { routeConfiguration }: PatchMatch,
  asked: AskedTable,
  place: Place,
): boolean {
  const { name = '', domains = [] } = host;
  if (asked.port !== undefined && (place.port ?? portOf(name)) !== asked.port) return false;
  const wanted = routeConfiguration?.vhost;
  return (
    (wanted?.name === undefined || wanted.name === name || wanted.name === istioHostName(place)) &&
    (wanted?.domainName === undefined || domains.includes(wanted.domainName))
  );
}

function portOf(hostName: string): number {
  return Number(/:(\d+)$/.exec(hostName)?.[1]);
}

/** Of a table that is for one port of one service. */
function istioHostName({ context, port, host }: Place): string | undefined {
  if (port === undefined) return undefined;
  return context === 'SIDECAR_INBOUND' ? `inbound|http|${port}` : host && `${host}:${port}`;
}

function patchHost(host: VirtualHostJson, { match, operation, value }: Patch): VirtualHostJson {
  const asked = match.routeConfiguration?.vhost?.route;
  const before: readonly RouteJson[] = host.routes ?? [];
  const after = editList(before, {
    operation,
    value,
    message: patchMessages.HTTP_ROUTE,
    isAnchored: asked?.name !== undefined || (asked?.action ?? 'ANY') !== 'ANY',
    isMatch: (route) => isRouteMatch(route, asked, value),
  });
  return after === before ? host : { ...host, routes: [...after] };
}

type AskedRoute = NonNullable<NonNullable<PatchMatch['routeConfiguration']>['vhost']>['route'];

function isRouteMatch(route: RouteJson, asked: AskedRoute, value: RouteJson): boolean {
  // The way into a tunnel is routed once more inside of it.
  if (asked?.name === undefined ? route.match?.connectMatcher !== undefined : asked.name !== route.name) return false;
  // How requests are sent on says nothing of those that are answered here.
  if (value.route !== undefined && route.route === undefined) return false;
  const action = asked?.action ?? 'ANY';
  return action === 'ANY' || route[actions[action]] !== undefined;
}

const actions = { ROUTE: 'route', REDIRECT: 'redirect', DIRECT_RESPONSE: 'directResponse' } as const;
