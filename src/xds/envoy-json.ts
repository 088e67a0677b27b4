/** The JSON shapes of Envoy resources that translators write, from one place: nobody else names a generated path. */

export type { AccessLogFilterJson, AccessLogJson } from './generated/envoy/config/accesslog/v3/accesslog_pb.js';
export type {
  BootstrapJson,
  LayeredRuntimeJson,
  RuntimeLayerJson,
} from './generated/envoy/config/bootstrap/v3/bootstrap_pb.js';
export type {
  CircuitBreakers_ThresholdsJson,
  CircuitBreakersJson,
} from './generated/envoy/config/cluster/v3/circuit_breaker_pb.js';
export type {
  Cluster_CommonLbConfigJson,
  Cluster_DiscoveryTypeJson,
  Cluster_EdsClusterConfigJson,
  Cluster_LbPolicyJson,
  Cluster_SlowStartConfigJson,
  ClusterJson,
  LoadBalancingPolicy_PolicyJson,
  LoadBalancingPolicyJson,
  UpstreamConnectionOptionsJson,
} from './generated/envoy/config/cluster/v3/cluster_pb.js';
export type { OutlierDetectionJson } from './generated/envoy/config/cluster/v3/outlier_detection_pb.js';
export type { MatchPredicateJson } from './generated/envoy/config/common/matcher/v3/matcher_pb.js';
export type {
  AddressJson,
  CidrRangeJson,
  SocketAddressJson,
  TcpKeepaliveJson,
} from './generated/envoy/config/core/v3/address_pb.js';
export type {
  DataSourceJson,
  HeaderValueJson,
  HeaderValueOptionJson,
  LocalityJson,
  MetadataJson,
  NodeJson,
  RuntimeFractionalPercentJson,
  TransportSocketJson,
} from './generated/envoy/config/core/v3/base_pb.js';
export type { ConfigSourceJson } from './generated/envoy/config/core/v3/config_source_pb.js';
export type { TypedExtensionConfigJson } from './generated/envoy/config/core/v3/extension_pb.js';
export type { HealthCheckJson, HealthStatusJson } from './generated/envoy/config/core/v3/health_check_pb.js';
export type {
  Http2ProtocolOptionsJson,
  HttpProtocolOptionsJson,
  UpstreamHttpProtocolOptionsJson,
} from './generated/envoy/config/core/v3/protocol_pb.js';
export type { SubstitutionFormatStringJson } from './generated/envoy/config/core/v3/substitution_format_string_pb.js';
export type {
  EndpointJson,
  LbEndpointJson,
  LocalityLbEndpointsJson,
} from './generated/envoy/config/endpoint/v3/endpoint_components_pb.js';
export type {
  ClusterLoadAssignment_PolicyJson,
  ClusterLoadAssignmentJson,
} from './generated/envoy/config/endpoint/v3/endpoint_pb.js';
export type {
  FilterChainJson,
  FilterChainMatchJson,
  FilterJson,
  ListenerFilterJson,
} from './generated/envoy/config/listener/v3/listener_components_pb.js';
export type { ListenerJson } from './generated/envoy/config/listener/v3/listener_pb.js';
export type {
  PermissionJson,
  PolicyJson as RbacPolicyJson,
  PrincipalJson,
  RBACJson as RbacRulesJson,
} from './generated/envoy/config/rbac/v3/rbac_pb.js';
export type {
  CorsPolicyJson,
  DirectResponseActionJson,
  HeaderMatcherJson,
  QueryParameterMatcherJson,
  RedirectActionJson,
  RetryPolicyJson,
  RouteAction_HashPolicyJson,
  RouteAction_RequestMirrorPolicyJson,
  RouteAction_UpgradeConfigJson,
  RouteActionJson,
  RouteJson,
  RouteMatchJson,
  VirtualHostJson,
  WeightedCluster_ClusterWeightJson,
  WeightedClusterJson,
} from './generated/envoy/config/route/v3/route_components_pb.js';
export type { RouteConfigurationJson } from './generated/envoy/config/route/v3/route_pb.js';
export type { ExtAuthzJson } from './generated/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js';
export type {
  JwtAuthenticationJson,
  JwtProviderJson,
  JwtRequirementJson,
} from './generated/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
export type {
  HttpConnectionManager_TracingJson,
  HttpConnectionManager_UpgradeConfigJson,
  HttpConnectionManagerJson,
  HttpFilterJson,
  LocalReplyConfigJson,
} from './generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
export type {
  CertificateValidationContextJson,
  SubjectAltNameMatcherJson,
  TlsParametersJson,
} from './generated/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
export type { SecretJson } from './generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
export type {
  CommonTlsContextJson,
  DownstreamTlsContextJson,
  UpstreamTlsContextJson,
} from './generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
export type { PluginConfigJson as WasmConfigJson } from './generated/envoy/extensions/wasm/v3/wasm_pb.js';
export type { RuntimeJson } from './generated/envoy/service/runtime/v3/rtds_pb.js';
export type { MetadataMatcherJson } from './generated/envoy/type/matcher/v3/metadata_pb.js';
export type { RegexMatcherJson } from './generated/envoy/type/matcher/v3/regex_pb.js';
export type { StringMatcherJson } from './generated/envoy/type/matcher/v3/string_pb.js';
export type { ValueMatcherJson } from './generated/envoy/type/matcher/v3/value_pb.js';
export type { CustomTagJson } from './generated/envoy/type/tracing/v3/custom_tag_pb.js';
export type { FractionalPercentJson, PercentJson } from './generated/envoy/type/v3/percent_pb.js';
