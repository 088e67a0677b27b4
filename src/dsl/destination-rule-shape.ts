/** DestinationRule: what may stand in it (reference: 1.2). */
import { z } from 'zod';
import { durationField, labelsField, nameField, portField, positiveDurationField } from '../model/fields.js';
import { localityLbSchema } from '../model/locality-lb.js';
import {
  connectionPoolField,
  hasSplitErrors,
  limitField,
  outlierFields,
  SPLIT_ERRORS_NEEDED,
} from '../model/traffic-limits.js';
import { clientTlsSchema } from './client-tls.js';
import { addressField, countField, exportToField, hostField, wildcardHostField } from './fields.js';
import { notYet } from './not-yet.js';

const cookieSchema = z.strictObject({
  name: z.string().min(1).describe('Its name'),
  path: z.string().optional().describe('Its path, where the sidecar makes it'),
  ttl: durationField
    .optional()
    .describe(
      'A caller without the cookie is given one that lives so long; 0s is until the browser closes. Without it, none is made',
    ),
  attributes: z
    .array(
      z.strictObject({
        name: z.string().min(1).describe('Such as SameSite'),
        value: z.string().default('').describe('Such as Strict'),
      }),
    )
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'an attribute stands twice')
    .optional()
    .describe('More attributes of a cookie that is made'),
});

const hashKeys = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const;
const MAX_MAGLEV_TABLE = 5_000_011;

const consistentHashSchema = z
  .strictObject({
    httpHeaderName: z.string().min(1).optional().describe('By the value of this header'),
    httpCookie: cookieSchema.optional().describe('By a cookie'),
    useSourceIp: z.literal(true).optional().describe("By the caller's address"),
    httpQueryParameterName: z.string().min(1).optional().describe('By the value of this parameter of the query'),
    ringHash: z
      .strictObject({
        minimumRingSize: countField.optional().describe('Points on the ring at least, default 1024'),
      })
      .optional()
      .describe('On a ring, which is the default'),
    maglev: z
      .strictObject({
        tableSize: countField
          .refine((size) => size < MAX_MAGLEV_TABLE, `less than ${MAX_MAGLEV_TABLE}`)
          .refine(isPrime, 'a prime number')
          .optional()
          .describe('Entries of the table, a prime number, default 65537'),
      })
      .optional()
      .describe('By a table that is spread more evenly'),
    minimumRingSize: countField.optional().describe('Deprecated form of ringHash.minimumRingSize'),
  })
  .refine((hash) => hashKeys.filter((key) => hash[key] !== undefined).length === 1, `one of ${hashKeys.join(', ')}`)
  .refine((hash) => [hash.ringHash, hash.maglev, hash.minimumRingSize].filter((x) => x !== undefined).length <= 1, {
    message: 'one of ringHash, maglev and minimumRingSize',
  });
export type ConsistentHash = z.output<typeof consistentHashSchema>;

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return true;
}

const warmupSchema = z.strictObject({
  duration: positiveDurationField.describe('How long a new instance gets less than its share'),
  minimumPercent: z.number().min(0).max(100).optional().describe('Of its share, at the beginning; default 10'),
  aggression: z.number().gt(0).optional().describe('Above 1 the share grows sooner, below 1 later; default 1'),
});

const loadBalancerSchema = z
  .strictObject({
    simple: z
      .enum(['UNSPECIFIED', 'LEAST_REQUEST', 'LEAST_CONN', 'ROUND_ROBIN', 'RANDOM', 'PASSTHROUGH'])
      .optional()
      .describe(
        'How an instance is chosen for a request. Default: LEAST_REQUEST. PASSTHROUGH, for hosts of ServiceEntries only, chooses none: the host that the caller names is looked up',
      ),
    consistentHash: consistentHashSchema
      .optional()
      .describe('The same caller meets the same instance, for as long as that is there'),
    localityLbSetting: localityLbSchema
      .optional()
      .describe(
        'Which instances come first by where they are. Without it, and with outlierDetection: the nearer ones, for as long as they are healthy',
      ),
    zoneAwareLbSetting: notYet(
      'Envoy compares the callers of each zone with the instances there, and no proxy is told where its like are: write localityLbSetting',
    ),
    warmup: warmupSchema.optional().describe('How a new instance gets its share. Default: over 30s, from 10 percent'),
    warmupDurationSecs: positiveDurationField.optional().describe('Deprecated form of warmup.duration'),
  })
  .refine(
    ({ simple, consistentHash }) => simple === undefined || consistentHash === undefined,
    'simple and consistentHash exclude each other',
  );

