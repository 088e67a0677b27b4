/** VirtualService: what may stand in it (reference: 1.1). */
import { z } from 'zod';
import { durationField, durationMs, labelsField, portField, positiveDurationField } from '../model/fields.js';
import {
  absenceMatchField,
  addressField,
  destinationField,
  exportToField,
  headersField,
  integerPercentField,
  isHost,
  matchedNameField,
  percentField,
  presenceMatchField,
  regexField,
  stringMatchField,
  subnetField,
  uriMatchField,
  wildcardHostField,
} from './fields.js';
import { gatewayNameField, holdsAt, MESH } from './gateway-name.js';
import { isWithinHost } from './host.js';
import { notYet, refusedValue } from './not-yet.js';

const matchSchema = z.strictObject({
  name: z.string().optional().describe('For readers'),
  uri: uriMatchField.optional().describe('Path of the request; an exact or regex match does not look at the query'),
  ignoreUriCase: z.boolean().default(false).describe('Whether `/A` is `/a`, in exact and prefix matches'),
  scheme: stringMatchField.optional().describe('Scheme of the request, http or https'),
  method: stringMatchField.optional().describe('Method of the request'),
  authority: stringMatchField.optional().describe('Host of the request as it was sent'),
  headers: z.record(matchedNameField, presenceMatchField).default({}).describe('Headers by name; {} is any value'),
  withoutHeaders: z
    .record(matchedNameField, absenceMatchField)
    .default({})
    .describe('Headers that must not match; {} is any value'),
  queryParams: z
    .record(z.string().min(1), presenceMatchField)
    .default({})
    .describe('Parameters of the query by name; {} is any value'),
  port: portField.optional().describe('Port that was called'),
  sourceLabels: labelsField.optional().describe('Labels that the calling instance has'),
  sourceNamespace: z.string().min(1).optional().describe('Namespace of the calling service'),
  gateways: z
    .array(gatewayNameField)
    .optional()
    .describe('It came by one of these gateways; then neither sourceLabels nor sourceNamespace are looked at'),
  statPrefix: z.string().min(1).optional().describe('Prefix of statistics of its own: vhost.HOST.route.PREFIX'),
});
export type IstioMatch = z.output<typeof matchSchema>;

const MAX_WEIGHT = 100_000;

const weightField = z
  .int()
  .min(0)
  .max(MAX_WEIGHT)
  .optional()
  .describe('Share in proportion to the sum of the weights of the rule. One destination alone needs none');

const hasSomeWeight = (routes: readonly { weight?: number | undefined }[] = []): boolean =>
  routes.length < 2 || routes.some((route) => (route.weight ?? 0) > 0);
const NO_WEIGHT = 'the weights of several destinations must not all be 0';

const routeSchema = z.strictObject({
  destination: destinationField.describe('Where to'),
  weight: weightField,
  headers: headersField.optional().describe('Changes to headers, of this destination only'),
});

export const retryWords = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'http3-post-connect-failure',
  'retriable-headers',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'envoy-ratelimited',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const;

const isRetryWord = (word: string): boolean => retryWords.some((known) => known === word) || /^[1-5]\d\d$/.test(word);

const retriesSchema = z
  .strictObject({
    attempts: z.int().min(0).max(100).default(0).describe('Tries after the first; 0 turns retries off'),
    perTryTimeout: positiveDurationField.optional().describe('Of each try'),
    retryOn: z
      .string()
      .refine((text) => text.split(',').every(isRetryWord), `a comma list of ${retryWords.join(', ')} or status codes`)
      .optional()
      .describe(`Comma list of ${retryWords.join(', ')}; status codes may stand among them`),
    backoff: positiveDurationField.optional().describe('Wait before the first retry; it grows with each'),
    retryIgnorePreviousHosts: z
      .boolean()
      .optional()
      .describe('Whether a retry prefers another instance. Default: unless requests are balanced by hash'),
    retryRemoteLocalities: z.boolean().optional().describe('Whether a retry may go to another zone, default false'),
  })
  .refine(
    (r) => r.attempts > 0 || [r.perTryTimeout, r.retryOn, r.retryRemoteLocalities].every((x) => x === undefined),
    {
      message: 'attempts: 0 turns retries off, so perTryTimeout, retryOn and retryRemoteLocalities have no meaning',
    },
  );
export type IstioRetries = z.output<typeof retriesSchema>;

const faultPercentField = percentField.refine(
  ({ value }) => value === 0 || value >= 0.0001,
  'a percentage is 0, or from 0.0001 to 100',
);

/** By number, as gRPC has them. */
export const grpcStatuses = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

