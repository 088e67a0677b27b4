import type { Protocol } from './fields.js';
import type { InstancePorts } from './instance.js';
import type { MeshSpec } from './mesh.js';
import type { Health, ServicePort } from './service-shape.js';
import type { ContainerSpec } from './version.js';

/** An upstream with its address mode decided. */
export type PlannedUpstream =
  | {
      readonly mode: 'proxy';
      readonly name: string;
      readonly namespace: string;
      readonly service: string;
      readonly port: number;
      readonly protocol: Protocol;
      /** A listener of its own on 127.0.0.1, or undefined for the shared proxy port. */
      readonly listener: number | undefined;
    }
  | {
      readonly mode: 'direct';
      readonly name: string;
      readonly addresses: readonly string[];
      readonly protocol: Protocol;
    }
  /** The target is what stands after `etcd:///`. */
  | { readonly mode: 'naming'; readonly name: string; readonly target: string; readonly protocol: Protocol };

/** The Mesh's, with what ProxyConfigs say of the instance. */
export type PlannedSidecar = MeshSpec['sidecar'] & { readonly environment?: Readonly<Record<string, string>> };

/** One instance as the node must run it. Complete: the agent needs no definitions to render and run it. */
export interface PlannedInstance {
  /** Deterministic, never reused: `<service>-<version>-<revision>` with `-<k>` when there are several. */
  readonly instance: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  /** The mesh revision that created it, constant for its life. */
  readonly revision: number;
  /** Content hash of all that cannot be changed in place; another digest is another instance. */
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly servicePorts: readonly ServicePort[];
  readonly ports: InstancePorts;
  /** Undefined for a gateway: an Envoy without an app. */
  readonly container?: ContainerSpec | undefined;
  /** A folder of the node that its sidecar may read. */
  readonly certificates?: string | undefined;
  readonly health: Health;
  readonly upstreams: readonly PlannedUpstream[];
  readonly httpProxy: boolean;
  readonly replace: 'start-first' | 'stop-first';
  /** Its own, not the node's: an instance keeps the sidecar that it was created with. */
  readonly sidecar: PlannedSidecar;
}

/** All that one node must run. Key `plan/<node>`, written by the API only. */
export interface NodePlan {
  readonly node: string;
  readonly address: string;
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
  /** Of the deploy that wrote it. */
  readonly revision: number;
  /** Sorted by id. */
  readonly instances: readonly PlannedInstance[];
}

/** Where a node stands. */
export type NodePlace = Pick<NodePlan, 'node' | 'address' | 'cluster' | 'region' | 'zone'>;

export function isGateway({ container }: Pick<PlannedInstance, 'container'>): boolean {
  return container === undefined;
}