const outlierSchema = z
  .strictObject({ ...outlierFields, consecutiveErrors: notYet('Istio ignores it; write consecutive5xxErrors') })
  .refine(hasSplitErrors, SPLIT_ERRORS_NEEDED);

const policyBlocks = {
  loadBalancer: loadBalancerSchema.optional().describe('How callers spread requests over the instances'),
  connectionPool: connectionPoolField.optional().describe('Limits of what one caller has open and in flight'),
  outlierDetection: outlierSchema.optional().describe('When a caller stops using an instance that fails, for a time'),
  tls: clientTlsSchema.optional().describe('TLS towards the instances. Default: none'),
};

const tunnelSchema = z.strictObject({
  protocol: z
    .enum(['CONNECT', 'POST'])
    .default('CONNECT')
    .describe('What the destination is asked with to pass connections on'),
  targetHost: z.union([hostField, addressField]).describe('Where it passes them on to'),
  targetPort: portField.describe('And its port'),
});
export type Tunnel = z.output<typeof tunnelSchema>;

const proxyProtocolSchema = z.strictObject({
  version: z.enum(['V1', 'V2']).default('V1').describe('V1 is text, V2 binary'),
});

const retryBudgetSchema = z.strictObject({
  percent: z.number().min(0).max(100).optional().describe('Of the requests in flight that may be retries, default 20'),
  minRetryConcurrency: limitField.optional().describe('Retries that are always allowed, default 3'),
  budgetInterval: positiveDurationField
    .optional()
    .describe('Count the requests of so long a time. Default: those that are in flight now'),
});

const policySchema = z
  .strictObject({
    ...policyBlocks,
    portLevelSettings: z
      .array(
        z.strictObject({
          port: z.strictObject({ number: portField.describe('Its number') }).describe('Port of the service'),
          ...policyBlocks,
        }),
      )
      .optional()
      .describe('For single ports. What is left out there is the default, not what is said for all ports'),
    tunnel: tunnelSchema
      .optional()
      .describe(
        'Of TCP and TLS: the host is a proxy that is asked for another one. In a split, what the first destination says holds for all',
      ),
    proxyProtocol: proxyProtocolSchema
      .optional()
      .describe("Begin each connection with the PROXY protocol, which tells the caller's address"),
    retryBudget: retryBudgetSchema
      .optional()
      .describe(
        'Of one caller. Default: a fifth of what is in flight, and always 20; connectionPool.http.maxRetries is a fixed number',
      ),
  })
  .refine((policy) => Object.values(policy).some((block) => block !== undefined), 'a trafficPolicy must not be empty')
  .refine(
    ({ tunnel, proxyProtocol }) => tunnel === undefined || proxyProtocol === undefined,
    'tunnel and proxyProtocol exclude each other',
  );
export type TrafficPolicy = z.output<typeof policySchema>;

const subsetSchema = z.strictObject({
  name: nameField
    .or(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'a subset is named like a version'))
    .describe('What destinations call it'),
  labels: labelsField.default({}).describe('Instances that have all of these; none selects every instance'),
  trafficPolicy: policySchema.optional().describe('For this subset, over that of the whole host'),
});
export type Subset = z.output<typeof subsetSchema>;

export const destinationRuleSchema = z
  .strictObject({
    host: wildcardHostField.describe('The service: a short or full name, or one that begins with *'),
    trafficPolicy: policySchema.optional().describe('How callers balance, limit and eject'),
    subsets: z.array(subsetSchema).default([]).describe('Named parts of the instances. Every version is one already'),
    exportTo: exportToField
      .optional()
      .describe('Namespaces that see it: names, . for its own, * for all. Default: all'),
    workloadSelector: z
      .strictObject({ matchLabels: labelsField.default({}).describe('All of these') })
      .optional()
      .describe(
        'Callers of the same namespace with these labels, for whom it holds before those for all. Default: all callers',
      ),
  })
  .refine(
    ({ workloadSelector, exportTo = [] }) => workloadSelector === undefined || exportTo.every((name) => name === '.'),
    'with a workloadSelector it holds in its own namespace: leave out exportTo',
  );
export type DestinationRuleSpec = z.output<typeof destinationRuleSchema>;
