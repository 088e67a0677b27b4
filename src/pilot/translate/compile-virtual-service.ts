/** Istio's VirtualService as rules, with Istio's meaning of what is left out (reference: 1.1 and 7). */
import { mergeDelegate, withFullNames } from '../../dsl/delegate.js';
import type { IstioDestination, IstioHeaders, IstioStringMatch } from '../../dsl/fields.js';
import { gatewayKey } from '../../dsl/gateway-name.js';
import {
  grpcStatuses,
  type HttpRule,
  type IstioAnswer,
  type IstioCors,
  type IstioMatch,
  type IstioRedirect,
  type IstioRetries,
  type TcpMatch,
} from '../../dsl/virtual-service-shape.js';
import { durationMs } from '../../model/fields.js';
import { byText } from '../../model/order.js';
import { behindSidecar, type Compiled } from './compile-route.js';
import { destinationHost, type RoutedBy } from './mesh-index.js';
import {
  type Action,
  type Answer,
  anyRequest,
  type CallerCondition,
  type Cors,
  type Destination,
  type Fault,
  type HeaderCondition,
  type HeaderEdit,
  type MessageEdits,
  type Millionths,
  type Mirror,
  type Redirect,
  type RequestMatch,
  type Retries,
  type Rewrite,
  type Rule,
  type Selection,
  type Target,
  type TextMatch,
} from './policy.js';
import { remember } from './remember.js';

const MILLION = 1_000_000;
const defaultRetryOn = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled', 'retriable-status-codes'];

interface Context {
  readonly namespace: string;
  readonly routed: RoutedBy;
  readonly problems: string[];
}

export const compileVirtualService: (routed: RoutedBy) => Compiled = remember((routed: RoutedBy): Compiled => {
  const { definition } = routed;
  const namespace = definition.namespace as string; // the kind is namespaced
  const problems: string[] = [];
  const context = { namespace, routed, problems };
  const source = { kind: 'VirtualService', namespace, name: definition.name } as const;
  const requests = definition.spec.http.flatMap((own, i) =>
    (own.delegate === undefined ? [own] : delegatedRules(own, context)).map(
      (http, j, { length }): Rule => ({
        source,
        layer: 'http',
        name: http.name ?? (own.delegate === undefined || length === 1 ? String(i) : `${i}.${j}`),
        isReleaseCopy: false,
        matches: (http.match ?? []).map((match) => compileMatch(match, namespace)),
        action: compileAction(http, context),
        edits: compileEdits(http.headers),
        cors: compileCors(http.corsPolicy),
        fallback: undefined,
      }),
    ),
  );
  const connections = (['tls', 'tcp'] as const).flatMap((layer) =>
    definition.spec[layer].map(
      (rule, i): Rule => ({
        ...streamRule,
        source,
        layer,
        name: `${layer}.${i}`,
        matches: (rule.match ?? []).map((match) => compileStreamMatch(match, namespace)),
        action: { ...passedOn, destinations: compileDestinations(rule.route, context) },
      }),
    ),
  );
  return { rules: [...requests, ...connections], problems };
});

const streamRule = { isReleaseCopy: false, edits: undefined, cors: undefined, fallback: undefined };
const passedOn = {
  kind: 'forward',
  timeoutMs: 0,
  retries: undefined,
  fault: undefined,
  mirrors: [],
  rewrite: undefined,
} as const;

function compileStreamMatch(
  match: TcpMatch & { readonly sniHosts?: readonly string[] },
  namespace: string,
): RequestMatch {
  const { sniHosts = [], destinationSubnets = [], port, sourceLabels, sourceNamespace, gateways } = match;
  return {
    ...anyRequest,
    serverNames: sniHosts.map((name) => name.toLowerCase()),
    subnets: destinationSubnets,
    port,
    // Not as for requests: all of them must hold.
    caller: callerCondition(sourceLabels, sourceNamespace, gateways, namespace),
  };
}

/** Nobody stands in for a delegate that is gone: its requests go on to the next rule. */
function delegatedRules(root: HttpRule, context: Context): readonly HttpRule[] {
  const { name = '', namespace = context.namespace } = root.delegate ?? {};
  const found = context.routed.delegates.find((one) => one.name === name && one.namespace === namespace);
  if (found === undefined) {
    context.problems.push(`VirtualService ${namespace}/${name}, which a rule delegates to, does not exist`);
    return [];
  }
  const full = (owner: string) => (host: string) => destinationHost(context.routed, host, owner);
  const { rules, dropped } = mergeDelegate(
    withFullNames(root, context.namespace, full(context.namespace)),
    found.spec.http.map((rule) => withFullNames(rule, namespace, full(namespace))),
  );
  if (dropped > 0) {
    context.problems.push(
      `of the rules of VirtualService ${namespace}/${name}, ${dropped} can never hold where it is delegated to`,
    );
  }
  return rules;
}

