/** What Envoy does with a request that a rule took. */
import { protoDuration } from '../../model/duration.js';
import { type AnyJson, any } from '../../xds/envoy-any.js';
import type {
  DirectResponseActionJson,
  FractionalPercentJson,
  RedirectActionJson,
  RouteAction_HashPolicyJson,
  RouteAction_RequestMirrorPolicyJson,
  RouteActionJson,
  RouteJson,
  WeightedCluster_ClusterWeightJson,
} from '../../xds/envoy-json.js';
import { REASON_HEADER } from './caller-replies.js';
import { type Callable, calleeAt, clusterNameOf, subsetNameOf } from './envoy-clusters.js';
import { hashPolicies } from './hash-policy.js';
import { authorityOf, envoyEdits } from './header-edits.js';
import type {
  Action,
  Answer,
  Cors,
  Destination,
  Fallback,
  Fault,
  Millionths,
  Mirror,
  Redirect,
  Rewrite,
  Rule,
  Target,
} from './policy.js';
import { retryPolicy } from './retry-policy.js';
import { stringMatcher } from './route-match.js';
import { reducedWeights, steadyWeights } from './weights.js';

/** Where a rule is written: the port whose virtual host it stands in, and the hosts it can name. */
export interface RulePlace extends Callable {
  readonly isStreaming: boolean;
}

/** The part of a route that is the same for each of the rule's matches. */
export function routeAction(rule: Rule, place: RulePlace): RouteJson {
  const { action } = rule;
  if (action.kind === 'redirect')
    return {
      redirect: redirectAction(action.redirect, place),
      ...envoyEdits([rule.edits]),
      ...filters(undefined, rule),
    };
  if (action.kind === 'answer')
    return { directResponse: answerAction(action.answer), ...envoyEdits([rule.edits]), ...filters(undefined, rule) };
  const destinations = weighedDestinations(action.destinations);
  const only = destinations.length === 1 ? destinations[0] : undefined;
  const hashes = hashPolicies(destinations, place);
  const authority = action.rewrite?.authority ?? authorityOf(rule.edits);
  const rewritten = authority ?? authorityOf(only?.edits);
  return {
    route: {
      ...(only === undefined
        ? weightedClusters(destinations, authority, place, hashes.length > 0)
        : { cluster: clusterName(only, place) }),
      ...forwarding(action, hashes, place),
      ...(rewritten === undefined ? {} : { hostRewriteLiteral: rewritten }),
    },
    ...envoyEdits([rule.edits, only?.edits]),
    ...filters(action.fault, rule),
  };
}

/** What filters on the way do for this rule alone. */
function filters(fault: Fault | undefined, { cors, fallback }: Rule): Pick<RouteJson, 'typedPerFilterConfig'> {
  const config = {
    ...(fault === undefined ? {} : { 'envoy.filters.http.fault': faultConfig(fault) }),
    ...(cors === undefined ? {} : { 'envoy.filters.http.cors': corsConfig(cors) }),
    ...(fallback === undefined ? {} : { 'envoy.filters.http.custom_response': fallbackConfig(fallback) }),
  };
  return Object.keys(config).length === 0 ? {} : { typedPerFilterConfig: config };
}

function answerAction({ status, body }: Answer): DirectResponseActionJson {
  if (body === undefined) return { status };
  return { status, body: 'text' in body ? { inlineString: body.text } : { inlineBytes: body.bytes } };
}

function forwarding(
  action: Extract<Action, { kind: 'forward' }>,
  hashes: RouteAction_HashPolicyJson[],
  place: RulePlace,
): RouteActionJson {
  return {
    // Not maxStreamDuration, not even for its grpc-timeout: Envoy would no longer look at this timeout.
    timeout: protoDuration(action.timeoutMs),
    // A stream may be silent for hours; only plain HTTP has the listener's limit on silence.
    ...(place.isStreaming ? { idleTimeout: '0s' } : {}),
    ...(action.retries === undefined ? {} : { retryPolicy: retryPolicy(action.retries, hashes.length > 0) }),
    ...(hashes.length === 0 ? {} : { hashPolicy: hashes }),
    ...pathRewrite(action.rewrite),
    ...(action.mirrors.length === 0
      ? {}
      : { requestMirrorPolicies: action.mirrors.map((mirror) => mirrorPolicy(mirror, place)) }),
  };
}

function pathRewrite(rewrite: Rewrite | undefined): RouteActionJson {
  const path = rewrite?.path;
  if (path === undefined) return {};
  if (typeof path === 'string') return { prefixRewrite: path };
  return { regexRewrite: { pattern: { regex: path.pattern }, substitution: path.substitution } };
}

/** Without those that get nothing, the weights in their lowest terms. */
export function weighedDestinations(destinations: readonly Destination[]): readonly Destination[] {
  const some = destinations.filter((destination) => destination.weight > 0);
  const weights = reducedWeights(some.map((destination) => destination.weight));
  return some.map((destination, i) => ({ ...destination, weight: weights[i] ?? 0 }));
}

