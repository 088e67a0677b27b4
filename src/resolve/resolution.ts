/** A decision in the words of the mesh: rules, services and versions instead of Envoy's routes and clusters. Pure. */
import type { RouteJson } from '../xds/envoy-json.js';
import { type ClusterShare, type Decision, decide, type EnvoyResources, fraction } from './decide.js';
import type { MeshRequest } from './request.js';

export interface Effect {
  /** `timeout`, `retries`, `mirror` … */
  readonly name: string;
  readonly value: string;
}

export interface ResolvedDestination {
  readonly service: string;
  readonly version: string;
  /** Percent of the requests like this one. */
  readonly weight: number;
  readonly cluster: string;
  readonly endpoints: readonly { readonly address: string; readonly node: string; readonly health: string }[];
}

export interface ResolvedRoute {
  /** Of the definition that the rule stands in; `Service` when nobody wrote a rule. */
  readonly kind: string;
  /** `<ns>/<name>` */
  readonly name: string;
  readonly rule: string;
  /** What of the request made it match. */
  readonly matched: string;
}

export interface Resolution {
  readonly host: string;
  readonly listener: string;
  /** Absent when no rule takes the request: it is answered 404. */
  readonly route?: ResolvedRoute;
  readonly destinations: readonly ResolvedDestination[];
  /** What else happens to it on the way, in words. */
  readonly effects: readonly Effect[];
  readonly notTaken: readonly { readonly rule: string; readonly why: string }[];
}

/** TCP has no requests: a host that only takes tunnels, straight to it, is asked for one. */
export function resolve(resources: EnvoyResources, listener: string, request: MeshRequest): Resolution {
  const decision = decide(resources, listener, request);
  const { taken, notTaken } = decision;
  const isTcp = taken.length === 0 && notTaken.length > 0 && notTaken.every(({ route }) => isStraightTunnel(route));
  if (isTcp) return resolve(resources, listener, { ...request, method: 'CONNECT' });
  return resolutionOf(request, listener, resources, decision);
}

const isTunnel = ({ match }: RouteJson): boolean => match?.connectMatcher !== undefined;
/** What comes by the tunnel of a host of requests, which may have no rule for this caller, are requests again (translate/tunnel.ts). */
const isStraightTunnel = (route: RouteJson): boolean => isTunnel(route) && route.route?.cluster !== 'tunnel';

function resolutionOf(
  { host, method }: MeshRequest,
  listener: string,
  resources: EnvoyResources,
  decision: Decision,
): Resolution {
  const [first] = decision.taken;
  const isUnknown = first === undefined || first.route.name === 'unknown-host';
  return {
    host,
    listener,
    ...(isUnknown ? {} : { route: resolvedRoute(first.route) }),
    destinations: decision.taken.flatMap(({ share, clusters }) =>
      clusters.map((cluster) => destinationOf(resources, cluster, share)),
    ),
    effects: isUnknown ? unanswered(decision) : effectsOf(first.route),
    notTaken: decision.notTaken
      .filter(({ route }) => isTunnel(route) === (method === 'CONNECT'))
      .map(({ route, why }) => ({ rule: ruleWords(route.name ?? ''), why })),
  };
}

function unanswered({ taken }: Decision): Resolution['effects'] {
  return [{ name: 'answer', value: taken.length === 0 ? '404, no rule takes it' : '404, it may call no such host' }];
}

/** `VirtualService/default/reviews/testers#1~release`, see translate/routes.ts. */
function resolvedRoute(route: RouteJson): ResolvedRoute {
  const [kind = '', namespace = '', name = '', ...rule] = (route.name ?? '').split('/');
  return { kind, name: name === '' ? '' : `${namespace}/${name}`, rule: rule.join('/'), matched: matchWords(route) };
}

export function ruleWords(name: string): string {
  const [kind = '', namespace, owner, ...rule] = name.split('/');
  return owner === undefined ? kind : `${kind} ${namespace}/${owner} ${rule.join('/')}`.trim();
}

function matchWords({ match = {} }: RouteJson): string {
  const { prefix, path, safeRegex, headers = [], queryParameters = [], connectMatcher } = match;
  if (connectMatcher !== undefined) return 'CONNECT';
  return (
    [
      ...(prefix === undefined || prefix === '/' ? [] : [`path ${prefix}*`]),
      ...(path === undefined ? [] : [`path ${path}`]),
      ...(safeRegex === undefined ? [] : [`path ~ ${safeRegex.regex}`]),
      ...headers.map(({ name, invertMatch }) => `${invertMatch === true ? 'not ' : ''}header ${name}`),
      ...queryParameters.map(({ name }) => `parameter ${name}`),
    ].join(', ') || 'every request'
  );
}

