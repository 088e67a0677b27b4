/** VirtualService: what may stand in it (reference: 1.1). */
import { z } from 'zod';
import { durationField, durationMs, labelsField, portField } from '../model/fields.js';
import {
  absenceMatchField,
  destinationField,
  headersField,
  matchedNameField,
  percentField,
  positiveDurationField,
  presenceMatchField,
  stringMatchField,
  uriMatchField,
  wildcardHostField,
} from './fields.js';
import { notYet, refusedValue } from './not-yet.js';

const matchSchema = z.strictObject({
  name: z.string().optional(),
  uri: uriMatchField.optional(),
  ignoreUriCase: z.boolean().default(false),
  scheme: stringMatchField.optional(),
  method: stringMatchField.optional(),
  authority: stringMatchField.optional(),
  headers: z.record(matchedNameField, presenceMatchField).default({}),
  withoutHeaders: z.record(matchedNameField, absenceMatchField).default({}),
  queryParams: z.record(z.string().min(1), presenceMatchField).default({}),
  port: portField.optional(),
  sourceLabels: labelsField.optional(),
  sourceNamespace: z.string().min(1).optional(),
  gateways: notYet('gateways'),
  statPrefix: notYet('statistics per route'),
});
export type IstioMatch = z.output<typeof matchSchema>;

const MAX_WEIGHT = 100_000;

const routeSchema = z.strictObject({
  destination: destinationField,
  weight: z.int().min(0).max(MAX_WEIGHT).optional(),
  headers: headersField.optional(),
});

export const retryWords = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
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
    attempts: z.int().min(0).max(100).default(0),
    perTryTimeout: positiveDurationField.optional(),
    /** Comma separated; status codes may stand among the words. */
    retryOn: z
      .string()
      .refine((text) => text.split(',').every(isRetryWord), `a comma list of ${retryWords.join(', ')} or status codes`)
      .optional(),
    backoff: positiveDurationField.optional(),
    retryIgnorePreviousHosts: z.boolean().default(true),
    retryRemoteLocalities: notYet('locality'),
  })
  .refine((r) => r.attempts > 0 || (r.perTryTimeout === undefined && r.retryOn === undefined), {
    message: 'attempts: 0 turns retries off, so perTryTimeout and retryOn have no meaning',
  });
export type IstioRetries = z.output<typeof retriesSchema>;

const faultPercentField = percentField.refine(
  ({ value }) => value === 0 || value >= 0.0001,
  'a percentage is 0, or from 0.0001 to 100',
);

const faultSchema = z
  .strictObject({
    delay: z
      .strictObject({
        fixedDelay: positiveDurationField,
        percentage: faultPercentField.optional(),
        percent: notYet('deprecated; write percentage: { value: N }'),
        exponentialDelay: notYet('Istio refuses it too'),
      })
      .optional(),
    abort: z
      .strictObject({
        httpStatus: z.int().min(200).max(599),
        percentage: faultPercentField.optional(),
        percent: notYet('deprecated; write percentage: { value: N }'),
        grpcStatus: notYet('aborting with a gRPC status'),
        http2Error: notYet('Istio refuses it too'),
      })
      .optional(),
  })
  .refine((fault) => fault.delay !== undefined || fault.abort !== undefined, 'a fault needs delay or abort');

const redirectSchema = z
  .strictObject({
    uri: z.string().min(1).optional(),
    authority: z.string().min(1).optional(),
    scheme: z.enum(['http', 'https']).optional(),
    port: portField.optional(),
    derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).optional(),
    redirectCode: z.literal([301, 302, 303, 307, 308]).default(301),
    prefixRewrite: z.string().optional(),
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
    uri: z.string().min(1).optional(),
    authority: z.string().min(1).optional(),
    uriRegexRewrite: notYet('rewriting by regular expression'),
  })
  .refine((r) => r.uri !== undefined || r.authority !== undefined, 'a rewrite needs uri or authority');

const httpSchema = z
  .strictObject({
    name: z.string().optional(),
    match: z.array(matchSchema).min(1).optional(),
    route: z.array(routeSchema).min(1).optional(),
    redirect: redirectSchema.optional(),
    rewrite: rewriteSchema.optional(),
    /** Whole request, retries included; 0s is no limit, like leaving it out. */
    timeout: durationField.refine((t) => durationMs(t) === 0 || durationMs(t) >= 1, 'at least 1ms').optional(),
    retries: retriesSchema.optional(),
    fault: faultSchema.optional(),
    mirror: destinationField.optional(),
    mirrorPercentage: percentField.optional(),
    mirrors: z.array(z.strictObject({ destination: destinationField, percentage: percentField.optional() })).optional(),
    headers: headersField.optional(),
    mirrorPercent: notYet('deprecated; write mirrorPercentage: { value: N }'),
    mirror_percent: notYet('deprecated; write mirrorPercentage: { value: N }'),
    corsPolicy: notYet('CORS'),
    directResponse: notYet('fixed answers'),
    delegate: notYet('delegates'),
  })
  .refine((http) => (http.route === undefined) !== (http.redirect === undefined), 'one of route and redirect')
  .refine(
    (http) => http.redirect === undefined || (http.rewrite === undefined && http.fault === undefined),
    'a redirect goes with neither rewrite nor fault',
  )
  .refine(
    (http) => (http.route ?? []).length < 2 || (http.route ?? []).some((route) => (route.weight ?? 0) > 0),
    'the weights of several destinations must not all be 0',
  )
  .refine((http) => http.mirror === undefined || http.mirrors === undefined, 'mirror and mirrors exclude each other')
  .refine((http) => http.mirrorPercentage === undefined || http.mirror !== undefined, 'mirrorPercentage needs mirror');
export type HttpRule = z.output<typeof httpSchema>;

export const virtualServiceSchema = z.strictObject({
  hosts: z.array(wildcardHostField.refine((host) => host !== '*', 'a bare * would take every host of the mesh')).min(1),
  gateways: z
    .array(refusedValue(z.string(), (name) => name !== 'mesh', 'only the gateway "mesh" is supported yet'))
    .min(1)
    .optional(),
  http: z.array(httpSchema).min(1),
  tls: notYet('routing by SNI'),
  tcp: notYet('TCP rules'),
  exportTo: notYet('every namespace sees it'),
});
export type VirtualServiceSpec = z.output<typeof virtualServiceSchema>;
