/** What one caller has open, and when it stops using an instance: the same for a destination and for the whole mesh (reference: 1.2). */
import { z } from 'zod';
import { durationField, positiveDurationField } from './fields.js';

export const limitField = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const percentageField = z.int().min(0).max(100);

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

export const connectionPoolField = z
  .strictObject({
    tcp: tcpPoolSchema.optional().describe('Of every connection'),
    http: httpPoolSchema.optional().describe('Of HTTP and gRPC'),
  })
  .refine(({ tcp, http }) => tcp !== undefined || http !== undefined, 'a connectionPool needs tcp or http');

/** Of an outlier detection. */
export const outlierFields = {
  consecutive5xxErrors: limitField.optional().describe('Answers 5xx in a row that eject, default 5; 0 turns it off'),
  consecutiveGatewayErrors: limitField.optional().describe('Answers 502, 503, 504 in a row that eject. Default: off'),
  splitExternalLocalOriginErrors: z.boolean().optional().describe('Count failures to connect apart from error answers'),
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
    .describe('With a smaller share of healthy instances all of them are used. Default: never'),
  outlierDetectionHttpErrorCodes: z
    .array(z.int().min(100).max(599))
    .min(1)
    .optional()
    .describe('Of HTTP: answers that count as errors, in place of all 5xx'),
};

export function hasSplitErrors(outlier: {
  readonly consecutiveLocalOriginFailures?: number | undefined;
  readonly splitExternalLocalOriginErrors?: boolean | undefined;
}): boolean {
  return outlier.consecutiveLocalOriginFailures === undefined || outlier.splitExternalLocalOriginErrors === true;
}

export const SPLIT_ERRORS_NEEDED = 'consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true';