function compileAction(http: HttpRule, context: Context): Action {
  if (http.redirect !== undefined) return { kind: 'redirect', redirect: compileRedirect(http.redirect) };
  if (http.directResponse !== undefined) return { kind: 'answer', answer: compileAnswer(http.directResponse) };
  const routes = http.route ?? [];
  return {
    kind: 'forward',
    destinations: compileDestinations(routes, context),
    timeoutMs: http.timeout === undefined ? 0 : durationMs(http.timeout),
    retries: compileRetries(http.retries),
    fault: compileFault(http.fault),
    mirrors: compileMirrors(http, context),
    rewrite: compileRewrite(http.rewrite),
  };
}

type IstioRoute = Pick<NonNullable<HttpRule['route']>[number], 'destination' | 'weight'> & {
  readonly headers?: IstioHeaders | undefined;
};

function compileDestinations(routes: readonly IstioRoute[], context: Context): readonly Destination[] {
  return routes.map((route) => ({
    ...target(route.destination, context),
    // A single destination gets everything, whatever its weight says.
    weight: routes.length === 1 ? 1 : (route.weight ?? 0),
    edits: compileEdits(route.headers),
  }));
}

function compileRewrite(rewrite: HttpRule['rewrite']): Rewrite | undefined {
  if (rewrite === undefined) return undefined;
  const { uri, authority, uriRegexRewrite: regex } = rewrite;
  return {
    path: regex === undefined ? uri : { pattern: regex.match, substitution: regex.rewrite },
    authority,
  };
}

function compileAnswer({ status, body }: IstioAnswer): Answer {
  const text = body?.string ?? '';
  return { status, body: body === undefined ? undefined : body.bytes === undefined ? { text } : { bytes: body.bytes } };
}

function compileCors(cors: IstioCors | undefined): Cors | undefined {
  if (cors === undefined) return undefined;
  const exact = cors.allowOrigin.map((text): TextMatch => ({ kind: 'exact', text }));
  return {
    origins: [...cors.allowOrigins.map(textMatch), ...exact],
    methods: cors.allowMethods,
    headers: cors.allowHeaders,
    exposed: cors.exposeHeaders,
    maxAgeSeconds: cors.maxAge === undefined ? undefined : durationMs(cors.maxAge) / 1000,
    credentials: cors.allowCredentials,
    forwardsUnmatched: cors.unmatchedPreflights !== 'IGNORE',
  };
}

function target(destination: IstioDestination, { namespace, routed }: Context): Target {
  const selection: Selection =
    destination.subset === undefined ? { kind: 'plain' } : { kind: 'subset', subset: destination.subset };
  return { host: destinationHost(routed, destination.host, namespace), selection, port: destination.port?.number };
}

function compileRetries(retries: IstioRetries | undefined): Retries | undefined {
  if (retries?.attempts === 0) return undefined;
  const words = retries?.retryOn?.split(',') ?? defaultRetryOn;
  const statusCodes = words.filter((word) => /^\d+$/.test(word)).map(Number);
  const on = words.filter((word) => !/^\d+$/.test(word));
  if (statusCodes.length > 0 && !on.includes('retriable-status-codes')) on.push('retriable-status-codes');
  return {
    attempts: retries?.attempts ?? 2,
    on,
    statusCodes,
    behindSidecar: behindSidecar(on),
    perTryTimeoutMs: retries?.perTryTimeout === undefined ? undefined : durationMs(retries.perTryTimeout),
    backoffMs: retries?.backoff === undefined ? undefined : durationMs(retries.backoff),
    previousHosts: retries?.retryIgnorePreviousHosts ?? 'unless-hashed',
    remoteLocalities: retries?.retryRemoteLocalities ?? false,
  };
}

/** An absent percentage is none of the requests. */
function compileFault(fault: HttpRule['fault']): Fault | undefined {
  if (fault === undefined) return undefined;
  const { delay, abort } = fault;
  return {
    delay: delay === undefined ? undefined : { fixedMs: durationMs(delay.fixedDelay), share: faultShare(delay) },
    abort: abort === undefined ? undefined : { ...abortStatus(abort), share: faultShare(abort) },
  };
}

type IstioFault = NonNullable<HttpRule['fault']>;
type IstioAbort = NonNullable<IstioFault['abort']>;

function abortStatus({ httpStatus, grpcStatus }: IstioAbort): { httpStatus: number } | { grpcStatus: number } {
  if (grpcStatus !== undefined) return { grpcStatus: grpcStatuses.indexOf(grpcStatus) };
  return { httpStatus: httpStatus as number }; // the shape demands one of both
}

