/** The xDS bootstrap of a gRPC client that calls from an instance without its sidecar: gRFC A27, "xDS Bootstrap File". */
import { proxylessId } from '../model/names.js';
import type { NodePlan, PlannedInstance } from '../model/node-plan.js';
import { proxyMetadata } from './bootstrap.js';

export interface GrpcBootstrap {
  readonly xds_servers: readonly {
    readonly server_uri: string;
    readonly channel_creds: readonly { readonly type: 'insecure' }[];
    readonly server_features: readonly string[];
  }[];
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly locality: { readonly region: string; readonly zone: string };
    readonly metadata: { readonly mesh: object };
  };
}

/** `pilots`: `host:port` of their xDS. gRPC goes to the first, and to the next when that one does not answer. */
export function grpcBootstrap(plan: NodePlan, instance: PlannedInstance, pilots: readonly string[]): GrpcBootstrap {
  const { namespace, service } = instance;
  return {
    xds_servers: pilots.map((pilot) => ({
      server_uri: pilot,
      channel_creds: [{ type: 'insecure' }],
      server_features: ['xds_v3'],
    })),
    node: {
      id: proxylessId(namespace, service, instance.instance, plan.node),
      cluster: service,
      locality: { region: plan.region, zone: plan.zone },
      metadata: { mesh: { ...proxyMetadata(plan, instance), proxyless: true } },
    },
  };
}
