/** Envoy is not safe by default: no bound on memory or connections, watchdogs that only log, statistics of everything. */

const TYPES = 'type.googleapis.com/envoy';
/** A sidecar's own need is a fifth of it; the container's limit is twice as much. */
const MAX_HEAP_BYTES = 256 * 1024 * 1024;
const MAX_CONNECTIONS = 10_000;

const heap = 'envoy.resource_monitors.fixed_heap';
const above = (value: number): object => ({ name: heap, threshold: { value } });
const between = (scaling_threshold: number, saturation_threshold: number): object => ({
  name: heap,
  scaled: { scaling_threshold, saturation_threshold },
});

/** Sheds in steps as memory fills: shorter idle times, no keep-alive, large streams reset, at last nothing new accepted. */
export const overloadManager = {
  refresh_interval: '0.25s',
  resource_monitors: [
    {
      name: heap,
      typed_config: {
        '@type': `${TYPES}.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig`,
        max_heap_size_bytes: MAX_HEAP_BYTES,
      },
    },
    {
      name: 'envoy.resource_monitors.global_downstream_max_connections',
      typed_config: {
        '@type': `${TYPES}.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig`,
        max_active_downstream_connections: MAX_CONNECTIONS,
      },
    },
  ],
  actions: [
    { name: 'envoy.overload_actions.shrink_heap', triggers: [above(0.9)] },
    {
      name: 'envoy.overload_actions.reduce_timeouts',
      triggers: [between(0.85, 0.95)],
      typed_config: {
        '@type': `${TYPES}.config.overload.v3.ScaleTimersOverloadActionConfig`,
        timer_scale_factors: [{ timer: 'HTTP_DOWNSTREAM_CONNECTION_IDLE', min_timeout: '2s' }],
      },
    },
    { name: 'envoy.overload_actions.disable_http_keepalive', triggers: [above(0.92)] },
    { name: 'envoy.overload_actions.stop_accepting_requests', triggers: [above(0.97)] },
    { name: 'envoy.overload_actions.reset_high_memory_stream', triggers: [between(0.93, 0.98)] },
  ],
  loadshed_points: [
    { name: 'envoy.load_shed_points.tcp_listener_accept', triggers: [above(0.97)] },
    { name: 'envoy.load_shed_points.http_connection_manager_decode_headers', triggers: [above(0.97)] },
  ],
  buffer_factory_config: { minimum_account_to_track_power_of_two: 20 },
};

const prefixes = [
  'cluster.',
  'cluster_manager.',
  'control_plane.',
  'http.',
  'listener.',
  'listener_manager.',
  'overload.',
  'sds.',
  'server.',
  'tcp.',
];

export const statsConfig = {
  stats_matcher: {
    inclusion_list: { patterns: [...prefixes.map((prefix) => ({ prefix })), { contains: '.ssl.' }] },
  },
  histogram_bucket_settings: [
    {
      match: { safe_regex: { regex: '.*' } },
      buckets: [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000],
    },
  ],
};

/** A sidecar that hangs is killed, and started again by Docker. */
export const watchdogs = {
  main_thread_watchdog: {
    miss_timeout: '1s',
    megamiss_timeout: '5s',
    kill_timeout: '30s',
    max_kill_timeout_jitter: '5s',
  },
  worker_watchdog: {
    miss_timeout: '0.5s',
    megamiss_timeout: '2s',
    kill_timeout: '20s',
    max_kill_timeout_jitter: '5s',
  },
};
