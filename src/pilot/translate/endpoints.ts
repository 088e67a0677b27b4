/** ClusterLoadAssignments: which addresses an Envoy cluster has, and how they are. */
import type { Endpoint } from '../../model/instance.js';
import { labelsOf, selects } from '../../model/labels.js';
import { byKey } from '../../model/order.js';
import type { ServicePort } from '../../model/service-shape.js';
import type { ClusterLoadAssignmentJson, LbEndpointJson, LocalityLbEndpointsJson } from '../../xds/envoy-json.js';
import { clusterNameOf, type EndpointSelection } from './envoy-clusters.js';
import type { HostIdentity } from './mesh-index.js';
import { remember, sameList } from './remember.js';
import type { ServiceFacts } from './service-facts.js';

/** Made anew only when one of its own endpoints has changed, whatever happens to the service's others. */
export function loadAssignment(
  facts: ServiceFacts,
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

function isSelected(endpoint: Endpoint, facts: ServiceFacts, { by, subset }: EndpointSelection): boolean {
  switch (by.kind) {
    case 'plain':
      // What registered itself without a version has always belonged to plain traffic.
      return facts.stable === undefined || endpoint.version === facts.stable || endpoint.version === '';
    case 'version':
      return endpoint.version === subset;
    case 'labels':
      return selects(by.labels, labelsOf(facts.entry.name, endpoint.version, endpoint.labels));
  }
}

const assignment = remember(
  (_owner: HostIdentity, clusterName: string, endpoints: readonly Endpoint[]): ClusterLoadAssignmentJson => ({
    clusterName,
    endpoints: localities(endpoints),
  }),
);

function localities(endpoints: readonly Endpoint[]): LocalityLbEndpointsJson[] {
  const places = new Map<string, { region: string; zone: string; members: Map<string, Endpoint> }>();
  for (const endpoint of endpoints) {
    const { region, zone } = endpoint;
    const place = places.get(`${region}/${zone}`) ?? { region, zone, members: new Map<string, Endpoint>() };
    places.set(`${region}/${zone}`, place);
    // An address that registered twice is one address; the managed instance knows more of it.
    const address = `${endpoint.address}:${endpoint.port}`;
    if (!place.members.has(address) || endpoint.instance !== '') place.members.set(address, endpoint);
  }
  return [...places].toSorted(byKey).map(([, { region, zone, members }]) => ({
    ...(region === '' && zone === '' ? {} : { locality: { region, zone } }),
    lbEndpoints: [...members].toSorted(byKey).map(([, endpoint]) => lbEndpoint(endpoint)),
  }));
}

const lbEndpoint = remember(
  ({ address, port, health, instance, node, version }: Endpoint): LbEndpointJson => ({
    endpoint: { address: { socketAddress: { address, portValue: port } } },
    healthStatus: health,
    ...(instance === '' ? {} : { metadata: { filterMetadata: { mesh: { instance, node, version } } } }),
  }),
);
