/** How an Envoy cluster speaks HTTP to its endpoints. */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { protoDuration } from '../../model/duration.js';
import { durationMs, type Protocol } from '../../model/fields.js';
import { any } from '../../xds/envoy-any.js';
import type { ClusterJson, Http2ProtocolOptionsJson } from '../../xds/envoy-json.js';

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

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

export function upstreamProtocol(protocol: Protocol, life: ConnectionLife, pool?: HttpPool): ClusterJson {
  if (protocol === 'tcp') return {};
  const http2 = { ...http2Limits, ...http2Settings(pool) };
  return {
    typedExtensionProtocolOptions: {
      [OPTIONS]: any(OPTIONS, {
        commonHttpProtocolOptions: {
          idleTimeout: protoDuration(life.idleMs),
          // Never 0s, which closes every connection at once.
          ...(life.maxMs === undefined ? {} : { maxConnectionDuration: protoDuration(life.maxMs) }),
          ...(life.maxRequests === undefined ? {} : { maxRequestsPerConnection: life.maxRequests }),
        },
        ...spoken(protocol, pool, http2),
      }),
    },
  };
}

function spoken(
  protocol: Exclude<Protocol, 'tcp'>,
  pool: HttpPool | undefined,
  http2: Http2ProtocolOptionsJson,
): object {
  if (pool?.useClientProtocol === true)
    return { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } };
  const isHttp2 = protocol !== 'http' || pool?.h2UpgradePolicy === 'UPGRADE';
  return { explicitHttpConfig: isHttp2 ? { http2ProtocolOptions: http2 } : { httpProtocolOptions: {} } };
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
