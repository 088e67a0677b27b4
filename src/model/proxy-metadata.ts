import type { InstancePorts } from './instance.js';
import type { PlannedInstance } from './node-plan.js';

/**
 * What a sidecar says of itself in `node.metadata.mesh`: all that the pilot must know of a proxy whose instance is not
 * registered yet. Region and zone are in Envoy's own `node.locality`.
 */
export interface ProxyMetadata {
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  readonly instance: string;
  readonly node: string;
  /** Ours, not Envoy's. */
  readonly cluster: string;
  /** IP of the node, where inbound listeners bind. */
  readonly address: string;
  /** The mesh revision that created the instance. */
  readonly revision: number;
  /** Present for an Envoy without an app. */
  readonly gateway?: true;
  /** A folder that it may read. */
  readonly certificates?: string | undefined;
  /** Present for a gRPC client that calls without a proxy. */
  readonly proxyless?: true;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: InstancePorts;
  readonly servicePorts: PlannedInstance['servicePorts'];
  /** Every upstream with its mode; `proxy` ones are the proxy's closure. */
  readonly upstreams: PlannedInstance['upstreams'];
}
