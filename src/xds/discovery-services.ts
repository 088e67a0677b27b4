/** The gRPC services of the xDS transport protocol: ADS, and one for each type by itself. */
import { type ResourceShort, type ResourceType, resourceType } from './resource-types.js';
import type { StreamKind } from './subscription.js';
import type { Call, CallHandler } from './transport/transport.js';

export const ADS = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

interface DiscoveryService {
  readonly name: string;
  /** Its methods are `Stream<noun>` and `Delta<noun>`. */
  readonly noun: string;
  /** Absent: all types share a stream, and only then can we order them. */
  readonly only?: ResourceType;
}

const single = (short: ResourceShort, name: string, noun: string): DiscoveryService => ({
  name: `envoy.service.${name}`,
  noun,
  only: resourceType(short),
});

const services: readonly DiscoveryService[] = [
  { name: ADS, noun: 'AggregatedResources' },
  single('RTDS', 'runtime.v3.RuntimeDiscoveryService', 'Runtime'),
  single('CDS', 'cluster.v3.ClusterDiscoveryService', 'Clusters'),
  single('SDS', 'secret.v3.SecretDiscoveryService', 'Secrets'),
  single('EDS', 'endpoint.v3.EndpointDiscoveryService', 'Endpoints'),
  single('LDS', 'listener.v3.ListenerDiscoveryService', 'Listeners'),
  single('RDS', 'route.v3.RouteDiscoveryService', 'Routes'),
  single('ECDS', 'extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs'),
];

type Open = (call: Call, kind: StreamKind, only: ResourceType | undefined) => CallHandler;

/** By path. */
export function discoveryMethods(open: Open): (readonly [string, (call: Call) => CallHandler])[] {
  return services.flatMap(({ name, noun, only }) => [
    [`/${name}/Stream${noun}`, (call) => open(call, 'sotw', only)],
    [`/${name}/Delta${noun}`, (call) => open(call, 'delta', only)],
  ]);
}
