import { z } from 'zod';
import { durationField, nameField, percentField, stringMatchField, versionField } from './fields.js';
import { defineKind } from './kind.js';
import { suggestion } from './suggestion.js';
import { versionKind } from './version.js';

const matchSchema = z.strictObject({
  headers: z.record(z.string(), stringMatchField).optional(),
  cookies: z.record(z.string(), stringMatchField).optional(),
  path: stringMatchField.optional(),
  method: stringMatchField.optional(),
  /** Services that call, NAME or NAME.NAMESPACE. */
  callers: z.array(z.string()).optional(),
  /** Clusters (ours) from which the call comes. */
  clusters: z.array(nameField).optional(),
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

const ruleSchema = z.strictObject({
  name: nameField.optional(),
  /** Any of these; without it, every request. Inside one, all must hold. */
  match: z.array(matchSchema).min(1).optional(),
  /** Percentages; they must sum to 100. */
  split: z.array(z.strictObject({ version: versionField, weight: percentField })).min(1),
  /** Whole request, retries included. Default: none. */
  timeout: durationField.optional(),
  retries: z
    .strictObject({
      attempts: z.int().min(0).max(10),
      on: z.array(z.enum(retryConditions)).min(1).default(['connect-failure', 'refused-stream']),
      perTryTimeout: durationField.optional(),
    })
    .optional(),
});
export type RouteRule = z.output<typeof ruleSchema>;

export const routeSchema = z.strictObject({ service: nameField, rules: z.array(ruleSchema).min(1) });
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
    const names = view.names('Service', definition.namespace);
    if (!names.includes(service)) {
      report({
        code: 'MESH1010',
        path: ['spec', 'service'],
        message: `Service "${service}" does not exist`,
        hint: suggestion(service, names),
      });
      return;
    }
    const twin = view
      .all(routeKind)
      .find((r) => r.namespace === definition.namespace && r.spec.service === service && r.name < definition.name);
    if (twin !== undefined) {
      report({
        code: 'MESH1009',
        path: ['spec', 'service'],
        message: `${service} already has the Route "${twin.name}"`,
        hint: 'put the rules into one Route',
      });
    }
    const versions = view
      .all(versionKind)
      .filter((v) => v.namespace === definition.namespace && v.spec.service === service)
      .map((v) => v.spec.version);
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
            hint: suggestion(version, versions),
          });
        }
      }
    }
  },
});
