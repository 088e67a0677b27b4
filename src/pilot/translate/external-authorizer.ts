/** Services that judge what CUSTOM policies select: Envoy's external authorization, as extension providers of the Mesh say it. */
import type { ExtensionProvider } from '../../model/extension-provider.js';
import { durationMs } from '../../model/fields.js';
import { any } from '../../xds/envoy-any.js';
import type { ExtAuthzJson, FilterJson, HttpFilterJson, StringMatcherJson } from '../../xds/envoy-json.js';
import { grpcTo, hostOf } from './reaching.js';

export const SHADOW_PREFIX = 'istio_ext_authz_';

/** Name of a rule whose requests a provider judges. */
export function judged(provider: string, rule: string): string {
  return `istio-ext-authz-${provider}-${rule}`;
}

/** Undefined: it does not judge requests. */
export function askAboutRequests(provider: ExtensionProvider, cluster: string): HttpFilterJson | undefined {
  const { name, envoyExtAuthzGrpc: grpc, envoyExtAuthzHttp: http } = provider;
  const common = grpc ?? http;
  if (common === undefined) return undefined;
  const { failOpen, clearRouteCache, statusOnError, includeRequestBodyInCheck: body } = common;
  const asked: ExtAuthzJson = grpc === undefined ? {} : { grpcService: grpcService(grpc, cluster) };
  return {
    name: 'envoy.filters.http.ext_authz',
    typedConfig: any('envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
      transportApiVersion: 'V3',
      ...asked,
      ...(http === undefined ? {} : byHttp(http, cluster)),
      filterEnabledMetadata: whereRulesHold(name, 'envoy.filters.http.rbac'),
      statusOnError: { code: statusOnError as unknown as 'Forbidden' }, // proto3 JSON has enums as numbers too
      ...(failOpen ? { failureModeAllow: true } : {}),
      ...(clearRouteCache ? { clearRouteCache: true } : {}),
      ...(body === undefined ? {} : { withRequestBody: body }),
    }),
  };
}

/** Undefined: it does not judge connections. */
export function askAboutConnections(
  { name, envoyExtAuthzGrpc: grpc }: ExtensionProvider,
  cluster: string,
): FilterJson | undefined {
  if (grpc === undefined) return undefined;
  return {
    name: 'envoy.filters.network.ext_authz',
    typedConfig: any('envoy.extensions.filters.network.ext_authz.v3.ExtAuthz', {
      statPrefix: 'tcp.',
      transportApiVersion: 'V3',
      grpcService: grpcService(grpc, cluster),
      filterEnabledMetadata: whereRulesHold(name, 'envoy.filters.network.rbac'),
      ...(grpc.failOpen ? { failureModeAllow: true } : {}),
    }),
  };
}

/** With the bracket, so that of providers a and a-b only the one that is meant is asked. */
function whereRulesHold(provider: string, filter: string): NonNullable<ExtAuthzJson['filterEnabledMetadata']> {
  return {
    filter,
    path: [{ key: `${SHADOW_PREFIX}shadow_effective_policy_id` }],
    value: { stringMatch: { prefix: judged(provider, 'ns[') } },
  };
}

function grpcService(
  { timeout }: NonNullable<ExtensionProvider['envoyExtAuthzGrpc']>,
  cluster: string,
): NonNullable<ExtAuthzJson['grpcService']> {
  return { envoyGrpc: grpcTo(cluster), timeout: seconds(timeout) };
}

function byHttp(http: NonNullable<ExtensionProvider['envoyExtAuthzHttp']>, cluster: string): ExtAuthzJson {
  const { pathPrefix, timeout, includeRequestHeadersInCheck: sent, includeAdditionalHeadersInCheck: added } = http;
  const headersToAdd = Object.entries(added).map(([key, value]) => ({ key, value }));
  const response = {
    ...listed('allowedUpstreamHeaders', http.headersToUpstreamOnAllow),
    ...listed('allowedClientHeaders', http.headersToDownstreamOnDeny),
    ...listed('allowedClientHeadersOnSuccess', http.headersToDownstreamOnAllow),
  };
  return {
    ...listed('allowedHeaders', sent),
    httpService: {
      serverUri: { uri: `http://${hostOf(cluster)}`, cluster, timeout: seconds(timeout) },
      ...(pathPrefix === undefined ? {} : { pathPrefix }),
      ...(headersToAdd.length === 0 ? {} : { authorizationRequest: { headersToAdd } }),
      ...(Object.keys(response).length === 0 ? {} : { authorizationResponse: response }),
    },
  };
}

function listed<Key extends string>(
  key: Key,
  names: readonly string[],
): { readonly [K in Key]?: { readonly patterns: StringMatcherJson[] } } {
  if (names.length === 0) return {};
  return { [key]: { patterns: names.map(headerName) } } as { [K in Key]: { patterns: StringMatcherJson[] } }; // of this key
}

function headerName(name: string): StringMatcherJson {
  if (name === '*') return { safeRegex: { regex: '.*' } };
  if (name.startsWith('*')) return { suffix: name.slice(1), ignoreCase: true };
  return name.endsWith('*') ? { prefix: name.slice(0, -1), ignoreCase: true } : { exact: name, ignoreCase: true };
}

function seconds(duration: string): string {
  return `${durationMs(duration) / 1000}s`;
}
