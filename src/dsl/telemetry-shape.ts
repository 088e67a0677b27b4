/** Telemetry: what may stand in it (reference: 1.13). */
import { z } from 'zod';
import { notYet } from './not-yet.js';
import { workloadSelectorField } from './workload-shape.js';

const OWN_STATISTICS =
  "metrics are Envoy's own statistics, with the caller, the service and the version in their names: they have no tags of requests to change";
const NO_KUBERNETES = 'they name gateways of Kubernetes: write a selector';

export const modes = ['CLIENT', 'SERVER', 'CLIENT_AND_SERVER'] as const;
export type TelemetryMode = (typeof modes)[number];

const matchField = z
  .strictObject({
    mode: z
      .enum(modes)
      .default('CLIENT_AND_SERVER')
      .describe("On the caller's side, on the service's side, or on both"),
  })
  .optional()
  .describe('Which side');

const providersField = (words: string) =>
  z
    .array(z.strictObject({ name: z.string().min(1).describe('One of extensionProviders of the Mesh') }))
    .default([])
    .describe(words);

const accessLoggingSchema = z.strictObject({
  match: matchField,
  providers: providersField('Where to. Default: what holds without this'),
  disabled: z.boolean().default(false).describe('These are not logged to'),
  filter: z
    .strictObject({
      expression: z.string().min(1).optional().describe("In CEL, of Envoy's attributes: response.code >= 400"),
    })
    .optional()
    .describe('Which requests'),
});
export type AccessLogging = z.output<typeof accessLoggingSchema>;

const customTagSchema = z
  .strictObject({
    literal: z
      .strictObject({ value: z.string().min(1).describe('The value') })
      .optional()
      .describe('Always the same'),
    environment: z
      .strictObject({
        name: z.string().min(1).describe('Name of the variable; a ProxyConfig sets it'),
        defaultValue: z.string().default('').describe('Where there is no such variable'),
      })
      .optional()
      .describe("A variable of the sidecar's environment"),
    header: z
      .strictObject({
        name: z.string().min(1).describe('Name of the header'),
        defaultValue: z.string().default('').describe('Where the request has no such header'),
      })
      .optional()
      .describe('A header of the request'),
    formatter: z
      .strictObject({ value: z.string().min(1).describe('Such as %REQ(:PATH)%') })
      .optional()
      .describe('By commands, as access logs have them'),
  })
  .refine(
    (tag) => Object.values(tag).filter((value) => value !== undefined).length === 1,
    'one of literal, environment, header, formatter',
  );
export type CustomTag = z.output<typeof customTagSchema>;

const tracingSchema = z.strictObject({
  match: matchField,
  providers: providersField('Where to: the first counts. Default: what holds without this'),
  randomSamplingPercentage: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .describe('Share of the requests that begin a trace, in percent. Default: 1'),
  disableSpanReporting: z.boolean().optional().describe('Nothing is reported'),
  customTags: z.record(z.string().min(1), customTagSchema).default({}).describe('Of every span, by their names'),
  useRequestIdForTraceSampling: z
    .boolean()
    .optional()
    .describe('One decision for a request id, wherever it comes along. Default: true'),
  enableIstioTags: z
    .boolean()
    .optional()
    .describe('Tags istio.canonical_service, istio.canonical_revision and istio.namespace. Default: true'),
  disableContextPropagation: z
    .boolean()
    .optional()
    .describe('Proxies report, and leave the headers of a trace as they are: callees then begin traces of their own'),
});
export type Tracing = z.output<typeof tracingSchema>;

const metricsSchema = z.strictObject({
  providers: providersField('Prometheus, which every sidecar answers anyway'),
  overrides: notYet(OWN_STATISTICS),
  reportingInterval: notYet('Prometheus comes and asks'),
});

export const telemetrySchema = z.strictObject({
  selector: z
    .strictObject({ matchLabels: workloadSelectorField.shape.labels })
    .optional()
    .describe(
      'For the proxies of these instances. Without labels: for all of the namespace, and of the mesh in the root namespace',
    ),
  targetRef: notYet(NO_KUBERNETES),
  targetRefs: notYet(NO_KUBERNETES),
  accessLogging: z.array(accessLoggingSchema).default([]).describe('Lines about requests and connections'),
  tracing: z.array(tracingSchema).default([]).describe('Spans; the first one counts'),
  metrics: z.array(metricsSchema).default([]).describe('Statistics'),
});
export type TelemetrySpec = z.output<typeof telemetrySchema>;
