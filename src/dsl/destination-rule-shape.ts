/** DestinationRule: what may stand in it (reference: 1.2). */
import { z } from 'zod';
import { durationField, nameField } from '../model/fields.js';
import { labelsField, positiveDurationField, wildcardHostField } from './fields.js';
import { notYet, refusedValue } from './not-yet.js';

const limitField = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const percentageField = z.int().min(0).max(100);

const loadBalancerSchema = z.strictObject({
  simple: refusedValue(
    z.enum(['UNSPECIFIED', 'LEAST_REQUEST', 'LEAST_CONN', 'ROUND_ROBIN', 'RANDOM', 'PASSTHROUGH']),
    (simple) => simple === 'PASSTHROUGH',
    'PASSTHROUGH is not supported: an explicit proxy does not know the address that the caller had in mind',
  ).optional(),
  consistentHash: notYet('balancing by hash'),
  localityLbSetting: notYet('locality'),
  zoneAwareLbSetting: notYet('locality'),
  warmup: notYet('new instances already get their share over 30s'),
  warmupDurationSecs: notYet('new instances already get their share over 30s'),
});

const tcpPoolSchema = z.strictObject({
  maxConnections: limitField.optional(),
  connectTimeout: positiveDurationField.optional(),
  tcpKeepalive: z
    .strictObject({
      probes: limitField.optional(),
      time: positiveDurationField.optional(),
      interval: positiveDurationField.optional(),
    })
    .optional(),
  maxConnectionDuration: positiveDurationField.optional(),
  /** 0s turns it off. */
  idleTimeout: durationField.optional(),
});

const httpPoolSchema = z
  .strictObject({
    http1MaxPendingRequests: limitField.optional(),
    http2MaxRequests: limitField.optional(),
    maxRequestsPerConnection: limitField.optional(),
    maxRetries: limitField.optional(),
    idleTimeout: positiveDurationField.optional(),
    h2UpgradePolicy: z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']).optional(),
    useClientProtocol: z.boolean().optional(),
    maxConcurrentStreams: limitField.optional(),
    http2KeepAlive: z.strictObject({ interval: positiveDurationField, timeout: positiveDurationField }).optional(),
  })
  .refine((pool) => pool.useClientProtocol !== true || pool.h2UpgradePolicy !== 'UPGRADE', {
    message: 'useClientProtocol and h2UpgradePolicy: UPGRADE exclude each other',
  });

const outlierSchema = z
  .strictObject({
    /** 0 turns it off. */
    consecutive5xxErrors: limitField.optional(),
    consecutiveGatewayErrors: limitField.optional(),
    splitExternalLocalOriginErrors: z.boolean().optional(),
    consecutiveLocalOriginFailures: limitField.optional(),
    interval: positiveDurationField.optional(),
    baseEjectionTime: positiveDurationField.optional(),
    maxEjectionPercent: percentageField.optional(),
    minHealthPercent: percentageField.optional(),
    outlierDetectionHttpErrorCodes: notYet('which answers count as errors'),
    consecutiveErrors: notYet('Istio ignores it; write consecutive5xxErrors'),
  })
  .refine((o) => o.consecutiveLocalOriginFailures === undefined || o.splitExternalLocalOriginErrors === true, {
    message: 'consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true',
  });

const policySchema = z
  .strictObject({
    loadBalancer: loadBalancerSchema.optional(),
    connectionPool: z.strictObject({ tcp: tcpPoolSchema.optional(), http: httpPoolSchema.optional() }).optional(),
    outlierDetection: outlierSchema.optional(),
    tls: notYet('TLS between sidecars'),
    portLevelSettings: notYet('settings per port'),
    tunnel: notYet('tunnels'),
    proxyProtocol: notYet('PROXY protocol'),
    retryBudget: notYet('a budget of 20% is always on'),
  })
  .refine((policy) => Object.values(policy).some((block) => block !== undefined), 'a trafficPolicy must not be empty');
export type TrafficPolicy = z.output<typeof policySchema>;

const subsetSchema = z.strictObject({
  name: nameField.or(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'a subset is named like a version')),
  /** All of these; none selects every endpoint. */
  labels: labelsField.default({}),
  trafficPolicy: policySchema.optional(),
});
export type Subset = z.output<typeof subsetSchema>;

export const destinationRuleSchema = z.strictObject({
  host: wildcardHostField,
  trafficPolicy: policySchema.optional(),
  subsets: z.array(subsetSchema).default([]),
  exportTo: notYet('every namespace sees it'),
  workloadSelector: notYet('it holds for every caller'),
});
export type DestinationRuleSpec = z.output<typeof destinationRuleSchema>;
