/** Extensions by full name, so that what goes into a `typedConfig` is checked by the compiler like everything around it. */
import type { AnyJson } from '@bufbuild/protobuf/wkt';
import type { OpenTelemetryConfigJson } from './generated/envoy/config/trace/v3/opentelemetry_pb.js';
import type { ZipkinConfigJson } from './generated/envoy/config/trace/v3/zipkin_pb.js';
import type { FileAccessLogJson } from './generated/envoy/extensions/access_loggers/file/v3/file_pb.js';
import type { ExpressionFilterJson } from './generated/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js';
import type { HttpGrpcAccessLogConfigJson } from './generated/envoy/extensions/access_loggers/grpc/v3/als_pb.js';
import type { StdoutAccessLogJson } from './generated/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import type { ClusterConfigJson } from './generated/envoy/extensions/clusters/aggregate/v3/cluster_pb.js';
import type { ClusterConfigJson as DynamicForwardProxyClusterJson } from './generated/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js';
import type { MinimumClustersValidatorJson } from './generated/envoy/extensions/config/validators/minimum_clusters/v3/minimum_clusters_pb.js';
import type { BufferJson, BufferPerRouteJson } from './generated/envoy/extensions/filters/http/buffer/v3/buffer_pb.js';
import type { CompressorJson } from './generated/envoy/extensions/filters/http/compressor/v3/compressor_pb.js';
import type { CorsJson, CorsPolicyJson } from './generated/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import type { CustomResponseJson } from './generated/envoy/extensions/filters/http/custom_response/v3/custom_response_pb.js';
import type { FilterConfigJson as DynamicForwardProxyJson } from './generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js';
import type {
  ExtAuthzJson,
  ExtAuthzPerRouteJson,
} from './generated/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js';
import type { HTTPFaultJson } from './generated/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import type { FilterConfigJson } from './generated/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js';
import type {
  HeaderMutationJson as FiltersHttpHeaderMutationHeaderMutationJson,
  HeaderMutationPerRouteJson,
} from './generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import type { HealthCheckJson } from './generated/envoy/extensions/filters/http/health_check/v3/health_check_pb.js';
import type {
  JwtAuthenticationJson,
  PerRouteConfigJson,
} from './generated/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import type { LocalRateLimitJson as FiltersHttpLocalRatelimitLocalRateLimitJson } from './generated/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js';
import type { LuaJson, LuaPerRouteJson } from './generated/envoy/extensions/filters/http/lua/v3/lua_pb.js';
import type { RateLimitJson } from './generated/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js';
import type {
  RBACJson as FiltersHttpRbacRBACJson,
  RBACPerRouteJson,
} from './generated/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import type { RouterJson } from './generated/envoy/extensions/filters/http/router/v3/router_pb.js';
import type { ConfigJson } from './generated/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb.js';
import type {
  StatefulSessionJson,
  StatefulSessionPerRouteJson,
} from './generated/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js';
import type { WasmJson as HttpWasmJson } from './generated/envoy/extensions/filters/http/wasm/v3/wasm_pb.js';
import type { HttpInspectorJson } from './generated/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import type { OriginalDstJson } from './generated/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js';
import type { ProxyProtocolJson } from './generated/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js';
import type { TlsInspectorJson } from './generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import type { ExtAuthzJson as FiltersNetworkExtAuthzJson } from './generated/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js';
import type { HttpConnectionManagerJson } from './generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { LocalRateLimitJson as FiltersNetworkLocalRatelimitLocalRateLimitJson } from './generated/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js';
import type { RBACJson as FiltersNetworkRbacRBACJson } from './generated/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import type { TcpProxyJson } from './generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import type { WasmJson as NetworkWasmJson } from './generated/envoy/extensions/filters/network/wasm/v3/wasm_pb.js';
import type { CelJson } from './generated/envoy/extensions/formatter/cel/v3/cel_pb.js';
import type { LocalResponsePolicyJson } from './generated/envoy/extensions/http/custom_response/local_response_policy/v3/local_response_policy_pb.js';
import type { HeaderMutationJson as HttpEarlyHeaderMutationHeaderMutationHeaderMutationJson } from './generated/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js';
import type { CookieBasedSessionStateJson } from './generated/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js';
import type { HeaderBasedSessionStateJson } from './generated/envoy/extensions/http/stateful_session/header/v3/header_pb.js';
import type { LeastRequestJson } from './generated/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js';
import type { RingHashJson } from './generated/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js';
import type { RoundRobinJson } from './generated/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js';
import type { WrrLocalityJson } from './generated/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.js';
import type { UriTemplateMatchConfigJson } from './generated/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js';
import type { UriTemplateRewriteConfigJson } from './generated/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js';
import type { UuidRequestIdConfigJson } from './generated/envoy/extensions/request_id/uuid/v3/uuid_pb.js';
import type { DownstreamConnectionsConfigJson } from './generated/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js';
import type { FixedHeapConfigJson } from './generated/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.js';
import type { PreviousHostsPredicateJson } from './generated/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js';
import type { PreviousPrioritiesConfigJson } from './generated/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import type { ProxyProtocolUpstreamTransportJson } from './generated/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js';
import type { RawBufferJson } from './generated/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js';
import type {
  DownstreamTlsContextJson,
  UpstreamTlsContextJson,
} from './generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { HttpProtocolOptionsJson } from './generated/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import type { HttpResponseStatusCodeMatchInputJson } from './generated/envoy/type/matcher/v3/status_code_input_pb.js';
import type { TypedStructJson } from './generated/xds/type/v3/typed_struct_pb.js';