const faultSchema = z
  .strictObject({
    delay: z
      .strictObject({
        fixedDelay: positiveDurationField.describe('How long they wait'),
        percentage: faultPercentField.optional().describe('Of how many requests. Without it, of none'),
        percent: integerPercentField.optional().describe('Deprecated form of percentage'),
        exponentialDelay: notYet('Istio refuses it too'),
      })
      .optional()
      .describe('Requests wait before they are sent'),
    abort: z
      .strictObject({
        httpStatus: z.int().min(200).max(599).optional().describe('Status of that answer'),
        grpcStatus: z.enum(grpcStatuses).optional().describe('Of a gRPC answer, by its name: UNAVAILABLE'),
        percentage: faultPercentField.optional().describe('Of how many requests. Without it, of none'),
        percent: integerPercentField.optional().describe('Deprecated form of percentage'),
        http2Error: notYet('Istio refuses it too'),
      })
      .refine((abort) => (abort.httpStatus === undefined) !== (abort.grpcStatus === undefined), {
        message: 'one of httpStatus and grpcStatus',
      })
      .optional()
      .describe('Requests are answered by the sidecar of the caller'),
  })
  .refine((fault) => fault.delay !== undefined || fault.abort !== undefined, 'a fault needs delay or abort');

const redirectSchema = z
  .strictObject({
    uri: z.string().min(1).optional().describe('In place of the path'),
    authority: z.string().min(1).optional().describe('In place of the host'),
    scheme: z.enum(['http', 'https']).optional().describe('In place of the scheme'),
    port: portField.optional().describe('In place of the port'),
    derivePort: z
      .enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'])
      .optional()
      .describe('The port of the scheme, or that of the request'),
    redirectCode: z.literal([301, 302, 303, 307, 308]).default(301).describe('Status of the answer'),
    prefixRewrite: z.string().optional().describe('In place of the prefix that was matched'),
  })
  .refine(
    (r) => [r.uri, r.prefixRewrite, r.authority, r.port, r.derivePort, r.scheme].some((value) => value !== undefined),
    'a redirect needs uri, prefixRewrite, authority, port or scheme',
  )
  .refine((r) => r.uri === undefined || r.prefixRewrite === undefined, 'uri and prefixRewrite exclude each other')
  .refine((r) => r.port === undefined || r.derivePort === undefined, 'port and derivePort exclude each other');
export type IstioRedirect = z.output<typeof redirectSchema>;

const rewriteSchema = z
  .strictObject({
    uri: z.string().min(1).optional().describe('In place of the path, or of the prefix that was matched'),
    authority: z.string().min(1).optional().describe('In place of the host'),
    uriRegexRewrite: z
      .strictObject({
        match: regexField.describe('An RE2 expression for parts of the path; each match is replaced'),
        rewrite: z.string().min(1).describe('In their place; \\1 is the first group'),
      })
      .optional()
      .describe('Path, by a regular expression'),
  })
  .refine(
    (r) => r.uri !== undefined || r.authority !== undefined || r.uriRegexRewrite !== undefined,
    'a rewrite needs uri, uriRegexRewrite or authority',
  )
  .refine((r) => r.uri === undefined || r.uriRegexRewrite === undefined, 'uri and uriRegexRewrite exclude each other');

const MAX_ANSWER_BYTES = 1024 * 1024;

const directResponseSchema = z.strictObject({
  status: z.int().min(200).max(599).describe('Status of the answer'),
  body: z
    .strictObject({
      string: z.string().max(MAX_ANSWER_BYTES).optional().describe('As text'),
      bytes: z
        .base64()
        .max((MAX_ANSWER_BYTES * 4) / 3)
        .optional()
        .describe('As base64'),
    })
    .refine((body) => (body.string === undefined) !== (body.bytes === undefined), 'one of string and bytes')
    .optional()
    .describe('Body of the answer, at most 1 MiB'),
});
export type IstioAnswer = z.output<typeof directResponseSchema>;

const corsMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*'] as const;
const corsHeaderField = z.string().regex(/^([A-Za-z0-9!#$%&'*+.^_`|~-]+|\*)$/, 'a header name, or *');

const corsSchema = z.strictObject({
  allowOrigins: z
    .array(stringMatchField)
    .default([])
    .describe('Origins that may call; the answer names the one that did'),
  allowOrigin: z.array(z.string().min(1)).default([]).describe('Deprecated form of allowOrigins: exact ones'),
  allowMethods: z.array(z.enum(corsMethods)).default([]).describe('Methods that they may use'),
  allowHeaders: z.array(corsHeaderField).default([]).describe('Request headers that they may set'),
  exposeHeaders: z.array(corsHeaderField).default([]).describe('Response headers that their scripts may read'),
  maxAge: durationField
    .refine((text) => durationMs(text) % 1000 === 0, 'whole seconds')
    .optional()
    .describe('How long the answer to a preflight may be kept'),
  allowCredentials: z.boolean().optional().describe('Whether requests may carry cookies'),
  unmatchedPreflights: z
    .enum(['UNSPECIFIED', 'FORWARD', 'IGNORE'])
    .optional()
    .describe('Preflights of other origins go to the service (FORWARD, the default), or are answered without leave'),
});
export type IstioCors = z.output<typeof corsSchema>;

const httpSchema = z
  .strictObject({
    name: z.string().optional().describe('Shown where the rule is named'),
    match: z
      .array(matchSchema)
      .min(1)
      .optional()
      .describe('Requests that it is for: any of these holds, and of one all that it says. Without it, every request'),
    route: z.array(routeSchema).min(1).optional().describe('Where they go'),
    redirect: redirectSchema.optional().describe('They are sent elsewhere, with an answer'),
    rewrite: rewriteSchema.optional().describe('Path and host, before it goes to the instance'),
    timeout: durationField
      .refine((t) => durationMs(t) === 0 || durationMs(t) >= 1, 'at least 1ms')
      .optional()
      .describe('Of the whole request, retries included; 0s is none, like leaving it out'),
    retries: retriesSchema.optional().describe('When a request is tried again. Default: twice, where that is safe'),
    fault: faultSchema.optional().describe('Trouble on purpose, for tests'),
    mirror: destinationField.optional().describe('Gets a copy of the requests; its answers are thrown away'),
    mirrorPercentage: percentField.optional().describe('Of how many requests `mirror` gets a copy. Default: all'),
    mirrors: z
      .array(
        z.strictObject({
          destination: destinationField.describe('Where the copies go'),
          percentage: percentField.optional().describe('Of how many requests. Default: all'),
        }),
      )
      .optional()
      .describe('As `mirror`, several'),
    headers: headersField.optional().describe('Changes to headers'),
    mirrorPercent: integerPercentField.optional().describe('Deprecated form of mirrorPercentage'),
    mirror_percent: integerPercentField.optional().describe('Deprecated form of mirrorPercentage'),
    corsPolicy: corsSchema.optional().describe('Which scripts of other origins may call'),
    directResponse: directResponseSchema.optional().describe('They are answered by the sidecar of the caller'),
    websocketUpgrade: refusedValue(z.boolean(), (value) => !value, 'web sockets are always passed on: leave it out')
      .optional()
      .describe('Of older Istio. Web sockets are always passed on'),
    delegate: z
      .strictObject({
        name: z.string().min(1).describe('A VirtualService without hosts'),
        namespace: z.string().min(1).optional().describe('Where it is. Default: the same namespace'),
      })
      .optional()
      .describe('The rules of another VirtualService decide, for what this one matches'),
  })
  .refine(
    (http) =>
      [http.route, http.redirect, http.directResponse, http.delegate].filter((action) => action !== undefined)
        .length === 1,
    'one of route, redirect, directResponse and delegate',
  )
  .refine(
    (http) =>
      (http.redirect === undefined && http.directResponse === undefined) ||
      (http.rewrite === undefined && http.fault === undefined),
    'a redirect or a directResponse goes with neither rewrite nor fault',
  )
  .refine((http) => hasSomeWeight(http.route), NO_WEIGHT)
  .refine((http) => http.mirror === undefined || http.mirrors === undefined, 'mirror and mirrors exclude each other')
  .refine((http) => http.mirrorPercentage === undefined || http.mirror !== undefined, 'mirrorPercentage needs mirror')
  .refine(
    ({ rewrite, headers }) => rewrite?.authority === undefined || !Object.keys(headers?.request.set ?? {}).some(isHost),
    'the host is set twice: by rewrite.authority and by headers.request.set',
  );
export type HttpRule = z.output<typeof httpSchema>;

/** What is known of a connection without looking into it. */
const connectionShape = {
  destinationSubnets: z
    .array(subnetField)
    .min(1)
    .optional()
    .describe('Address of the gateway that the connection was made to: IPs or CIDR ranges. Only at gateways'),
  port: portField.optional().describe('Port that was called'),
  sourceLabels: labelsField.optional().describe('Labels that the calling instance has'),
  sourceNamespace: z.string().min(1).optional().describe('Namespace of the calling service'),
  gateways: z.array(gatewayNameField).optional().describe('It came by one of these gateways'),
};

const tcpMatchSchema = z.strictObject({
  ...connectionShape,
  sourceSubnet: notYet('Istio ignores it too; an AuthorizationPolicy with ipBlocks tells callers apart'),
});
export type TcpMatch = z.output<typeof tcpMatchSchema>;

const tlsMatchSchema = z.strictObject({
  sniHosts: z
    .array(wildcardHostField)
    .min(1)
    .describe('Server names of TLS: names, or names that begin with *., each within one of the hosts'),
  ...connectionShape,
});

const streamRoutesField = z
  .array(
    z.strictObject({
      destination: destinationField.describe('Where to'),
      weight: weightField,
    }),
  )
  .min(1)
  .refine(hasSomeWeight, NO_WEIGHT)
  .describe('Where the connections go');

const tlsSchema = z.strictObject({
  match: z.array(tlsMatchSchema).min(1).describe('Connections that it is for: any of these holds'),
  route: streamRoutesField,
});

const tcpSchema = z.strictObject({
  match: z.array(tcpMatchSchema).min(1).optional().describe('Connections that it is for. Without it, all'),
  route: streamRoutesField,
});

const shape = z.strictObject({
  hosts: z
    .array(wildcardHostField)
    .default([])
    .describe(
      'Hosts whose requests are routed: services by their short or full names, names that begin with *., and at a gateway any name. Without any, it is for others to delegate to',
    ),
  gateways: z
    .array(gatewayNameField)
    .min(1)
    .optional()
    .describe('Where it holds: Gateways by name or NAMESPACE/NAME, and `mesh` for the sidecars. Default: mesh'),
  http: z.array(httpSchema).default([]).describe('Rules for HTTP: the first that matches a request decides'),
  tls: z
    .array(tlsSchema)
    .default([])
    .describe('Rules for TLS that is passed through, by server name: the first that matches a connection decides'),
  tcp: z.array(tcpSchema).default([]).describe('Rules for TCP: the first that matches a connection decides'),
  exportTo: exportToField.optional().describe('Namespaces that see it: names, . for its own, * for all. Default: all'),
});
export type VirtualServiceSpec = z.output<typeof shape>;

export const virtualServiceSchema = shape.superRefine((spec, context) => {
  for (const { path, message, problem } of misfits(spec))
    context.addIssue({
      code: 'custom',
      path: [...path],
      message,
      input: spec,
      ...(problem === undefined ? {} : { params: { problem } }),
    });
});

/** Does it hold for the sidecars of the mesh, or only for gateways? */
export function isForSidecars({ gateways }: Pick<VirtualServiceSpec, 'gateways'>): boolean {
  return holdsAt(gateways, '', MESH);
}

interface Misfit {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly problem?: string;
}

/** What its parts, each right in itself, get wrong together. */
function misfits(spec: VirtualServiceSpec): readonly Misfit[] {
  const streams = [...spec.tls, ...spec.tcp];
  const isDelegate = spec.hosts.length === 0;
  return [
    ...(spec.http.length + streams.length > 0
      ? []
      : [{ path: [], message: 'it has no rules: write http, tls or tcp' }]),
    ...(isDelegate && (streams.length > 0 || spec.gateways !== undefined)
      ? [{ path: ['hosts'], message: 'one without hosts is for others to delegate to: http rules only, no gateways' }]
      : []),
    ...(isDelegate ? spec.http : []).flatMap(({ delegate }, i) =>
      delegate === undefined
        ? []
        : [
            {
              path: ['http', i, 'delegate'],
              message: 'one without hosts cannot delegate further: write the rules here',
            },
          ],
    ),
    ...spec.hosts.flatMap((host, i) => hostMisfits(host, ['hosts', i], spec)),
    ...spec.tls.flatMap(({ match }, i) =>
      match.flatMap((one, j) => serverNameMisfits(one.sniHosts, ['tls', i, 'match', j, 'sniHosts'], spec.hosts)),
    ),
    ...(['tls', 'tcp'] as const).flatMap((kind) =>
      spec[kind].flatMap(({ match = [] }, i) =>
        match.flatMap((one, j) => subnetMisfits(one, [kind, i, 'match', j, 'destinationSubnets'], spec)),
      ),
    ),
  ];
}

function hostMisfits(host: string, path: readonly PropertyKey[], spec: VirtualServiceSpec): readonly Misfit[] {
  if (host !== '*' || !isForSidecars(spec)) return [];
  return [{ path, message: 'a bare * would take every host of the mesh; it is for gateways only' }];
}

function serverNameMisfits(
  names: readonly string[],
  path: readonly PropertyKey[],
  hosts: readonly string[],
): readonly Misfit[] {
  return names.flatMap((name, i) =>
    addressField.safeParse(name).success || hosts.some((host) => isWithinHost(name, host))
      ? []
      : [{ path: [...path, i], message: `"${name}" is not within any of the hosts: add it there` }],
  );
}

function subnetMisfits(match: TcpMatch, path: readonly PropertyKey[], spec: VirtualServiceSpec): readonly Misfit[] {
  if (match.destinationSubnets === undefined || !holdsAt(match.gateways ?? spec.gateways, '', MESH)) return [];
  const message =
    'an explicit proxy does not see which address was meant: match port or sniHosts, or do it at a gateway';
  return [{ path, message, problem: 'MESH1017' }];
}
