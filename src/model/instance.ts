import type { Protocol } from './fields.js';

/** Listening ports of one instance. App and proxy are on 127.0.0.1; inbound and metrics on the node's address. */
export interface InstancePorts {
  /** Where the app listens, by the service's port name. */
  readonly app: Readonly<Record<string, number>>;
  /** Where others reach it, through its sidecar, by the service's port name. */
  readonly inbound: Readonly<Record<string, number>>;
  /** The sidecar's explicit proxy. */
  readonly proxy: number;
  /** `/stats/prometheus` and `/ready`. */
  readonly metrics: number;
  /** Listeners of upstreams with a port of their own, by the upstream's name. */
  readonly upstreams: Readonly<Record<string, number>>;
}

export type InstanceState = 'starting' | 'healthy' | 'unhealthy' | 'draining' | 'stopped';

/**
 * Durable record of what runs, `instance/<node>/<instance>`, written by that node's agent only and without a lease: it
 * outlives the agent, so that a lost lease shows as an unhealthy instance and not as none.
 */
export interface InstanceRecord {
  readonly instance: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  readonly node: string;
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
  /** IP of the node; inbound listeners bind there. */
  readonly address: string;
  readonly ports: InstancePorts;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: InstanceState;
  /** Why it is in that state, for people. */
  readonly reason: string;
  /** Container names; empty when it is not (or no longer) there. */
  readonly container: string;
  readonly sidecar: string;
  /** Milliseconds since the epoch; 0 while not started. */
  readonly startedAt: number;
  /** The revision of the plan that created it. */
  readonly planRevision: number;
}

/** What lightmesh adds to a value in etcd's gRPC naming format, in the extra field `Mesh` (never in Metadata). */
export interface NamingMeshData {
  readonly instance: string;
  readonly version: string;
  readonly node: string;
  readonly region: string;
  readonly zone: string;
  readonly protocol: Protocol;
  /** Name of the service's port that this address serves. */
  readonly port: string;
  readonly weight: number;
}

/** The health that EDS shows (envoy.config.core.v3.HealthStatus). */
export type EndpointHealth = 'HEALTHY' | 'UNHEALTHY' | 'DRAINING';

/** One address of a service as Envoy will see it: a registered instance, or an address that registered itself. */
export interface Endpoint {
  readonly namespace: string;
  readonly service: string;
  /** Empty for a self-registered address without one. */
  readonly version: string;
  /** Name of the service's port; empty means every port. */
  readonly portName: string;
  readonly address: string;
  readonly port: number;
  readonly health: EndpointHealth;
  readonly labels: Readonly<Record<string, string>>;
  /** Instance id and node; empty for a self-registered address. */
  readonly instance: string;
  readonly node: string;
  readonly region: string;
  readonly zone: string;
}
