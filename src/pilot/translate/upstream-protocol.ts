/** How an Envoy cluster speaks HTTP to its endpoints. */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs, type Protocol } from '../../model/fields.js';
import { any, type EnvoyExtensions } from '../../xds/envoy-any.js';
import type {
  ClusterJson,
  Http2ProtocolOptionsJson,
  MatchPredicateJson,
  UpstreamHttpProtocolOptionsJson,
} from '../../xds/envoy-json.js';

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

type HttpProtocolOptionsJson = EnvoyExtensions[typeof OPTIONS];
type HttpPool = NonNullable<NonNullable<TrafficPolicy['connectionPool']>['http']>;

/** Bounded windows: one slow reader must not hold a megabyte in every sidecar on the way. */
export const http2Limits: Http2ProtocolOptionsJson = {
  maxConcurrentStreams: 100,
  initialStreamWindowSize: 65_536,
  initialConnectionWindowSize: 1_048_576,
};

export interface ConnectionLife {
  /** Milliseconds without a request. */
  readonly idleMs: number;
  readonly maxMs: number | undefined;
  readonly maxRequests: number | undefined;
}

export interface HttpPolicy {
  readonly pool?: HttpPool | undefined;
  /** What TLS asks of each request's host. */
  readonly byHost?: UpstreamHttpProtocolOptionsJson | undefined;
  /** Answers that count as errors, in place of all 5xx. */
  readonly errorCodes?: readonly number[] | undefined;
}

export function upstreamProtocol(
  protocol: Protocol,
  life: ConnectionLife,
  { pool, byHost, errorCodes }: HttpPolicy = {},
): ClusterJson {
  // CONNECT names a host too: what TLS asks of it holds for the bytes inside.
  if (protocol === 'tcp') return byHost === undefined ? {} : options({ ...spoken('http'), ...named(byHost) });
  const http2 = { ...http2Limits, ...http2Settings(pool) };
  return options({
    commonHttpProtocolOptions: {
      idleTimeout: protoDuration(life.idleMs),
      // Never 0s, which closes every connection at once.
      ...(life.maxMs === undefined ? {} : { maxConnectionDuration: protoDuration(life.maxMs) }),
      ...(life.maxRequests === undefined ? {} : { maxRequestsPerConnection: life.maxRequests }),
    },
    ...spoken(protocol, pool, http2),
    ...named(byHost),
    ...(errorCodes === undefined ? {} : { outlierDetection: { errorMatcher: anyStatus(errorCodes) } }),
  });
}

function options(json: HttpProtocolOptionsJson): ClusterJson {
  return { typedExtensionProtocolOptions: { [OPTIONS]: any(OPTIONS, json) } };
}

function named(byHost: UpstreamHttpProtocolOptionsJson | undefined) {
  return byHost === undefined ? {} : { upstreamHttpProtocolOptions: byHost };
}

/** Envoy wants at least two rules in an `or`. */
function anyStatus(codes: readonly number[]): MatchPredicateJson {
  const rules = codes.map(
    (code): MatchPredicateJson => ({
      httpResponseHeadersMatch: { headers: [{ name: ':status', stringMatch: { exact: String(code) } }] },
    }),
  );
  const [only, ...others] = rules;
  return only !== undefined && others.length === 0 ? only : { orMatch: { rules } };
}

function spoken(
  protocol: Exclude<Protocol, 'tcp'>,
  pool?: HttpPool,
  http2: Http2ProtocolOptionsJson = http2Limits,
): HttpProtocolOptionsJson {
  if (pool?.useClientProtocol === true)
    return { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } };
  return {
    explicitHttpConfig: isHttp2(protocol, pool) ? { http2ProtocolOptions: http2 } : { httpProtocolOptions: {} },
  };
}

/** Is HTTP/2 spoken to the instances, whatever the caller speaks? */
export function isHttp2(protocol: Protocol, pool: HttpPool | undefined): boolean {
  if (protocol === 'tcp' || pool?.useClientProtocol === true) return false;
  return protocol !== 'http' || pool?.h2UpgradePolicy === 'UPGRADE';
}

function http2Settings(pool: HttpPool | undefined): Http2ProtocolOptionsJson {
  const keepAlive = pool?.http2KeepAlive;
  return {
    ...(pool?.maxConcurrentStreams ? { maxConcurrentStreams: pool.maxConcurrentStreams } : {}),
    ...(keepAlive === undefined
      ? {}
      : {
          connectionKeepalive: {
            interval: protoDuration(durationMs(keepAlive.interval)),
            timeout: protoDuration(durationMs(keepAlive.timeout)),
          },
        }),
  };
}
