/** How callers balance over, limit and eject the instances of a service: our defaults, and what a DestinationRule puts in their place. */
import type { ConsistentHash, TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs } from '../../model/fields.js';
import type {
  CircuitBreakers_ThresholdsJson,
  CircuitBreakersJson,
  Cluster_SlowStartConfigJson,
  ClusterJson,
  OutlierDetectionJson,
  UpstreamConnectionOptionsJson,
} from '../../xds/envoy-json.js';
import { areSharesByPlace } from './locality.js';

type ConnectionPool = NonNullable<TrafficPolicy['connectionPool']>;
type Outlier = NonNullable<TrafficPolicy['outlierDetection']>;

const CONNECT_TIMEOUT = '1s';
const PANIC_PERCENT = 50;

export function trafficPolicy(policy: TrafficPolicy | undefined): ClusterJson {
  const { connectionPool: pool, outlierDetection: outlier } = policy ?? {};
  const keepalive = tcpKeepalive(pool?.tcp?.tcpKeepalive);
  return {
    connectTimeout: duration(pool?.tcp?.connectTimeout) ?? CONNECT_TIMEOUT,
    ...balancing(policy?.loadBalancer),
    commonLbConfig: {
      // Below this share of healthy instances all of them are used: many that vanish at once are more often the registry's
      // trouble than theirs. Who writes an outlier detection gets Istio's: none, unless it says `minHealthPercent`.
      healthyPanicThreshold: { value: outlier === undefined ? PANIC_PERCENT : (outlier.minHealthPercent ?? 0) },
      updateMergeWindow: '0.5s',
      ...(areSharesByPlace(policy) ? { localityWeightedLbConfig: {} } : {}),
    },
    circuitBreakers: circuitBreakers(pool, policy?.retryBudget),
    outlierDetection: outlier === undefined ? defaultOutlier : outlierDetection(outlier),
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: keepalive }),
  };
}

type LoadBalancer = NonNullable<TrafficPolicy['loadBalancer']>;

const WARMUP = '30s';
const WARMUP_MIN_PERCENT = 10;

/** A new instance gets its share over half a minute, if nothing else is said: runtimes start cold. */
function slowStart(balancer: LoadBalancer | undefined): { slowStartConfig: Cluster_SlowStartConfigJson } {
  const { warmup, warmupDurationSecs } = balancer ?? {};
  return {
    slowStartConfig: {
      slowStartWindow: duration(warmup?.duration ?? warmupDurationSecs) ?? WARMUP,
      minWeightPercent: { value: warmup?.minimumPercent ?? WARMUP_MIN_PERCENT },
      ...(warmup?.aggression === undefined
        ? {}
        : { aggression: { defaultValue: warmup.aggression, runtimeKey: 'mesh.warmup_aggression' } }),
    },
  };
}

function balancing(balancer: LoadBalancer | undefined): ClusterJson {
  if (balancer?.consistentHash !== undefined) return hashing(balancer.consistentHash);
  switch (balancer?.simple) {
    case undefined:
    case 'UNSPECIFIED':
    case 'LEAST_REQUEST':
    case 'LEAST_CONN':
    case 'PASSTHROUGH': // an external cluster without endpoints; of a service of ours it was refused when it was applied
      return { lbPolicy: 'LEAST_REQUEST', leastRequestLbConfig: { choiceCount: 2, ...slowStart(balancer) } };
    case 'ROUND_ROBIN':
      return { lbPolicy: 'ROUND_ROBIN', roundRobinLbConfig: slowStart(balancer) };
    case 'RANDOM':
      return { lbPolicy: 'RANDOM' };
  }
}

const MIN_RING_SIZE = 1024;

/** What is hashed stands in the routes (hash-policy.ts). */
function hashing({ ringHash, maglev, minimumRingSize }: ConsistentHash): ClusterJson {
  if (maglev !== undefined) {
    const { tableSize } = maglev;
    return {
      lbPolicy: 'MAGLEV',
      ...(tableSize === undefined ? {} : { maglevLbConfig: { tableSize: String(tableSize) } }),
    };
  }
  const size = limit(ringHash?.minimumRingSize ?? minimumRingSize) ?? MIN_RING_SIZE;
  return { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: String(size) } };
}

/**
 * A fifth of what is in flight, and always 20: a caller with eight requests in flight on a connection that dies retries all eight
 * at the same instant, and with Envoy's floor of 3 the others would fail though a healthy instance stands by (seen: 3 of 8).
 */
const RETRY_BUDGET = { budgetPercent: { value: 20 }, minRetryConcurrency: 20 };

