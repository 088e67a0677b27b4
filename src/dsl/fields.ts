/** Schemas that several of Istio's kinds share, with Istio's own rules (reference: 1.0 "Rules shared by many fields"). */
import { z } from 'zod';
import { portField } from '../model/fields.js';
import { regexProblem } from './regex.js';

export const networkingVersions = [
  'networking.istio.io/v1',
  'networking.istio.io/v1beta1',
  'networking.istio.io/v1alpha3',
] as const;

export const regexField = z.string().superRefine((text, context) => {
  const problem = regexProblem(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, input: text });
});

const matchShape = {
  exact: z.string().optional().describe('The whole value'),
  prefix: z.string().optional().describe('Its beginning'),
  regex: regexField.optional().describe('An RE2 expression for the whole value'),
};
const count = (match: object): number => Object.values(match).filter((value) => value !== undefined).length;

/** Of a path: an empty prefix is every path. */
export const uriMatchField = z
  .strictObject(matchShape)
  .refine((match) => count(match) === 1, 'one of exact, prefix, regex');

const isPrefixFilled = (match: { prefix?: string | undefined }): boolean => match.prefix !== '';

/** Of a pseudo header, which is always there. */
export const stringMatchField = z
  .strictObject(matchShape)
  .refine((match) => count(match) === 1, 'one of exact, prefix, regex')
  .refine(isPrefixFilled, 'an empty prefix matches everything; leave the condition out');

/** Of a header or a query parameter: an empty match means that it is present. */
export const presenceMatchField = z
  .strictObject(matchShape)
  .refine((match) => count(match) <= 1, 'one of exact, prefix, regex, or {} for "present"')
  .refine(isPrefixFilled, 'an empty prefix matches everything; write {} for "present"');
export type IstioStringMatch = z.output<typeof presenceMatchField>;

/** As presence, and `regex: "*"` means present too: only where Istio allows it. */
export const absenceMatchField = z
  .strictObject({
    ...matchShape,
    regex: z
      .union([z.literal('*'), regexField])
      .optional()
      .describe('An RE2 expression for the whole value, or * for any'),
  })
  .refine((match) => count(match) <= 1, 'one of exact, prefix, regex, or {} for "present"')
  .refine(isPrefixFilled, 'an empty prefix matches everything; write {} for "present"');

export const percentField = z.strictObject({
  value: z.number().min(0).max(100).default(0).describe('Percent, such as 12.5'),
});

/** Istio's older form of a percentage. */
export const integerPercentField = z.int().min(0).max(100);

/** A uint64, which proto3 JSON writes as text. */
export const countField = z.union([
  z.int().min(0),
  z
    .string()
    .regex(/^\d{1,15}$/, 'a whole number')
    .transform(Number),
]);

export const hostField = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$/,
    'a host is a DNS name',
  );

export const wildcardHostField = z
  .string()
  .max(255)
  .regex(
    /^(\*|\*?[A-Za-z0-9-]*[A-Za-z0-9])(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$/,
    'a host is a DNS name, whose first label may begin with *',
  );

export const addressField = z.union([z.ipv4(), z.ipv6()], 'an IP address');

const subnet = z.union([addressField, z.cidrv4(), z.cidrv6()]);

export const subnetField = z
  .string()
  .refine((text) => subnet.safeParse(text).success, 'an IP address, or a range such as 10.0.0.0/8');

/** Which namespaces see an object: names, `.` for its own, `*` for all. */
export const exportToField = z
  .array(z.string().regex(/^(\.|\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$/, 'a namespace, . or *'))
  .refine((names) => new Set(names).size === names.length, 'a namespace stands twice')
  .refine((names) => !names.includes('*') || names.length === 1, '* stands alone');

/** Does a namespace see an object of `owner`? An absent or empty list is every namespace. */
export function isExportedTo(exportTo: readonly string[] | undefined, owner: string, namespace: string): boolean {
  if (exportTo === undefined || exportTo.length === 0 || exportTo.includes('*')) return true;
  return exportTo.some((name) => (name === '.' ? owner : name) === namespace);
}

export const destinationField = z.strictObject({
  host: wildcardHostField
    .refine((host) => host !== '*', 'a destination is one host, not all')
    .describe('A service, by its short or full name'),
  subset: z.string().min(1).optional().describe('A subset of its DestinationRule, or one of its versions'),
  port: z
    .strictObject({ number: portField.describe('Number of the port') })
    .optional()
    .describe('Which of its ports. Default: the one that was called'),
});
export type IstioDestination = z.output<typeof destinationField>;

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

const headerNameField = z.string().regex(TOKEN, 'a header name has no spaces or separators');

/** In a condition, where Envoy's pseudo headers are headers too. */
export const matchedNameField = z
  .string()
  .refine((name) => TOKEN.test(name) || /^:(method|scheme|authority|path)$/.test(name), 'not a header name');

export const isHost = (name: string): boolean => /^(host|:authority)$/i.test(name);

/** Envoy reads `%COMMAND%` in values; a lone percent sign would be refused by it, later and with less to go by. */
const headerValueField = z
  .string()
  .refine((text) => !/[^\P{Cc}\t]/u.test(text), 'a header value has no control characters')
  .refine(
    (text) =>
      !text
        .replaceAll('%%', '')
        .replaceAll(/%[A-Z_]+(\([^()]*\))?(:\d+)?%/g, '')
        .includes('%'),
    'write a percent sign as %%, or a command as %COMMAND%',
  );

const requestName = z.string().refine((name) => isHost(name) || TOKEN.test(name), 'not a header name');
const responseName = headerNameField.refine((name) => !isHost(name), 'a response has no host');
const removedName = headerNameField.refine((name) => !isHost(name), 'the host cannot be removed');

export const headersField = z.strictObject({
  request: z
    .strictObject({
      set: z.record(requestName, headerValueField).default({}).describe('Put in place of what is there'),
      add: z.record(requestName, headerValueField).default({}).describe('Put beside what is there'),
      remove: z.array(removedName).default([]).describe('Taken away'),
    })
    .prefault({})
    .describe('Before it goes to the instance'),
  response: z
    .strictObject({
      set: z.record(responseName, headerValueField).default({}).describe('Put in place of what is there'),
      add: z.record(responseName, headerValueField).default({}).describe('Put beside what is there'),
      remove: z.array(removedName).default([]).describe('Taken away'),
    })
    .prefault({})
    .describe('Before it goes to the caller'),
});
export type IstioHeaders = z.output<typeof headersField>;
