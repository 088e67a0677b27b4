/** ClusterLoadAssignments: which addresses an Envoy cluster has, and how they are. */
import { isUnixAddress, unixPath } from '../../dsl/workload-shape.js';
import type { Endpoint } from '../../model/instance.js';
import { type Labels, labelsOf, selects } from '../../model/labels.js';
import type { Locality } from '../../model/locality-lb.js';
import { byKey } from '../../model/order.js';
import type { ServicePort } from '../../model/service-shape.js';
import type { ClusterLoadAssignmentJson, LbEndpointJson, LocalityLbEndpointsJson } from '../../xds/envoy-json.js';
import { clusterNameOf, type EndpointSelection } from './envoy-clusters.js';
import type { ExternalEndpoint } from './external-endpoints.js';
import { asPreferred, type Place, type Preference } from './locality.js';
import { type HostIdentity, isExternalKey } from './mesh-index.js';
import { remember, sameList } from './remember.js';
import type { HostFacts } from './service-facts.js';

/**
 * Made anew only when one of its own endpoints has changed, whatever happens to the service's others. `preference` is what the
 * caller wants of their places.
 */
export function loadAssignment(
  facts: HostFacts,
  port: ServicePort,
  selection: EndpointSelection,
  endpoints: readonly Endpoint[],
  preference: Preference | undefined,
): ClusterLoadAssignmentJson {
  const chosen = endpoints.filter(
    (endpoint) =>
      (endpoint.portName === '' || endpoint.portName === port.name) && isSelected(endpoint, facts, selection),
  );
  const name = clusterNameOf(facts.entry, port, selection.subset);
  return assignment(facts.entry.identity, name, sameList(chosen), preference);
}

function isSelected(endpoint: Endpoint, facts: HostFacts, { by, subset }: EndpointSelection): boolean {
  switch (by.kind) {
    case 'plain':
      // What registered itself without a version has always belonged to plain traffic.
      return facts.stable === undefined || endpoint.version === facts.stable || endpoint.version === '';
    case 'version':
      return endpoint.version === subset;
    case 'labels':
      return selects(by.labels, labelsAt(facts.entry.identity, endpoint));
  }
}

/** The labels of an instance of ours are told by its service; any other workload has its own alone. */
function labelsAt({ key, name }: HostIdentity, { version, labels }: Endpoint): Labels {
  return isExternalKey(key) ? labels : labelsOf(name, version, labels);
}

const assignment = remember(
  (
    owner: HostIdentity,
    clusterName: string,
    endpoints: readonly Endpoint[],
    preference: Preference | undefined,
  ): ClusterLoadAssignmentJson => {
    const places = placesOf(endpoints);
    const preferred =
      preference === undefined ? places : asPreferred(places, preference, (endpoint) => labelsAt(owner, endpoint));
    return { clusterName, endpoints: preferred.map(localityEndpoints) };
  },
);

/** Sorted by where they are, and in each place by address. */
function placesOf(endpoints: readonly ExternalEndpoint[]): readonly Place[] {
  const places = new Map<string, { locality: Locality; members: Map<string, ExternalEndpoint> }>();
  for (const endpoint of endpoints) {
    const { region, zone, subZone = '' } = endpoint;
    const key = `${region}/${zone}/${subZone}`;
    const place = places.get(key) ?? { locality: { region, zone, subZone }, members: new Map() };
    places.set(key, place);
    // An address that registered twice is one address; the managed instance knows more of it.
    const address = `${endpoint.address}:${endpoint.port}`;
    if (!place.members.has(address) || endpoint.instance !== '') place.members.set(address, endpoint);
  }
  return [...places].toSorted(byKey).map(([, { locality, members }]) => ({
    locality,
    endpoints: [...members].toSorted(byKey).map(([, endpoint]) => endpoint),
    priority: 0,
    weight: undefined,
  }));
}

function localityEndpoints({ locality, endpoints, priority, weight }: Place): LocalityLbEndpointsJson {
  const { region, zone, subZone } = locality;
  return {
    ...(region === '' && zone === '' ? {} : { locality: { region, zone, ...(subZone === '' ? {} : { subZone }) } }),
    lbEndpoints: endpoints.map((endpoint) => lbEndpoint(endpoint)),
    ...(priority === 0 ? {} : { priority }),
    ...(weight === undefined ? {} : { loadBalancingWeight: weight }),
  };
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
