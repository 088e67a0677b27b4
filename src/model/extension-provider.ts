/** Where proxies report to (Istio: meshConfig.extensionProviders). Definitions name them. */
import { z } from 'zod';
import { portField, positiveDurationField } from './fields.js';

const serviceField = z
  .string()
  .min(1)
  .regex(/^[^/\s]+(\/[^/\s]+)?$/, 'a host, or NAMESPACE/HOST')
  .describe('A service of the mesh, or a host of a ServiceEntry. Write its full name, or NAMESPACE/HOST');
const collector = { service: serviceField, port: portField.describe('Port of the service') };

/** Envoy's list of them. */
const refusals: ReadonlySet<number> = new Set([
  400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426,
  428, 429, 431, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
]);

const formatSchema = z
  .strictObject({
    text: z.string().min(1).optional().describe('A line, with commands such as %REQ(:PATH)%'),
    labels: z.record(z.string(), z.string()).optional().describe('Keys of a JSON object, with commands as values'),
  })
  .refine(({ text, labels }) => (text === undefined) !== (labels === undefined), 'one of text, labels');

const patterns = (words: string) =>
  z
    .array(z.string().regex(/^(\*[^*]*|[^*]+\*?)$/, 'a name, x*, *x, or *'))
    .default([])
    .describe(words);

/** Of those that judge requests. */
const authorizer = {
  service: serviceField,
  port: portField.describe('Port of the service'),
  timeout: positiveDurationField.default('600s').describe('How long a request waits for the verdict'),
  failOpen: z
    .boolean()
    .default(false)
    .describe('Lets requests in while the service does not answer, or answers 5xx. Default: they are refused'),
  clearRouteCache: z
    .boolean()
    .default(false)
    .describe('Looks for the route once more after the verdict, which may have changed headers'),
  statusOnError: z
    .union([
      z.int(),
      z
        .string()
        .regex(/^\d{3}$/, 'a status')
        .transform(Number),
    ])
    .refine((status) => refusals.has(status), 'a status from 400')
    .default(403)
    .describe('Status of requests that are refused because the service does not answer'),
  includeRequestBodyInCheck: z
    .strictObject({
      maxRequestBytes: z.int().min(1).default(4096).describe('How much of it'),
      allowPartialMessage: z
        .boolean()
        .default(false)
        .describe('Of a longer body the beginning is sent. Default: such requests are answered 413'),
      packAsBytes: z.boolean().default(false).describe('As it is, where it may be no UTF-8'),
    })
    .optional()
    .describe('Sends the body of the request along'),
};

const shape = {
  envoyFileAccessLog: z
    .strictObject({
      path: z.string().min(1).default('/dev/stdout').describe('A file, as the sidecar sees it'),
      logFormat: formatSchema.optional().describe('Of a line. Default: the JSON that sidecars log anyway'),
      omitEmptyValues: z.boolean().default(false).describe('Leaves out what has no value, instead of writing a -'),
    })
    .optional()
    .describe('Lines in a file'),
  envoyHttpAls: z
    .strictObject({
      ...collector,
      logName: z.string().min(1).default('http_envoy_accesslog').describe('Name of the log'),
    })
    .optional()
    .describe("Requests as messages of Envoy's access log service, by gRPC"),
  envoyOtelAls: z
    .strictObject({
      ...collector,
      logName: z.string().min(1).default('otel_envoy_accesslog').describe('Name of the log'),
      logFormat: z
        .strictObject({
          text: z.string().min(1).optional().describe('The body of a record'),
          labels: z.record(z.string(), z.string()).default({}).describe('Its attributes'),
        })
        .optional()
        .describe('Of a record'),
    })
    .optional()
    .describe('Requests as log records of OpenTelemetry, by gRPC'),
  opentelemetry: z
    .strictObject({
      ...collector,
      maxTagLength: z.int().min(1).optional().describe('Of the tag with the path'),
      http: z
        .strictObject({
          path: z.string().startsWith('/').describe('Such as /v1/traces'),
          timeout: z
            .string()
            .regex(/^\d+(\.\d+)?s$/, 'in seconds: 5s')
            .default('10s')
            .describe('Of one report'),
        })
        .optional()
        .describe('By HTTP. Default: by gRPC'),
    })
    .optional()
    .describe('Traces of OpenTelemetry'),
  zipkin: z
    .strictObject({
      ...collector,
      maxTagLength: z.int().min(1).optional().describe('Of the tag with the path'),
      enable64bitTraceId: z.boolean().default(false).describe('Ids of traces have 64 bits instead of 128'),
      path: z.string().startsWith('/').default('/api/v2/spans').describe('Where spans are posted'),
    })
    .optional()
    .describe('Traces of Zipkin; Jaeger takes them too'),
  envoyExtAuthzGrpc: z
    .strictObject(authorizer)
    .optional()
    .describe("Judges requests and connections of CUSTOM policies, by Envoy's gRPC of external authorization"),
  envoyExtAuthzHttp: z
    .strictObject({
      ...authorizer,
      pathPrefix: z.string().startsWith('/').optional().describe('Put before the path of what is asked'),
      includeRequestHeadersInCheck: patterns(
        'Headers of the request that are sent along. Host, Method, Path, Content-Length and Authorization always are',
      ),
      includeAdditionalHeadersInCheck: z
        .record(z.string().min(1), z.string())
        .default({})
        .describe('Headers with these values are sent as well'),
      headersToUpstreamOnAllow: patterns('Headers of the verdict that the service gets'),
      headersToDownstreamOnDeny: patterns('Headers of the verdict that the caller gets. Default: all'),
      headersToDownstreamOnAllow: patterns('Headers of the verdict that the caller gets with the answer'),
    })
    .optional()
    .describe('Judges requests of CUSTOM policies, by HTTP: 200 lets a request in'),
  prometheus: z
    .strictObject({})
    .optional()
    .describe('What every sidecar has anyway: /stats/prometheus at its metrics port'),
};
const types = Object.keys(shape) as (keyof typeof shape)[]; // its own keys

export const extensionProvidersSchema = z
  .array(
    z
      .strictObject({ name: z.string().min(1).describe('What definitions call it'), ...shape })
      .refine((one) => types.filter((type) => one[type] !== undefined).length === 1, `one of ${types.join(', ')}`),
  )
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'a name stands twice');
export type ExtensionProvider = z.output<typeof extensionProvidersSchema>[number];

/** There without being defined: the access log on stdout, and the statistics. */
export const builtInProviders: readonly ExtensionProvider[] = [
  { name: 'envoy', envoyFileAccessLog: { path: '/dev/stdout', omitEmptyValues: false } },
  { name: 'prometheus', prometheus: {} },
];

/** What is defined before what is there. */
export function findProvider(defined: readonly ExtensionProvider[], name: string): ExtensionProvider | undefined {
  return [...defined, ...builtInProviders].find((provider) => provider.name === name);
}
