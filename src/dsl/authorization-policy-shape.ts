/** AuthorizationPolicy: what may stand in it (reference: 1.10). */
import { z } from 'zod';
import { conditionKeys, isOfRequests, readConditionKey } from './condition-key.js';
import { subnetField } from './fields.js';
import { pathTemplateProblem } from './path-template.js';
import { requestSelection } from './selector.js';

const MAX_PORT = 65_535;

const valueField = z.string().min(1, 'an empty value matches nothing');
const portTextField = z
  .string()
  .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT, 'a port in quotes: "8080"');
const serviceAccountField = z.string().regex(/^[^/*]+(\/[^/*]+)?$/, 'NAME, or NAMESPACE/NAME');
const pathField = valueField.superRefine((path, context) => {
  const problem = pathTemplateProblem(path);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, input: path });
});

function listOf(value: z.ZodType<string>, words: string) {
  return z.array(value).default([]).describe(words);
}

const sourceSchema = z
  .strictObject({
    principals: listOf(
      valueField,
      'Names in certificates of callers, such as cluster.local/ns/NAMESPACE/sa/NAME. As all values: exact, x*, *x, or *',
    ),
    notPrincipals: listOf(valueField, 'None of these'),
    requestPrincipals: listOf(valueField, 'Who a token is of: ISSUER/SUBJECT'),
    notRequestPrincipals: listOf(valueField, 'None of these'),
    namespaces: listOf(valueField, 'Namespaces of callers, by their certificates'),
    notNamespaces: listOf(valueField, 'None of these'),
    serviceAccounts: listOf(
      serviceAccountField,
      'NAME in the namespace of this policy, or NAMESPACE/NAME, by the certificates of callers. Without principals and namespaces',
    ),
    notServiceAccounts: listOf(serviceAccountField, 'None of these'),
    trustDomains: listOf(valueField, 'Who has issued the certificates of callers'),
    notTrustDomains: listOf(valueField, 'None of these'),
    ipBlocks: listOf(subnetField, 'Addresses of those who have made the connection: a caller, or its proxy'),
    notIpBlocks: listOf(subnetField, 'None of these'),
    remoteIpBlocks: listOf(
      subnetField,
      'Addresses of those who ask, as the last of X-Forwarded-For says, which anybody who reaches the port can write; without it, those of ipBlocks',
    ),
    notRemoteIpBlocks: listOf(subnetField, 'None of these'),
  })
  .refine(isSomething, 'an empty source is nobody: leave from out to mean everybody')
  .refine(
    ({ serviceAccounts, principals, namespaces }) =>
      serviceAccounts.length === 0 || (principals.length === 0 && namespaces.length === 0),
    'serviceAccounts say the namespace too: write principals and namespaces in another source',
  );
export type AuthorizedSource = z.output<typeof sourceSchema>;

const operationSchema = z
  .strictObject({
    hosts: listOf(valueField, 'Hosts of requests, as they are written there: shop does not cover shop:8080. Any case'),
    notHosts: listOf(valueField, 'None of these'),
    ports: listOf(portTextField, 'Ports of the service, in quotes'),
    notPorts: listOf(portTextField, 'None of these'),
    methods: listOf(valueField, 'Such as GET. Of gRPC it is always POST'),
    notMethods: listOf(valueField, 'None of these'),
    paths: listOf(
      pathField,
      'Paths without the query, after . and .. and // and %41 are resolved. {*} is one segment, {**} any number: /users/{*}/orders. Of gRPC /PACKAGE.SERVICE/METHOD',
    ),
    notPaths: listOf(pathField, 'None of these'),
  })
  .refine(isSomething, 'an empty operation is none: leave to out to mean all');
export type AuthorizedOperation = z.output<typeof operationSchema>;

function isSomething(lists: Readonly<Record<string, readonly unknown[]>>): boolean {
  return Object.values(lists).some((list) => list.length > 0);
}

const conditionSchema = z
  .strictObject({
    key: z
      .string()
      .refine((key) => readConditionKey(key) !== undefined, `a key is one of ${conditionKeys.join(', ')}`)
      .describe('What is looked at'),
    values: listOf(valueField, 'One of these'),
    notValues: listOf(valueField, 'None of these'),
  })
  .refine(isSomethingAsked, 'values or notValues')
  .superRefine(({ key, ...lists }, context) => {
    const field = fieldOf(key);
    for (const list of ['values', 'notValues'] as const)
      for (const [i, value] of lists[list].entries()) {
        const [issue] = field.safeParse(value).error?.issues ?? [];
        if (issue !== undefined)
          context.addIssue({ code: 'custom', message: issue.message, path: [list, i], input: value });
      }
  });

function isSomethingAsked({ values, notValues }: { values: readonly unknown[]; notValues: readonly unknown[] }) {
  return values.length > 0 || notValues.length > 0;
}

/** What the values of a condition are. */
function fieldOf(key: string): z.ZodType<string> {
  switch (key) {
    case 'source.ip':
    case 'remote.ip':
    case 'destination.ip':
      return subnetField;
    case 'destination.port':
      return portTextField;
    case 'source.serviceAccount':
      return serviceAccountField;
    default:
      return valueField;
  }
}

const filled = 'an empty list is nobody: leave it out';
const ruleSchema = z.strictObject({
  from: z
    .array(z.strictObject({ source: sourceSchema.describe('Who') }))
    .min(1, filled)
    .optional()
    .describe('Who calls: one of these. Default: anybody'),
  to: z
    .array(z.strictObject({ operation: operationSchema.describe('What') }))
    .min(1, filled)
    .optional()
    .describe('What is asked for: one of these. Default: anything'),
  when: z.array(conditionSchema).default([]).describe('All of these must hold as well'),
});
export type AuthorizationRule = z.output<typeof ruleSchema>;

export const authorizationPolicySchema = z
  .strictObject({
    ...requestSelection,
    action: z
      .enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'])
      .default('ALLOW')
      .describe(
        'What matches is refused (DENY), let in, and nothing else is (ALLOW), noted in the access log (AUDIT), or judged by somebody else (CUSTOM). Asked in this order: CUSTOM, DENY, ALLOW',
      ),
    provider: z
      .strictObject({ name: z.string().min(1).describe('One of extensionProviders of the Mesh') })
      .optional()
      .describe('Who judges, for CUSTOM'),
    rules: z
      .array(ruleSchema)
      .default([])
      .describe('What it is about: one of these must hold. ALLOW without any allows nothing'),
  })
  .superRefine(({ action, provider, rules }, context) => {
    const issue = (path: PropertyKey[], message: string, input?: unknown): void => {
      context.addIssue({ code: 'custom', path, message, input });
    };
    if (action === 'CUSTOM' && provider === undefined) issue(['provider'], 'CUSTOM names the provider that judges');
    if (action !== 'CUSTOM' && provider !== undefined)
      issue(['provider'], `a provider is for CUSTOM, not for ${action}`, provider);
    if ((action === 'CUSTOM' || action === 'DENY') && rules.length === 0)
      issue(['rules'], `${action} without rules is about nothing; write rules: [{}] for every request`);
    if (action === 'CUSTOM') for (const path of askedTooEarly(rules)) issue(['rules', ...path], TOO_EARLY, rules);
  });
export type AuthorizationPolicySpec = z.output<typeof authorizationPolicySchema>;

const TOO_EARLY = 'CUSTOM is asked before anybody knows who calls; write it in a DENY or ALLOW policy';

const identities = [
  'principals',
  'requestPrincipals',
  'namespaces',
  'serviceAccounts',
  'trustDomains',
  'notPrincipals',
  'notRequestPrincipals',
  'notNamespaces',
  'notServiceAccounts',
  'notTrustDomains',
] as const;

/** Istio has these not in CUSTOM. */
function askedTooEarly(rules: readonly AuthorizationRule[]): readonly PropertyKey[][] {
  return rules.flatMap(({ from = [], when }, i) => [
    ...from.flatMap(({ source }, j) =>
      identities.filter((name) => source[name].length > 0).map((name) => [i, 'from', j, 'source', name]),
    ),
    ...when.flatMap(({ key }, j) => (isIdentity(key) ? [[i, 'when', j, 'key']] : [])),
  ]);
}

function isIdentity(key: string): boolean {
  return /^(request\.auth\.|source\.(?!ip$))/.test(key);
}

const ofRequests = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

/** Bytes of a connection have none of what these ask for. */
export function asksForRequests({ from = [], to = [], when }: AuthorizationRule): boolean {
  return (
    from.some(({ source }) => source.requestPrincipals.length + source.notRequestPrincipals.length > 0) ||
    to.some(({ operation }) => ofRequests.some((list) => operation[list].length > 0)) ||
    when.some(({ key }) => {
      const read = readConditionKey(key);
      return read !== undefined && isOfRequests(read);
    })
  );
}

/** It is about chosen ports only. */
export function namesPorts({ to = [], when }: AuthorizationRule): boolean {
  return (
    (to.length > 0 && to.every(({ operation }) => operation.ports.length > 0)) ||
    when.some(({ key }) => key === 'destination.port')
  );
}
