/** What a sidecar shows of itself on the node's address: statistics and readiness, out of Envoy's admin, and nothing else of it. */

const SHOWN = ['/stats/prometheus', '/ready'];
const TYPES = 'type.googleapis.com/envoy.extensions.filters';

export function metricsListener(address: string, port: number): object {
  return {
    name: 'metrics',
    address: { socket_address: { address, port_value: port } },
    // Two processes that share a port would each get a part of the connections, silently.
    enable_reuse_port: false,
    // Overload is when somebody wants to look.
    ignore_global_conn_limit: true,
    per_connection_buffer_limit_bytes: 32_768,
    filter_chains: [{ filters: [httpFilter()] }],
  };
}

function httpFilter(): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'metrics',
      codec_type: 'AUTO',
      request_headers_timeout: '10s',
      stream_idle_timeout: '30s',
      common_http_protocol_options: { idle_timeout: '300s' },
      normalize_path: true,
      http_filters: [
        { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPES}.http.router.v3.Router` } },
      ],
      route_config: {
        name: 'metrics',
        virtual_hosts: [{ name: 'metrics', domains: ['*'], routes: [...SHOWN.map(shownRoute), nothingElse] }],
      },
    },
  };
}

function shownRoute(path: string): object {
  const onlyGet = { name: ':method', string_match: { exact: 'GET' } };
  return { match: { path, headers: [onlyGet] }, route: { cluster: 'admin', timeout: '10s' } };
}

const nothingElse = { match: { prefix: '/' }, direct_response: { status: 404 } };