/** `isSticky`: a caller that keeps to one instance keeps to one part of the split as well. */
function weightedClusters(
  destinations: readonly Destination[],
  authorityOfRoute: string | undefined,
  place: RulePlace,
  isSticky: boolean,
): RouteActionJson {
  const weights = destinations.map(({ weight }) => weight);
  const shares = isSticky ? steadyWeights(weights) : weights;
  const clusters = destinations.map((destination, i): WeightedCluster_ClusterWeightJson => {
    const authority = authorityOfRoute === undefined ? authorityOf(destination.edits) : undefined;
    return {
      name: clusterName(destination, place),
      weight: shares[i] ?? 0,
      ...envoyEdits([destination.edits]),
      ...(authority === undefined ? {} : { hostRewriteLiteral: authority }),
    };
  });
  return { weightedClusters: { clusters, ...(isSticky ? { useHashPolicy: true } : {}) } };
}

/** A target that no longer exists has a cluster too, an empty one: its share is answered 503, and the rest is not touched. */
export function clusterName(target: Target, place: Callable): string {
  const callee = calleeAt(target, place);
  if (callee === undefined) return missingClusterName(target, place.port);
  return clusterNameOf(callee.entry, callee.port, subsetNameOf(target.selection));
}

export function missingClusterName(target: Target, port: number): string {
  return `missing|${target.port ?? port}|${subsetNameOf(target.selection)}|${target.host}`;
}

function mirrorPolicy(mirror: Mirror, place: RulePlace): RouteAction_RequestMirrorPolicyJson {
  return {
    cluster: clusterName(mirror.target, place),
    runtimeFraction: { defaultValue: millionths(mirror.share) },
    traceSampled: false,
    disableShadowHostSuffixAppend: true,
  };
}

function millionths(share: Millionths): FractionalPercentJson {
  return { numerator: share, denominator: 'MILLION' };
}

function faultConfig({ delay, abort }: Fault): AnyJson {
  return any('envoy.extensions.filters.http.fault.v3.HTTPFault', {
    ...(delay === undefined
      ? {}
      : { delay: { fixedDelay: protoDuration(delay.fixedMs), percentage: millionths(delay.share) } }),
    ...(abort === undefined
      ? {}
      : {
          abort: {
            ...('grpcStatus' in abort ? { grpcStatus: abort.grpcStatus } : { httpStatus: abort.httpStatus }),
            percentage: millionths(abort.share),
          },
        }),
  });
}

/** Envoy reads `%` in a value as the beginning of a command. */
function fallbackConfig({ on, status, headers, body }: Fallback): AnyJson {
  const policy = any('envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy', {
    statusCode: status,
    body: { inlineString: body },
    responseHeadersToAdd: [{ name: REASON_HEADER, value: 'fallback' }, ...headers].map(({ name, value }) => ({
      header: { key: name, value: value.replaceAll('%', '%%') },
      appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' as const,
    })),
  });
  const onMatch = { action: { name: 'fallback', typedConfig: policy } };
  return any('envoy.extensions.filters.http.custom_response.v3.CustomResponse', {
    customResponseMatcher: {
      matcherTree: {
        input: { name: 'status', typedConfig: any('envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput', {}) },
        exactMatchMap: { map: Object.fromEntries(on.map((code) => [String(code), onMatch])) },
      },
    },
  });
}

function corsConfig(cors: Cors): AnyJson {
  const joined = (key: string, words: readonly string[]): object =>
    words.length === 0 ? {} : { [key]: words.join(',') };
  return any('envoy.extensions.filters.http.cors.v3.CorsPolicy', {
    allowOriginStringMatch: cors.origins.flatMap((origin) =>
      origin.kind === 'present' ? [] : [stringMatcher(origin)],
    ),
    ...joined('allowMethods', cors.methods),
    ...joined('allowHeaders', cors.headers),
    ...joined('exposeHeaders', cors.exposed),
    ...(cors.maxAgeSeconds === undefined ? {} : { maxAge: String(cors.maxAgeSeconds) }),
    ...(cors.credentials === undefined ? {} : { allowCredentials: cors.credentials }),
    forwardNotMatchingPreflights: cors.forwardsUnmatched,
    filterEnabled: { defaultValue: { numerator: 100, denominator: 'HUNDRED' } },
  });
}

const redirectCodes = {
  301: 'MOVED_PERMANENTLY',
  302: 'FOUND',
  303: 'SEE_OTHER',
  307: 'TEMPORARY_REDIRECT',
  308: 'PERMANENT_REDIRECT',
} as const;

const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

function redirectAction(redirect: Redirect, { port }: RulePlace): RedirectActionJson {
  return {
    responseCode: redirectCodes[redirect.status],
    ...(redirect.path === undefined ? {} : { pathRedirect: redirect.path }),
    ...(redirect.prefix === undefined ? {} : { prefixRewrite: redirect.prefix }),
    ...(redirect.authority === undefined ? {} : { hostRedirect: redirect.authority }),
    ...(redirect.scheme === undefined ? {} : { schemeRedirect: redirect.scheme }),
    ...redirectPort(redirect, port),
  };
}

/** A new authority comes without the called port; where the host stays, naming the scheme's own port replaces the called one. */
function redirectPort(
  { port, scheme, authority }: Redirect,
  calledPort: number,
): Pick<RedirectActionJson, 'portRedirect'> {
  if (port === undefined || (port === 'strip' && authority !== undefined)) return {};
  if (port === 'request') return { portRedirect: calledPort };
  return { portRedirect: port === 'strip' ? (defaultPorts[scheme ?? 'http'] as number) : port };
}
