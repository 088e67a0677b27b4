/**
 * The resource types that we serve, in the order in which a proxy must learn them (xDS protocol, "Eventual consistency
 * considerations": clusters, their endpoints, listeners, their routes, and only then what nobody refers to any more).
 */

export type ResourceShort = 'RTDS' | 'CDS' | 'SDS' | 'EDS' | 'LDS' | 'RDS' | 'ECDS';

/** A repeated message of a resource that mostly stays the same when the resource changes: encoded once per object, then copied. */
export interface Part {
  /** As in JSON. */
  readonly field: string;
  readonly number: number;
  /** Full name of the protobuf message. */
  readonly message: string;
  readonly part?: Part;
}

export interface ResourceType {
  readonly short: ResourceShort;
  readonly typeUrl: string;
  /** Full name of the protobuf message. */
  readonly message: string;
  /** Place in an update, ascending. */
  readonly sendOrder: number;
  /** May a first request without names mean "all of them"? The others are asked for by name. */
  readonly wildcard: boolean;
  /** In state-of-the-world, what is absent from a response is gone. For the others absence means nothing. */
  readonly isFullState: boolean;
  /** Types whose additions must be acknowledged before additions of this one are sent. */
  readonly waitsFor: readonly ResourceShort[];
  /** Is it part of the routing, so that removals of anything wait for its additions? Runtime and secrets stand by themselves. */
  readonly isOrdered: boolean;
  /** The JSON field that names the resource. */
  readonly nameField: 'name' | 'clusterName';
  /** The type whose resources this one waits for before it is warm: a cluster for its endpoints, a listener for its routes. */
  readonly needs?: ResourceShort;
  readonly part?: Part;
}

const row = (
  short: ResourceShort,
  message: string,
  sendOrder: number,
  rest: Partial<
    Pick<ResourceType, 'wildcard' | 'isFullState' | 'waitsFor' | 'isOrdered' | 'nameField' | 'needs' | 'part'>
  > = {},
): ResourceType => ({
  short,
  typeUrl: `type.googleapis.com/${message}`,
  message,
  sendOrder,
  wildcard: false,
  isFullState: false,
  waitsFor: [],
  isOrdered: true,
  nameField: 'name',
  ...rest,
});

/**
 * Sorted by `sendOrder`. Envoy asks for RTDS before anything else and waits up to 15 s for it. EDS follows CDS without
 * waiting: once running, Envoy acknowledges a cluster only when it is warm, that is after its endpoints have come
 * (ClusterManagerImpl pauses CDS meanwhile). So for LDS and RDS a CDS that is acknowledged is a CDS that serves.
 */
export const resourceTypes: readonly ResourceType[] = [
  row('RTDS', 'envoy.service.runtime.v3.Runtime', 0, { isOrdered: false }),
  row('CDS', 'envoy.config.cluster.v3.Cluster', 1, { wildcard: true, isFullState: true, needs: 'EDS' }),
  row('SDS', 'envoy.extensions.transport_sockets.tls.v3.Secret', 2, { isOrdered: false }),
  row('EDS', 'envoy.config.endpoint.v3.ClusterLoadAssignment', 3, {
    nameField: 'clusterName',
    part: {
      field: 'endpoints',
      number: 2,
      message: 'envoy.config.endpoint.v3.LocalityLbEndpoints',
      part: { field: 'lbEndpoints', number: 2, message: 'envoy.config.endpoint.v3.LbEndpoint' },
    },
  }),
  row('LDS', 'envoy.config.listener.v3.Listener', 4, {
    wildcard: true,
    isFullState: true,
    waitsFor: ['CDS', 'EDS'],
    needs: 'RDS',
    part: {
      field: 'filterChains',
      number: 3,
      message: 'envoy.config.listener.v3.FilterChain',
      part: { field: 'filters', number: 3, message: 'envoy.config.listener.v3.Filter' },
    },
  }),
  row('RDS', 'envoy.config.route.v3.RouteConfiguration', 5, {
    waitsFor: ['CDS', 'EDS'],
    part: { field: 'virtualHosts', number: 2, message: 'envoy.config.route.v3.VirtualHost' },
  }),
  row('ECDS', 'envoy.config.core.v3.TypedExtensionConfig', 6, { isOrdered: false }),
];

/** What refers goes before what is referred to, and types of their own last. */
export const removalOrder: readonly ResourceShort[] = ['LDS', 'RDS', 'CDS', 'EDS', 'ECDS', 'SDS', 'RTDS'];

const byUrl: ReadonlyMap<string, ResourceType> = new Map(resourceTypes.map((type) => [type.typeUrl, type]));
const byShort: ReadonlyMap<string, ResourceType> = new Map(resourceTypes.map((type) => [type.short, type]));

export function typeOfUrl(typeUrl: string): ResourceType | undefined {
  return byUrl.get(typeUrl);
}

export function resourceType(short: ResourceShort): ResourceType {
  const type = byShort.get(short);
  if (!type) throw new Error(`no resource type ${short}`);
  return type;
}
