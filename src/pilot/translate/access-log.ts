import { any } from '../../xds/envoy-any.js';
import type { AccessLogJson } from '../../xds/envoy-json.js';

/** One JSON line per request to the sidecar's stdout, which `mesh logs --access` shows. */
export function accessLog(direction: 'inbound' | 'outbound', listener: string): AccessLogJson[] {
  return [
    {
      name: 'envoy.access_loggers.stdout',
      typedConfig: any('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
        logFormat: {
          jsonFormat: {
            ts: '%START_TIME%',
            direction,
            listener,
            method: '%REQ(:METHOD)%',
            authority: '%REQ(:AUTHORITY)%',
            path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
            protocol: '%PROTOCOL%',
            code: '%RESPONSE_CODE%',
            flags: '%RESPONSE_FLAGS%',
            details: '%RESPONSE_CODE_DETAILS%',
            grpc: '%GRPC_STATUS%',
            dur_ms: '%DURATION%',
            req_id: '%REQ(X-REQUEST-ID)%',
            trace: '%REQ(TRACEPARENT)%',
            route: '%ROUTE_NAME%',
            upstream: '%UPSTREAM_CLUSTER_RAW%',
            host: '%UPSTREAM_HOST%',
            attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
            failure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
            peer: '%DOWNSTREAM_REMOTE_ADDRESS%',
            bytes_in: '%BYTES_RECEIVED%',
            bytes_out: '%BYTES_SENT%',
            // What an AuthorizationPolicy with action AUDIT has noted.
            ...(direction === 'inbound' ? { audit: '%DYNAMIC_METADATA(envoy.common:access_log_hint)%' } : {}),
          },
        },
      }),
    },
  ];
}
