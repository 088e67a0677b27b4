/** The gRPC services of the xDS transport protocol: ADS, and one for each type by itself. */
import type { handleBidiStreamingCall, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { inPieces } from './raw-service.js';
import { type ResourceShort, type ResourceType, resourceType } from './resource-types.js';
import type { StreamKind } from './subscription.js';
import type { Pieces } from './wire.js';

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

type Open = (kind: StreamKind, only: ResourceType | undefined) => handleBidiStreamingCall<Buffer, Pieces>;

/** Pairs for `Server.addService`. */
export function discoveryServices(open: Open): (readonly [ServiceDefinition, UntypedServiceImplementation])[] {
  return services.map(({ name, noun, only }) => {
    const [stream, delta] = [`Stream${noun}`, `Delta${noun}`];
    return [
      { [stream]: inPieces(`/${name}/${stream}`), [delta]: inPieces(`/${name}/${delta}`) },
      { [stream]: open('sotw', only), [delta]: open('delta', only) },
    ];
  });
}
