/**
 * The Envoy bootstrap of a sidecar as data. It cannot be pushed later, so it holds all that later features stand on:
 * delta ADS with a failover slot, an RTDS layer, load reports, pilots read from a file that the agent keeps.
 */
import { proxyId } from '../model/names.js';
import { isGateway, type NodePlan, type PlannedInstance } from '../model/node-plan.js';
import type { ProxyMetadata } from '../model/proxy-metadata.js';
import { overloadManager, statsConfig, watchdogs } from './bootstrap-defaults.js';
import { metricsListener } from './metrics-listener.js';

/** Folders as the sidecar's container sees them; compose.ts mounts them there. */
export const SIDECAR_CONFIG = '/etc/lightmesh/instance';
export const SIDECAR_SHARED = '/etc/lightmesh/shared';
export const SIDECAR_RUN = '/run/lightmesh';

/** In the node's shared folder. */
export const PILOTS_FILE = 'pilots.json';
export const LAST_GOOD_SOCKET = 'lkg.sock';
/** In the instance's run folder. */
export const ADMIN_SOCKET = 'admin.sock';

/** Folders as Envoy sees them. Outside of a container they are the host's. */
export interface BootstrapPlaces {
  readonly shared: string;
  readonly run: string;
}

export const containerPlaces: BootstrapPlaces = { shared: SIDECAR_SHARED, run: SIDECAR_RUN };

export interface BootstrapInput {
  readonly proxy: ProxyMetadata;
  readonly region: string;
  readonly zone: string;
  readonly places: BootstrapPlaces;
}

/** envoy.config.bootstrap.v3.Bootstrap, in the field names of its proto. */
export type Bootstrap = Readonly<Record<string, unknown>>;

const PILOTS = 'pilots';
const LAST_GOOD = 'agent_lkg';
export const ADMIN = 'admin';
/** Owner and group: the agent's user. */
const ADMIN_SOCKET_MODE = 0o660;

export function proxyMetadata(plan: NodePlan, instance: PlannedInstance): ProxyMetadata {
  const { namespace, service, version, labels, ports, servicePorts, upstreams, revision, certificates } = instance;
  const { node, cluster, address } = plan;
  const name = { namespace, service, version, instance: instance.instance };
  const gateway = isGateway(instance) ? { gateway: true as const } : {};
  const folder = certificates === undefined ? {} : { certificates };
  return { ...name, ...gateway, ...folder, node, cluster, address, revision, labels, ports, servicePorts, upstreams };
}

export function instanceBootstrap(plan: NodePlan, instance: PlannedInstance): Bootstrap {
  const proxy = proxyMetadata(plan, instance);
  return bootstrap({ proxy, region: plan.region, zone: plan.zone, places: containerPlaces });
}

export function bootstrap({ proxy, region, zone, places }: BootstrapInput): Bootstrap {
  const adminSocket = `${places.run}/${ADMIN_SOCKET}`;
  return {
    node: {
      id: proxyId(proxy.namespace, proxy.service, proxy.instance, proxy.node),
      cluster: proxy.service,
      locality: { region, zone },
      metadata: { mesh: proxy },
    },
    admin: { address: { pipe: { path: adminSocket, mode: ADMIN_SOCKET_MODE } } },
    dynamic_resources: {
      ads_config: adsConfig(),
      cds_config: fromAds('0s'),
      lds_config: fromAds('0s'),
    },
    cluster_manager: {
      load_stats_config: { api_type: 'GRPC', transport_api_version: 'V3', grpc_services: [grpcService(PILOTS)] },
    },
    static_resources: {
      listeners: [metricsListener(proxy.address, proxy.ports.metrics)],
      clusters: [
        pilotsCluster(places.shared),
        { ...pipeCluster(LAST_GOOD, `${places.shared}/${LAST_GOOD_SOCKET}`), ...http2 },
        pipeCluster(ADMIN, adminSocket),
      ],
    },
    layered_runtime: {
      layers: [
        {
          name: 'static',
          static_layer: {
            // Without it Envoy refuses a second grpc_service.
            'envoy.restart_features.xds_failover_support': true,
            // RE2 is linear in its input; the bound is on memory. A route that crosses it takes its whole route table along.
            're2.max_program_size.error_level': 2000,
            're2.max_program_size.warn_level': 500,
          },
        },
        { name: 'mesh', rtds_layer: { name: 'mesh', rtds_config: fromAds('5s') } },
        // The last one wins: a person at the admin socket overrides the mesh.
        { name: 'admin', admin_layer: {} },
      ],
    },
    overload_manager: overloadManager,
    stats_config: statsConfig,
    watchdogs,
  };
}

/**
 * Clusters and listeners are waited for without end (0s): after the default 15 s Envoy would call itself ready with
 * nothing to serve, and the app would start behind it. The runtime layer has safe values without a pilot, so it may not hold
 * the start for long.
 */
function fromAds(initialFetchTimeout: '0s' | '5s'): object {
  return { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: initialFetchTimeout };
}

function adsConfig(): object {
  return {
    api_type: 'DELTA_GRPC',
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [grpcService(PILOTS), grpcService(LAST_GOOD)],
    // An update that takes away the last cluster is refused, whoever sends it: Envoy would obey and answer 503.
    config_validators: [
      {
        name: 'envoy.config.validators.minimum_clusters',
        typed_config: {
          '@type': `${TYPES}.extensions.config.validators.minimum_clusters.v3.MinimumClustersValidator`,
          min_clusters_num: 1,
        },
      },
    ],
  };
}

/** Envoy's own back-off goes up to 30 s, for which a proxy would be deaf after each outage. It draws from 0 to the interval. */
function grpcService(cluster: string): object {
  const retry_back_off = { base_interval: '0.2s', max_interval: '1s' };
  return { envoy_grpc: { cluster_name: cluster, retry_policy: { retry_back_off } } };
}

const TYPES = 'type.googleapis.com/envoy';

const http2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: {
        http2_protocol_options: {
          connection_keepalive: { interval: '4s', timeout: '3s' },
          initial_stream_window_size: 65_536,
          initial_connection_window_size: 1_048_576,
        },
      },
    },
  },
};

/**
 * A pilot that hangs still takes connections, so whoever has given it up must not come back at once: it would wait for
 * another 7 s. The pause is short, since a pilot that was killed is back in a few seconds, and may then be the only one.
 */
const hungPilots = {
  consecutive_5xx: 1,
  interval: '0.5s',
  base_ejection_time: '1s',
  max_ejection_time: '1s',
  max_ejection_percent: 50,
};

/** The agent rewrites the file by a rename, which the watched folder shows. */
function pilotsCluster(shared: string): object {
  return {
    name: PILOTS,
    type: 'EDS',
    connect_timeout: '1s',
    lb_policy: 'ROUND_ROBIN',
    eds_cluster_config: {
      service_name: PILOTS,
      eds_config: {
        resource_api_version: 'V3',
        path_config_source: { path: `${shared}/${PILOTS_FILE}`, watched_directory: { path: shared } },
      },
    },
    outlier_detection: hungPilots,
    ...http2,
  };
}

function pipeCluster(name: string, path: string): object {
  const endpoint = { endpoint: { address: { pipe: { path } } } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}