/** Envoy takes a budget in place of a fixed number: ours stands only where neither is written. */
function retryBudget(
  budget: TrafficPolicy['retryBudget'],
  maxRetries: number | undefined,
): Pick<CircuitBreakers_ThresholdsJson, 'retryBudget'> {
  if (budget === undefined) return maxRetries === undefined ? { retryBudget: RETRY_BUDGET } : {};
  const { percent, minRetryConcurrency, budgetInterval } = budget;
  return {
    retryBudget: {
      // Istio's defaults, for whoever asks for a budget of its own.
      budgetPercent: { value: percent ?? 20 },
      minRetryConcurrency: minRetryConcurrency ?? 3,
      ...(budgetInterval === undefined ? {} : { budgetInterval: protoDuration(durationMs(budgetInterval)) }),
    },
  };
}

function circuitBreakers(pool: ConnectionPool | undefined, budget: TrafficPolicy['retryBudget']): CircuitBreakersJson {
  const maxRetries = limit(pool?.http?.maxRetries);
  return {
    thresholds: [
      {
        priority: 'DEFAULT',
        maxConnections: limit(pool?.tcp?.maxConnections) ?? 1024,
        maxPendingRequests: limit(pool?.http?.http1MaxPendingRequests) ?? 256,
        maxRequests: limit(pool?.http?.http2MaxRequests) ?? 1024,
        trackRemaining: true,
        ...(maxRetries === undefined ? {} : { maxRetries }),
        ...retryBudget(budget, maxRetries),
      },
    ],
    perHostThresholds: [{ maxConnections: 256 }],
  };
}

/** Istio writes 0 for "the default". */
function limit(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

const ENFORCED = 100;

/** For services of few instances, which never come near Envoy's own minimums. */
const defaultOutlier: OutlierDetectionJson = {
  consecutive5xx: 5,
  enforcingConsecutive5xx: ENFORCED,
  consecutiveGatewayFailure: 5,
  enforcingConsecutiveGatewayFailure: ENFORCED,
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 3,
  interval: '5s',
  baseEjectionTime: '15s',
  maxEjectionTime: '180s',
  maxEjectionTimeJitter: '5s',
  maxEjectionPercent: 50,
  successRateMinimumHosts: 4,
  successRateRequestVolume: 50,
  successRateStdevFactor: 1900,
  enforcingFailurePercentage: ENFORCED,
  failurePercentageThreshold: 50,
  failurePercentageMinimumHosts: 3,
  failurePercentageRequestVolume: 30,
  successfulActiveHealthCheckUnejectHost: false,
};

/** Istio's meaning of what is left out, except for the share that may be ejected: Envoy's 10 % ejects nobody out of fewer than ten. */
function outlierDetection(outlier: Outlier): OutlierDetectionJson {
  const is5xx = outlier.consecutive5xxErrors !== 0;
  const gateway = outlier.consecutiveGatewayErrors;
  return {
    consecutive5xx: limit(outlier.consecutive5xxErrors) ?? 5,
    enforcingConsecutive5xx: is5xx ? ENFORCED : 0,
    ...(gateway === undefined
      ? { enforcingConsecutiveGatewayFailure: 0 }
      : {
          consecutiveGatewayFailure: limit(gateway) ?? 5,
          enforcingConsecutiveGatewayFailure: gateway === 0 ? 0 : ENFORCED,
        }),
    ...(outlier.splitExternalLocalOriginErrors === true
      ? {
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailure: outlier.consecutiveLocalOriginFailures ?? 5,
          enforcingConsecutiveLocalOriginFailure: ENFORCED,
          enforcingLocalOriginSuccessRate: 0,
        }
      : {}),
    interval: duration(outlier.interval) ?? '10s',
    baseEjectionTime: duration(outlier.baseEjectionTime) ?? '30s',
    maxEjectionPercent: outlier.maxEjectionPercent ?? 50,
    enforcingSuccessRate: 0,
  };
}

export function tcpKeepalive(
  keepalive: NonNullable<ConnectionPool['tcp']>['tcpKeepalive'],
): UpstreamConnectionOptionsJson | undefined {
  if (keepalive === undefined) return undefined;
  const { probes, time, interval } = keepalive;
  return {
    tcpKeepalive: {
      ...(probes === undefined ? {} : { keepaliveProbes: probes }),
      ...(time === undefined ? {} : { keepaliveTime: wholeSeconds(time) }),
      ...(interval === undefined ? {} : { keepaliveInterval: wholeSeconds(interval) }),
    },
  };
}

/** The kernel counts in seconds. */
function wholeSeconds(text: string): number {
  return Math.max(1, Math.round(durationMs(text) / 1000));
}

function duration(text: string | undefined): string | undefined {
  return text === undefined ? undefined : protoDuration(durationMs(text));
}
