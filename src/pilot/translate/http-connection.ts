/** The HTTP connection manager of each kind of listener: what it accepts, what it cleans, what it logs. */
import { any } from '../../xds/envoy-any.js';
import type {
  ConfigSourceJson,
  FilterJson,
  HttpConnectionManagerJson,
  HttpFilterJson,
  LocalReplyConfigJson,
} from '../../xds/envoy-json.js';
import { accessLog } from './access-log.js';
import { edgeReplies } from './caller-replies.js';
import { dnsCache } from './external-clusters.js';
import { remember } from './remember.js';
import { undeliveredReplies } from './undelivered.js';
import { http2Limits } from './upstream-protocol.js';

/** Shared by all: bounds on time and size, and no header of a caller that steers Envoy. */
const common: HttpConnectionManagerJson = {
  codecType: 'AUTO',
  // Nobody is "internal", so Envoy removes the x-envoy-* headers by which a caller would steer timeouts and retries. An empty list
  // would mean all private addresses, as X-Forwarded-For gives them: this is nobody's.
  internalAddressConfig: { cidrRanges: [{ addressPrefix: '::', prefixLen: 128 }] },
  serverHeaderTransformation: 'PASS_THROUGH',
  // One id from the first caller to the last callee.
  preserveExternalRequestId: true,
  generateRequestId: true,
  normalizePath: true,
  streamErrorOnInvalidHttpMessage: true,
  maxRequestHeadersKb: 60,
  requestHeadersTimeout: '10s',
  streamIdleTimeout: '300s',
  drainTimeout: '5s',
  delayedCloseTimeout: '1s',
  upgradeConfigs: [{ upgradeType: 'websocket' }],
  http2ProtocolOptions: { ...http2Limits, connectionKeepalive: { interval: '30s', timeout: '10s' } },
};

const commonProtocol = { idleTimeout: '3600s', maxConnectionDuration: '3600s', maxHeadersCount: 100 };

export interface HttpSide {
  /** Name of the listener, for statistics and logs. */
  readonly listener: string;
  readonly routeConfig: string;
  /** Of its statistics, where that is not the listener. */
  readonly statName?: string | undefined;
  /** Of HTTP/1.0 requests without a host. */
  readonly defaultHost?: string;
  readonly isConnectAllowed: boolean;
  readonly localReplies: LocalReplyConfigJson;
}

/** From the app: every way in which an HTTP client can speak to a proxy. */
export function outboundHttp({
  listener,
  routeConfig,
  defaultHost,
  isConnectAllowed,
  localReplies,
}: Omit<HttpSide, 'statName'>): FilterJson {
  return outboundOf(localReplies, listener, routeConfig, defaultHost, isConnectAllowed);
}

/** For as long as somebody has the replies. */
const outboundOf = remember(
  (
    localReplies: LocalReplyConfigJson,
    listener: string,
    routeConfig: string,
    defaultHost: string | undefined,
    isConnectAllowed: boolean,
  ): FilterJson =>
    connectionManager({ listener, routeConfig, isConnectAllowed, localReplies }, 'outbound', {
      // The app passes on what it received; its own address is no news to anybody. (With skipXffAppend instead, Envoy would keep
      // the headers that steer it.)
      useRemoteAddress: false,
      stripTrailingHostDot: true,
      commonHttpProtocolOptions: commonProtocol,
      httpProtocolOptions: http1(defaultHost),
      ...(isConnectAllowed
        ? {
            upgradeConfigs: [{ upgradeType: 'websocket' }, { upgradeType: 'CONNECT' }],
            http2ProtocolOptions: { ...common.http2ProtocolOptions, allowConnect: true },
          }
        : {}),
      httpFilters: [...(isConnectAllowed ? [] : [noConnect]), ...byRule, lookUp, router],
    }),
);

