/** ClusterLoadAssignments: which addresses an Envoy cluster has, and how they are. */
import { isUnixAddress, unixPath } from '../../dsl/workload-shape.js';
import type { Endpoint } from '../../model/instance.js';
import { type Labels, labelsOf, selects } from '../../model/labels.js';
import { byKey } from '../../model/order.js';
import type { ServicePort } from '../../model/service-shape.js';
import type { ClusterLoadAssignmentJson, LbEndpointJson, LocalityLbEndpointsJson } from '../../xds/envoy-json.js';
import { clusterNameOf, type EndpointSelection } from './envoy-clusters.js';
import type { ExternalEndpoint } from './external-endpoints.js';
import type { HostIdentity, MeshHost } from './mesh-index.js';
import { remember, sameList } from './remember.js';
import type { HostFacts } from './service-facts.js';

/** Made anew only when one of its own endpoints has changed, whatever happens to the service's others. */
export function loadAssignment(
  facts: HostFacts,
  port: ServicePort,
  selection: EndpointSelection,
  endpoints: readonly Endpoint[],
): ClusterLoadAssignmentJson {
  const chosen = endpoints.filter(
    (endpoint) =>
      (endpoint.portName === '' || endpoint.portName === port.name) && isSelected(endpoint, facts, selection),
  );
  return assignment(facts.entry.identity, clusterNameOf(facts.entry, port, selection.subset), sameList(chosen));
}

function isSelected(endpoint: Endpoint, facts: HostFacts, { by, subset }: EndpointSelection): boolean {
  switch (by.kind) {
    case 'plain':
      // What registered itself without a version has always belonged to plain traffic.
      return facts.stable === undefined || endpoint.version === facts.stable || endpoint.version === '';
    case 'version':
      return endpoint.version === subset;
    case 'labels':
      return selects(by.labels, labelsAt(facts.entry, endpoint));
  }
}

/** The labels of an instance of ours are told by its service; any other workload has its own alone. */
function labelsAt(entry: MeshHost, { version, labels }: Endpoint): Labels {
  return entry.kind === 'service' ? labelsOf(entry.name, version, labels) : labels;
}

const assignment = remember(
  (_owner: HostIdentity, clusterName: string, endpoints: readonly Endpoint[]): ClusterLoadAssignmentJson => ({
    clusterName,
    endpoints: localities(endpoints),
  }),
);

function localities(endpoints: readonly Endpoint[]): LocalityLbEndpointsJson[] {
  const places = new Map<
    string,
    { locality: NonNullable<LocalityLbEndpointsJson['locality']>; members: Map<string, Endpoint> }
  >();
  for (const endpoint of endpoints) {
    const { region, zone, subZone = '' }: ExternalEndpoint = endpoint;
    const key = `${region}/${zone}/${subZone}`;
    const locality = { region, zone, ...(subZone === '' ? {} : { subZone }) };
    const place = places.get(key) ?? { locality, members: new Map<string, Endpoint>() };
    places.set(key, place);
    // An address that registered twice is one address; the managed instance knows more of it.
    const address = `${endpoint.address}:${endpoint.port}`;
    if (!place.members.has(address) || endpoint.instance !== '') place.members.set(address, endpoint);
  }
  return [...places].toSorted(byKey).map(([, { locality, members }]) => ({
    ...(locality.region === '' && locality.zone === '' ? {} : { locality }),
    lbEndpoints: [...members].toSorted(byKey).map(([, endpoint]) => lbEndpoint(endpoint)),
  }));
}

const lbEndpoint = remember(
  ({ address, port, health, instance, node, version, weight }: ExternalEndpoint): LbEndpointJson => ({
    endpoint: {
      address: isUnixAddress(address)
        ? { pipe: { path: unixPath(address) } }
        : { socketAddress: { address, portValue: port } },
    },
    healthStatus: health,
    // Envoy knows no weight of 0: what has none gets next to nothing.
    ...(weight === undefined ? {} : { loadBalancingWeight: Math.max(1, weight) }),
    ...(instance === '' ? {} : { metadata: { filterMetadata: { mesh: { instance, node, version } } } }),
  }),
);