export type { AnyJson };

/** Add a line for a message of `envoy-proto-entries.txt` when a translator needs it. */
export interface EnvoyExtensions {
  'envoy.extensions.filters.network.wasm.v3.Wasm': NetworkWasmJson;
  'envoy.extensions.filters.http.wasm.v3.Wasm': HttpWasmJson;
  'xds.type.v3.TypedStruct': TypedStructJson;
  'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig': UuidRequestIdConfigJson;
  'envoy.extensions.formatter.cel.v3.Cel': CelJson;
  'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter': ExpressionFilterJson;
  'envoy.config.trace.v3.ZipkinConfig': ZipkinConfigJson;
  'envoy.config.trace.v3.OpenTelemetryConfig': OpenTelemetryConfigJson;
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': HttpConnectionManagerJson;
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': TcpProxyJson;
  'envoy.extensions.filters.network.rbac.v3.RBAC': FiltersNetworkRbacRBACJson;
  'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz': FiltersNetworkExtAuthzJson;
  'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit': FiltersNetworkLocalRatelimitLocalRateLimitJson;
  'envoy.extensions.filters.http.router.v3.Router': RouterJson;
  'envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig': DynamicForwardProxyJson;
  'envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig': DynamicForwardProxyClusterJson;
  'envoy.extensions.filters.http.rbac.v3.RBAC': FiltersHttpRbacRBACJson;
  'envoy.extensions.filters.http.rbac.v3.RBACPerRoute': RBACPerRouteJson;
  'envoy.extensions.filters.http.fault.v3.HTTPFault': HTTPFaultJson;
  'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit': FiltersHttpLocalRatelimitLocalRateLimitJson;
  'envoy.extensions.filters.http.ratelimit.v3.RateLimit': RateLimitJson;
  'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication': JwtAuthenticationJson;
  'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig': PerRouteConfigJson;
  'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz': ExtAuthzJson;
  'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute': ExtAuthzPerRouteJson;
  'envoy.extensions.filters.http.cors.v3.Cors': CorsJson;
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': CorsPolicyJson;
  'envoy.extensions.filters.http.custom_response.v3.CustomResponse': CustomResponseJson;
  'envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy': LocalResponsePolicyJson;
  'envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput': HttpResponseStatusCodeMatchInputJson;
  'envoy.extensions.filters.http.lua.v3.Lua': LuaJson;
  'envoy.extensions.filters.http.lua.v3.LuaPerRoute': LuaPerRouteJson;
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation': FiltersHttpHeaderMutationHeaderMutationJson;
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute': HeaderMutationPerRouteJson;
  'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig': FilterConfigJson;
  'envoy.extensions.filters.http.health_check.v3.HealthCheck': HealthCheckJson;
  'envoy.extensions.filters.http.buffer.v3.Buffer': BufferJson;
  'envoy.extensions.filters.http.buffer.v3.BufferPerRoute': BufferPerRouteJson;
  'envoy.extensions.filters.http.compressor.v3.Compressor': CompressorJson;
  'envoy.extensions.filters.http.set_metadata.v3.Config': ConfigJson;
  'envoy.extensions.filters.http.stateful_session.v3.StatefulSession': StatefulSessionJson;
  'envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute': StatefulSessionPerRouteJson;
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': OriginalDstJson;
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': TlsInspectorJson;
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': HttpInspectorJson;
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': ProxyProtocolJson;
  'envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState': CookieBasedSessionStateJson;
  'envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState': HeaderBasedSessionStateJson;
  'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation': HttpEarlyHeaderMutationHeaderMutationHeaderMutationJson;
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': HttpProtocolOptionsJson;
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': UpstreamTlsContextJson;
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': DownstreamTlsContextJson;
  'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport': ProxyProtocolUpstreamTransportJson;
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': RawBufferJson;
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': FileAccessLogJson;
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': StdoutAccessLogJson;
  'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig': HttpGrpcAccessLogConfigJson;
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate': PreviousHostsPredicateJson;
  'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig': PreviousPrioritiesConfigJson;
  'envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash': RingHashJson;
  'envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin': RoundRobinJson;
  'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest': LeastRequestJson;
  'envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality': WrrLocalityJson;
  'envoy.extensions.clusters.aggregate.v3.ClusterConfig': ClusterConfigJson;
  'envoy.extensions.config.validators.minimum_clusters.v3.MinimumClustersValidator': MinimumClustersValidatorJson;
  'envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig': FixedHeapConfigJson;
  'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig': DownstreamConnectionsConfigJson;
  'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig': UriTemplateMatchConfigJson;
  'envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig': UriTemplateRewriteConfigJson;
}

/** A google.protobuf.Any in JSON: `any('envoy.extensions.filters.http.router.v3.Router', {})`. */
export function any<Name extends keyof EnvoyExtensions>(name: Name, json: EnvoyExtensions[Name]): AnyJson {
  return { '@type': `type.googleapis.com/${name}`, ...json };
}