/** From other sidecars and from anybody who has the address: paths are made canonical before policy looks at them. */
export function inboundHttp(side: Omit<HttpSide, 'localReplies' | 'isConnectAllowed'>): FilterJson {
  return connectionManager({ ...side, isConnectAllowed: false, localReplies: undeliveredReplies }, 'inbound', {
    // Who asks is who an edge before us says that it is, as in Istio: `remoteIpBlocks` mean that. `ipBlocks` mean the peer itself.
    useRemoteAddress: false,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: 'REJECT_REQUEST',
    forwardClientCertDetails: 'SANITIZE_SET',
    setCurrentClientCertDetails: { uri: true },
    commonHttpProtocolOptions: { ...commonProtocol, headersWithUnderscoresAction: 'REJECT_REQUEST' },
    httpProtocolOptions: http1(side.defaultHost),
    httpFilters: [router],
  });
}

/**
 * At the edge of the mesh, from anybody: as strict as from other sidecars, with the rules of a caller's proxy. Escaped slashes are
 * sent back to be written plainly, since browsers follow that.
 */
export function edgeHttp(side: Pick<HttpSide, 'listener' | 'routeConfig' | 'statName'>): FilterJson {
  return connectionManager({ ...side, isConnectAllowed: false, localReplies: edgeReplies }, 'inbound', {
    useRemoteAddress: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: 'UNESCAPE_AND_REDIRECT',
    stripTrailingHostDot: true,
    forwardClientCertDetails: 'SANITIZE_SET',
    setCurrentClientCertDetails: { uri: true, dns: true, subject: true },
    commonHttpProtocolOptions: { ...commonProtocol, headersWithUnderscoresAction: 'REJECT_REQUEST' },
    httpProtocolOptions: http1(undefined),
    httpFilters: [noConnect, ...byRule, lookUp, router],
  });
}

function http1(defaultHost: string | undefined): NonNullable<HttpConnectionManagerJson['httpProtocolOptions']> {
  return {
    acceptHttp10: true,
    allowAbsoluteUrl: true,
    ...(defaultHost === undefined ? {} : { defaultHostForHttp10: defaultHost }),
  };
}

function connectionManager(
  { listener, statName = listener, routeConfig, localReplies }: HttpSide,
  direction: 'inbound' | 'outbound',
  rest: HttpConnectionManagerJson,
): FilterJson {
  const statPrefix = statName.replaceAll(/[^a-zA-Z0-9-]/g, '_');
  const configSource: ConfigSourceJson = { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '5s' };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: any('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      ...common,
      ...rest,
      statPrefix,
      rds: { routeConfigName: routeConfig, configSource },
      localReplyConfig: localReplies,
      accessLog: accessLog(direction, listener),
    }),
  };
}

const router: HttpFilterJson = {
  name: 'envoy.filters.http.router',
  typedConfig: any('envoy.extensions.filters.http.router.v3.Router', {}),
};

/** Looks up the host that a request names, where it goes to that very host; it leaves all other requests alone. */
const lookUp: HttpFilterJson = {
  name: 'envoy.filters.http.dynamic_forward_proxy',
  typedConfig: any('envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig', { dnsCacheConfig: dnsCache }),
};

/** A route's own CONNECT would do it without the listener's: this one holds for all of them. */
export const noConnect: HttpFilterJson = {
  name: 'envoy.filters.http.rbac',
  typedConfig: any('envoy.extensions.filters.http.rbac.v3.RBAC', {
    rules: {
      action: 'DENY',
      policies: {
        'no-connect': {
          permissions: [{ header: { name: ':method', stringMatch: { exact: 'CONNECT' } } }],
          principals: [{ any: true }],
        },
      },
    },
  }),
};

const cors: HttpFilterJson = {
  name: 'envoy.filters.http.cors',
  typedConfig: any('envoy.extensions.filters.http.cors.v3.Cors', {}),
};

const fault: HttpFilterJson = {
  name: 'envoy.filters.http.fault',
  typedConfig: any('envoy.extensions.filters.http.fault.v3.HTTPFault', {}),
};

/** The first to see a request, and so the last to see its answer. */
const fallback: HttpFilterJson = {
  name: 'envoy.filters.http.custom_response',
  typedConfig: any('envoy.extensions.filters.http.custom_response.v3.CustomResponse', {}),
};

/** Always there, so that a rule may switch them on. */
const byRule: readonly HttpFilterJson[] = [fallback, cors, fault];