function faultShare({ percentage, percent }: Pick<IstioAbort, 'percentage' | 'percent'>): Millionths {
  return share(percentage?.value ?? percent ?? 0);
}

/** An absent percentage is all of the requests; an explicit 0 is no mirror. */
function compileMirrors(http: HttpRule, context: Context): readonly Mirror[] {
  const older = http.mirrorPercent ?? http.mirror_percent;
  const percentage = http.mirrorPercentage ?? (older === undefined ? undefined : { value: older });
  const single = http.mirror === undefined ? [] : [{ destination: http.mirror, percentage }];
  return [...single, ...(http.mirrors ?? [])]
    .map(({ destination, percentage: part }) => ({
      target: target(destination, context),
      share: share(part?.value ?? 100),
    }))
    .filter((mirror) => mirror.share > 0);
}

function share(percent: number): number {
  return Math.trunc((percent * MILLION) / 100);
}

function compileRedirect(redirect: IstioRedirect): Redirect {
  return {
    path: redirect.uri,
    prefix: redirect.prefixRewrite,
    authority: redirect.authority,
    scheme: redirect.scheme,
    port:
      redirect.port ??
      (redirect.derivePort === 'FROM_REQUEST_PORT'
        ? 'request'
        : redirect.derivePort === 'FROM_PROTOCOL_DEFAULT'
          ? 'strip'
          : undefined),
    status: redirect.redirectCode,
  };
}

function compileMatch(match: IstioMatch, namespace: string): RequestMatch {
  const headers: HeaderCondition[] = [
    ...pseudo(':scheme', match.scheme),
    ...pseudo(':method', match.method),
    ...pseudo(':authority', match.authority),
    ...Object.entries(match.headers).map(([name, text]) => condition(name, text, false)),
    ...Object.entries(match.withoutHeaders).map(([name, text]) => condition(name, text, true)),
  ];
  return {
    ...anyRequest,
    name: match.name ?? '',
    path: match.uri === undefined ? undefined : textMatch(match.uri),
    ignoreCase: match.ignoreUriCase,
    headers: headers.toSorted(byText(({ name }) => name)),
    queryParameters: Object.entries(match.queryParams)
      .map(([name, text]) => ({ name, match: textMatch(text) }))
      .toSorted(byText(({ name }) => name)),
    caller: requestCaller(match, namespace),
    port: match.port,
    statPrefix: match.statPrefix ?? '',
  };
}

function pseudo(name: string, match: IstioStringMatch | undefined): HeaderCondition[] {
  return match === undefined ? [] : [condition(name, match, false)];
}

function condition(name: string, match: IstioStringMatch, inverted: boolean): HeaderCondition {
  return { name: name.toLowerCase(), match: textMatch(match), inverted };
}

function textMatch(match: IstioStringMatch): TextMatch {
  if (match.exact !== undefined) return { kind: 'exact', text: match.exact };
  if (match.prefix !== undefined) return { kind: 'prefix', text: match.prefix };
  if (match.regex !== undefined && match.regex !== '*') return { kind: 'regex', text: match.regex };
  return { kind: 'present' };
}

/** Who comes by one of the gateways that are named is not asked for labels and namespace, as in Istio. */
function requestCaller(match: IstioMatch, namespace: string): CallerCondition | undefined {
  const { sourceLabels, sourceNamespace, gateways } = match;
  return gateways === undefined || gateways.length === 0
    ? callerCondition(sourceLabels, sourceNamespace, undefined, namespace)
    : callerCondition(undefined, undefined, gateways, namespace);
}

function callerCondition(
  labels: Readonly<Record<string, string>> | undefined,
  sourceNamespace: string | undefined,
  gateways: readonly string[] | undefined,
  namespace: string,
): CallerCondition | undefined {
  if (labels === undefined && sourceNamespace === undefined && gateways === undefined) return undefined;
  return {
    services: undefined,
    clusters: undefined,
    labels,
    namespace: sourceNamespace,
    gateways: gateways?.map((name) => gatewayKey(name, namespace)),
  };
}

function compileEdits(headers: IstioHeaders | undefined): MessageEdits | undefined {
  if (headers === undefined) return undefined;
  const { request, response } = headers;
  return {
    request: { set: edits(request.set), add: edits(request.add), remove: request.remove },
    response: { set: edits(response.set), add: edits(response.add), remove: response.remove },
  };
}

function edits(values: Readonly<Record<string, string>>): readonly HeaderEdit[] {
  return Object.entries(values)
    .map(([name, value]) => ({ name, value }))
    .toSorted(byText(({ name }) => name));
}
