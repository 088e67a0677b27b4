/** DestinationRule: what may stand in it (reference: 1.2). */
import { z } from 'zod';
import { durationField, labelsField, nameField, portField } from '../model/fields.js';
import { clientTlsSchema } from './client-tls.js';
import {
  addressField,
  countField,
  exportToField,
  hostField,
  positiveDurationField,
  wildcardHostField,
} from './fields.js';
import { localityLbSchema } from './locality-lb.js';
import { notYet } from './not-yet.js';

const limitField = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const percentageField = z.int().min(0).max(100);

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

const tcpPoolSchema = z.strictObject({
  maxConnections: limitField.optional().describe('Connections of one caller at most, default 1024'),
  connectTimeout: positiveDurationField.optional().describe('Until a connection stands, default 1s'),
  tcpKeepalive: z
    .strictObject({
      probes: limitField.optional().describe('Unanswered probes after which the connection is dead'),
      time: positiveDurationField.optional().describe('Idle time before the first probe'),
      interval: positiveDurationField.optional().describe('From one probe to the next'),
    })
    .optional()
    .describe("The kernel's keep-alive; what is left out stays as the kernel has it"),
  maxConnectionDuration: positiveDurationField.optional().describe('Age at which a connection is closed'),
  idleTimeout: durationField.optional().describe('Idle time after which a TCP connection is closed; 0s is never'),
});

const httpPoolSchema = z
  .strictObject({
    http1MaxPendingRequests: limitField
      .optional()
      .describe('Requests of one caller that wait for a connection at most, default 256'),
    http2MaxRequests: limitField.optional().describe('Requests of one caller in flight at most, default 1024'),
    maxRequestsPerConnection: limitField.optional().describe('After so many a connection is closed; 0 is no limit'),
    maxRetries: limitField
      .optional()
      .describe('Retries of one caller in flight at most. Default: a fifth of its requests, and always 20'),
    idleTimeout: positiveDurationField.optional().describe('Idle time after which a connection is closed'),
    h2UpgradePolicy: z
      .enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'])
      .optional()
      .describe('UPGRADE speaks HTTP/2 to instances of a service whose protocol is http'),
    useClientProtocol: z.boolean().optional().describe('Speak to instances what the caller spoke'),
    maxConcurrentStreams: limitField.optional().describe('Streams at a time on an HTTP/2 connection'),
    http2KeepAlive: z
      .strictObject({
        interval: positiveDurationField.describe('From one ping to the next'),
        timeout: positiveDurationField.describe('A ping unanswered for so long closes the connection'),
      })
      .optional()
      .describe('Pings on HTTP/2 connections'),
  })
  .refine((pool) => pool.useClientProtocol !== true || pool.h2UpgradePolicy !== 'UPGRADE', {
    message: 'useClientProtocol and h2UpgradePolicy: UPGRADE exclude each other',
  });

const outlierSchema = z
  .strictObject({
    consecutive5xxErrors: limitField.optional().describe('Answers 5xx in a row that eject, default 5; 0 turns it off'),
    consecutiveGatewayErrors: limitField.optional().describe('Answers 502, 503, 504 in a row that eject. Default: off'),
    splitExternalLocalOriginErrors: z
      .boolean()
      .optional()
      .describe('Count failures to connect apart from error answers'),
    consecutiveLocalOriginFailures: limitField
      .optional()
      .describe('Failures to connect in a row that eject, default 5; needs splitExternalLocalOriginErrors'),
    interval: positiveDurationField.optional().describe('How often ejected instances are looked at, default 10s'),
    baseEjectionTime: positiveDurationField
      .optional()
      .describe('Time out for the first ejection, default 30s; it grows with each further one'),
    maxEjectionPercent: percentageField.optional().describe('Share of the instances out at most, default 50'),
    minHealthPercent: percentageField
      .optional()
      .describe('With a smaller share of healthy instances all of them are used, default 50'),
    outlierDetectionHttpErrorCodes: z
      .array(z.int().min(100).max(599))
      .min(1)
      .optional()
      .describe('Of HTTP: answers that count as errors, in place of all 5xx'),
    consecutiveErrors: notYet('Istio ignores it; write consecutive5xxErrors'),
  })
  .refine((o) => o.consecutiveLocalOriginFailures === undefined || o.splitExternalLocalOriginErrors === true, {
    message: 'consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true',
  });

export const connectionPoolField = z
  .strictObject({
    tcp: tcpPoolSchema.optional().describe('Of every connection'),
    http: httpPoolSchema.optional().describe('Of HTTP and gRPC'),
  })
  .refine(({ tcp, http }) => tcp !== undefined || http !== undefined, 'a connectionPool needs tcp or http');

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
