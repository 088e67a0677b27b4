import { z } from 'zod';
import { type Definition, type DefinitionView, definitionKey, groupedBy } from './definition.js';
import { durationField, durationMs, nameField, percentField, stringMatchField, versionField } from './fields.js';
import { defineKind, type Report } from './kind.js';
import { serviceKind } from './service.js';
import { servicePorts } from './service-shape.js';
import { suggestion } from './suggestion.js';
import { versionsOfService } from './version.js';

const matchSchema = z.strictObject({
  headers: z.record(z.string(), stringMatchField).optional().describe('Headers by name'),
  cookies: z.record(z.string(), stringMatchField).optional().describe('Cookies by name'),
  path: stringMatchField.optional().describe('Path of the request, without its query'),
  method: stringMatchField.optional().describe('Method of the request'),
  callers: z.array(z.string()).optional().describe('The service that calls is one of these: NAME or NAME.NAMESPACE'),
  clusters: z.array(nameField).optional().describe('The call comes from a node of one of these clusters'),
});
export type RouteMatch = z.output<typeof matchSchema>;

const retryConditions = [
  'connect-failure',
  'refused-stream',
  'reset',
  'gateway-error',
  '5xx',
  'retriable-4xx',
  'unavailable',
  'cancelled',
  'deadline-exceeded',
  'resource-exhausted',
] as const;

const MAX_ANSWER_BYTES = 65_536;
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

const fallbackSchema = z.strictObject({
  on: z
    .array(z.int().min(400).max(599))
    .min(1)
    .default([502, 503, 504])
    .describe('Statuses that it stands in for. By default those of a service that cannot answer, or not in time'),
  status: z.int().min(200).max(599).default(200).describe('Status of the answer'),
  headers: z
    .record(z.string().regex(HEADER_NAME, 'a header name in lower case'), z.string())
    .default({})
    .describe('Headers of the answer, such as content-type'),
  body: z.string().max(MAX_ANSWER_BYTES).default('').describe('Body of the answer'),
});

const ruleSchema = z.strictObject({
  name: nameField.optional().describe('Shown where the rule is named'),
  match: z
    .array(matchSchema)
    .min(1)
    .optional()
    .describe('Requests that it is for: any of these holds, and of one all that it says. Without it, every request'),
  split: z
    .array(
      z.strictObject({
        version: versionField.describe('A version of the service'),
        weight: percentField.describe('Percentage, at most two decimals'),
      }),
    )
    .min(1)
    .describe('Which versions get them; the weights sum to 100'),
  timeout: durationField.optional().describe('Of the whole request, retries included. Default: none'),
  retries: z
    .strictObject({
      attempts: z.int().min(0).max(10).describe('Tries after the first'),
      on: z
        .array(z.enum(retryConditions))
        .min(1)
        .default(['connect-failure', 'refused-stream'])
        .describe('What is tried again'),
      perTryTimeout: durationField.optional().describe('Of each try'),
    })
    .optional()
    .describe('When a request is tried again, on another instance. Default: twice, where that is safe'),
  fallback: fallbackSchema
    .optional()
    .describe("What the caller gets in place of an error, after all tries: the caller's own sidecar answers it"),
});
export type RouteRule = z.output<typeof ruleSchema>;

/** Envoy fills its bucket no oftener than this. */
const MIN_FILL_MS = 50;

const limitSchema = z.strictObject({
  requests: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('How many each instance takes on each of its ports, in the time `per`'),
  per: durationField
    .refine((per) => durationMs(per) >= MIN_FILL_MS, `${MIN_FILL_MS}ms or more`)
    .default('1s')
    .describe('The time in which it takes so many'),
  burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('What an instance that was idle takes at once. Default: as many as `requests`'),
});