function destinationOf(
  resources: EnvoyResources,
  { cluster, share, endpoints }: ClusterShare,
  of: number,
): ResolvedDestination {
  const [, , subset = '', host = ''] = cluster.split('|');
  const [, service] = (resources.clusters.get(cluster)?.altStatName ?? '').split(';');
  const versions = [...new Set(endpoints.map(({ version }) => version).filter((version) => version !== ''))];
  return {
    // The statistics' name of a host that is no service of ours has its dots changed.
    service: service !== undefined && host.startsWith(`${service}.`) ? service : host || cluster,
    version: versions.length === 0 ? subset : versions.toSorted().join(','),
    weight: Math.round(share * of * 1e6) / 1e4,
    cluster,
    endpoints: endpoints.map(({ address, node, health }) => ({ address, node, health })),
  };
}

function effectsOf(route: RouteJson): readonly Effect[] {
  const { redirect, directResponse, route: action } = route;
  return [
    ...(directResponse === undefined ? [] : [{ name: 'answer', value: String(directResponse.status) }]),
    ...(redirect === undefined ? [] : [{ name: 'redirect', value: redirectWords(redirect) }]),
    ...(action === undefined ? [] : actionEffects(action)),
    ...faultEffects(route),
  ];
}

function redirectWords(redirect: NonNullable<RouteJson['redirect']>): string {
  const { schemeRedirect, hostRedirect, portRedirect, pathRedirect, prefixRewrite, responseCode } = redirect;
  const scheme = schemeRedirect ?? (redirect.httpsRedirect === true ? 'https' : undefined);
  const port = portRedirect === undefined ? '' : `:${portRedirect}`;
  const place = `${scheme === undefined ? '' : `${scheme}://`}${hostRedirect ?? (scheme === undefined && port === '' ? '' : '<host>')}${port}`;
  return `${(responseCode ?? 'MOVED_PERMANENTLY').toLowerCase()} to ${place}${pathRedirect ?? prefixRewrite ?? '<path>'}`;
}

function actionEffects(action: NonNullable<RouteJson['route']>): readonly Effect[] {
  const {
    timeout,
    retryPolicy,
    prefixRewrite,
    regexRewrite,
    hostRewriteLiteral,
    requestMirrorPolicies = [],
    hashPolicy = [],
  } = action;
  return [
    ...(timeout === undefined ? [] : [{ name: 'timeout', value: timeout === '0s' ? 'none' : timeout }]),
    ...(retryPolicy === undefined
      ? []
      : [{ name: 'retries', value: `${retryPolicy.numRetries ?? 1} on ${retryPolicy.retryOn}` }]),
    ...(prefixRewrite === undefined ? [] : [{ name: 'path becomes', value: prefixRewrite }]),
    ...(regexRewrite === undefined
      ? []
      : [{ name: 'path becomes', value: `${regexRewrite.pattern?.regex} → ${regexRewrite.substitution}` }]),
    ...(hostRewriteLiteral === undefined ? [] : [{ name: 'host becomes', value: hostRewriteLiteral }]),
    ...requestMirrorPolicies.map(({ cluster = '', runtimeFraction }) => ({
      name: 'mirror',
      value: `${percent(fraction(runtimeFraction?.defaultValue))} to ${cluster}`,
    })),
    ...(hashPolicy.length === 0 ? [] : [{ name: 'sticky', value: hashPolicy.map(hashWords).join(', then ') }]),
  ];
}

function hashWords(policy: NonNullable<NonNullable<RouteJson['route']>['hashPolicy']>[number]): string {
  const { header, cookie, queryParameter } = policy;
  if (header !== undefined) return `by header ${header.headerName}`;
  if (cookie !== undefined) return `by cookie ${cookie.name}`;
  return queryParameter === undefined ? "by the caller's address" : `by parameter ${queryParameter.name}`;
}

interface FaultConfig {
  readonly delay?: { readonly fixedDelay?: string; readonly percentage?: Parameters<typeof fraction>[0] };
  readonly abort?: {
    readonly httpStatus?: number;
    readonly grpcStatus?: number;
    readonly percentage?: Parameters<typeof fraction>[0];
  };
}

function faultEffects({ typedPerFilterConfig }: RouteJson): readonly Effect[] {
  const { delay, abort } = (typedPerFilterConfig?.['envoy.filters.http.fault'] ?? {}) as FaultConfig; // route-action.ts writes it
  return [
    ...(delay === undefined
      ? []
      : [{ name: 'delay', value: `${delay.fixedDelay} for ${percent(fraction(delay.percentage))}` }]),
    ...(abort === undefined
      ? []
      : [
          {
            name: 'abort',
            value: `${abort.httpStatus ?? `gRPC ${abort.grpcStatus}`} for ${percent(fraction(abort.percentage))}`,
          },
        ]),
  ];
}

export function percent(share: number): string {
  return `${Math.round(share * 1e6) / 1e4} %`;
}
