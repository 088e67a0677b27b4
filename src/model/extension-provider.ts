/** Where proxies report to (Istio: meshConfig.extensionProviders). Definitions name them. */
import { z } from 'zod';
import { portField } from './fields.js';

const serviceField = z
  .string()
  .min(1)
  .regex(/^[^/\s]+(\/[^/\s]+)?$/, 'a host, or NAMESPACE/HOST')
  .describe('A service of the mesh, or a host of a ServiceEntry. Write its full name, or NAMESPACE/HOST');
const collector = { service: serviceField, port: portField.describe('Port of the service') };

const formatSchema = z
  .strictObject({
    text: z.string().min(1).optional().describe('A line, with commands such as %REQ(:PATH)%'),
    labels: z.record(z.string(), z.string()).optional().describe('Keys of a JSON object, with commands as values'),
  })
  .refine(({ text, labels }) => (text === undefined) !== (labels === undefined), 'one of text, labels');

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