export const routeSchema = z.strictObject({
  service: nameField.describe('The Service, in the same namespace, whose requests are routed'),
  limit: limitSchema
    .optional()
    .describe(
      "What its instances take, whoever calls and whatever routes the calls; the rest is answered 429 (gRPC: RESOURCE_EXHAUSTED) by the instance's sidecar, and its app sees nothing of it",
    ),
  rules: z.array(ruleSchema).min(1).describe('The first rule that matches a request decides'),
});
export type RouteSpec = z.output<typeof routeSchema>;

export const routeKind = defineKind<RouteSpec>({
  kind: 'Route',
  plural: 'routes',
  aliases: ['rt'],
  apiVersions: ['mesh/v1'],
  namespaced: true,
  summary: 'How requests to a service are split over its versions. The short form of a VirtualService.',
  schema: routeSchema,
  columns: [
    { header: 'SERVICE', value: (d) => d.spec.service },
    {
      header: 'RULES',
      value: (d) =>
        d.spec.rules
          .map((r, i) => `${r.name ?? i}:${r.split.map((s) => `${s.version}=${s.weight}`).join('/')}`)
          .join(' '),
    },
  ],
  check(definition, view, report) {
    const { service, rules } = definition.spec;
    if (!view.has('Service', definition.namespace, service)) {
      report({
        code: 'MESH1010',
        path: ['spec', 'service'],
        message: `Service "${service}" does not exist`,
        hint: suggestion(service, view.names('Service', definition.namespace)),
      });
      return;
    }
    const routes = groupedBy(view.all(routeKind), byService).get(byService(definition)) ?? [];
    const twin = routes.find((r) => r.name < definition.name);
    if (twin !== undefined) {
      report({
        code: 'MESH1009',
        path: ['spec', 'service'],
        message: `${service} already has the Route "${twin.name}"`,
        hint: 'put the rules into one Route',
      });
    }
    checkProtocols(definition, view, report);
    const versions = versionsOfService(view, definition.namespace, service).map((v) => v.spec.version);
    for (const [i, rule] of rules.entries()) {
      const sum = rule.split.reduce((total, s) => total + Math.round(s.weight * 100), 0) / 100;
      if (sum !== 100) {
        report({
          code: 'MESH1011',
          path: ['spec', 'rules', i, 'split'],
          message: `the weights sum to ${sum}, not 100`,
          hint: 'weights are percentages',
        });
      }
      for (const [j, { version }] of rule.split.entries()) {
        if (!versions.includes(version)) {
          report({
            code: 'MESH1010',
            path: ['spec', 'rules', i, 'split', j, 'version'],
            message: `version "${version}" of ${service} does not exist`,
            hint: versions.length === 0 ? 'a Version makes one' : `there is: ${versions.join(', ')}`,
          });
        }
      }
    }
  },
});

/** Bytes are no requests; gRPC has its statuses in trailers, where no fallback looks. */
function checkProtocols({ namespace, spec }: Definition<RouteSpec>, view: DefinitionView, report: Report): void {
  const service = view.get(serviceKind, namespace, spec.service);
  if (service === undefined) return;
  const protocols = servicePorts(service.spec).map(({ protocol }) => protocol);
  if (spec.limit !== undefined && protocols.every((protocol) => protocol === 'tcp')) {
    report({
      code: 'MESH1016',
      path: ['spec', 'limit'],
      message: `${spec.service} has TCP ports only: a limit counts requests`,
      hint: 'connections are bounded by connectionPool in a DestinationRule',
    });
  }
  if (protocols.some((protocol) => protocol === 'http' || protocol === 'http2')) return;
  for (const [i, { fallback }] of spec.rules.entries()) {
    if (fallback === undefined) continue;
    report({
      code: 'MESH1016',
      path: ['spec', 'rules', i, 'fallback'],
      message: `${spec.service} has no HTTP port: a fallback stands in for HTTP answers`,
      hint: 'remove it',
    });
  }
}

function byService({ namespace, spec }: Definition<RouteSpec>): string {
  return definitionKey(namespace, spec.service);
}
