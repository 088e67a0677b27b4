/** Who serves a host of a ServiceEntry: its own endpoints, those that its selector takes, or the name itself. */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import type { ServiceEntrySpec } from '../../dsl/service-entry-shape.js';
import { workloadEntryKind } from '../../dsl/workload-entry.js';
import { workloadGroupKind } from '../../dsl/workload-group.js';
import { isIpAddress, isUnixAddress, type Workload } from '../../dsl/workload-shape.js';
import type { Definition } from '../../model/definition.js';
import type { Endpoint } from '../../model/instance.js';
import { labelsOf, selects } from '../../model/labels.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { fullName } from '../../model/names.js';
import type { ServicePort } from '../../model/service-shape.js';
import { type ExternalHost, indexOf } from './mesh-index.js';
import { remember, sameList } from './remember.js';
import { registeredAs } from './workload-groups.js';

/** What only workloads from outside say of themselves. */
export interface ExternalEndpoint extends Endpoint {
  readonly subZone?: string;
  readonly weight?: number;
}

/** Where the cluster of a host finds its endpoints. */
export type Discovery = 'given' | 'dns' | 'first-of-dns' | 'named-by-caller';

/**
 * An exact host without endpoints is looked up by its own name, whether that is said or not; a wildcard, and PASSTHROUGH, leave the
 * name to the caller.
 */
export function discoveryOf({ spec, host }: ExternalHost, policy?: TrafficPolicy): Discovery {
  if (policy?.loadBalancer?.simple === 'PASSTHROUGH') return 'named-by-caller';
  switch (spec.resolution) {
    case 'STATIC':
      return 'given';
    case 'DNS':
      return 'dns';
    case 'DNS_ROUND_ROBIN':
      return 'first-of-dns';
    case 'NONE':
    case 'DYNAMIC_DNS':
      return host.startsWith('*') ? 'named-by-caller' : 'dns';
  }
}

/** The same list while nothing has changed that it is made of. */
export function externalEndpoints(snapshot: MeshSnapshot, host: ExternalHost): readonly ExternalEndpoint[] {
  const { spec, namespace } = host;
  if (discoveryOf(host) === 'named-by-caller') return none;
  const isByHost = spec.resolution === 'NONE' || (spec.endpoints ?? []).length === 0;
  if (spec.workloadSelector !== undefined && spec.resolution !== 'NONE') {
    const ofOthers = selectedEntries(snapshot.definitions.all(workloadEntryKind), spec, namespace);
    const ofOurs = selectedInstances(snapshot, spec, namespace);
    return sameList([...ofOthers, ...ofOurs]);
  }
  if (!isByHost) return inlineEndpoints(spec);
  return spec.resolution === 'STATIC' ? none : ownName(spec, host.host);
}

/** Envoy refuses names among addresses, and sockets among names; a check of the entry says so. */
function usable(
  endpoints: readonly ExternalEndpoint[],
  { resolution }: Pick<ServiceEntrySpec, 'resolution'>,
): readonly ExternalEndpoint[] {
  return endpoints.filter(({ address }) =>
    resolution === 'STATIC' ? isIpAddress(address) || isUnixAddress(address) : !isUnixAddress(address),
  );
}

const none: readonly ExternalEndpoint[] = [];

const ownName = remember((spec: ServiceEntrySpec, host: string): readonly ExternalEndpoint[] =>
  sameList(workloadEndpoints({ address: host, ports: {}, labels: {} }, spec, {})),
);

const inlineEndpoints = remember((spec: ServiceEntrySpec): readonly ExternalEndpoint[] =>
  sameList((spec.endpoints ?? []).flatMap((workload) => workloadEndpoints(workload, spec, workload.labels))),
);

const selectedEntries = remember(
  (entries: readonly Definition<Workload>[], spec: ServiceEntrySpec, namespace: string): readonly ExternalEndpoint[] =>
    usable(
      entries
        .filter(
          (entry) =>
            entry.namespace === namespace && selects(spec.workloadSelector?.labels ?? {}, labelsOfEntry(entry)),
        )
        .flatMap((entry) => endpointsOfEntry(entry, spec)),
      spec,
    ),
);

/** Labels of the object count before those of its spec, as in Istio. */
const labelsOfEntry = remember(({ spec, labels }: Definition<Workload>) => ({ ...spec.labels, ...labels }));

const endpointsOfEntry = remember((entry: Definition<Workload>, spec: ServiceEntrySpec): readonly ExternalEndpoint[] =>
  workloadEndpoints(entry.spec, spec, labelsOfEntry(entry)),
);

/** Instances of ours, and workloads that register themselves, with such labels. */
function selectedInstances(
  { endpoints, definitions }: MeshSnapshot,
  spec: ServiceEntrySpec,
  namespace: string,
): readonly ExternalEndpoint[] {
  const { services } = indexOf(definitions);
  // Whatever registers has the name of its service as this label, unless a WorkloadGroup says otherwise: no other needs to be looked at.
  const isOwnName = definitions.all(workloadGroupKind).length === 0;
  const app = isOwnName ? spec.workloadSelector?.labels['app'] : undefined;
  const keys = app === undefined ? keysIn(endpoints, namespace) : [fullName(namespace, app)];
  return keys.flatMap((key) =>
    servedBy(registeredAs({ endpoints, definitions }, key), services.get(key)?.ports ?? noPorts, spec),
  );
}

const keysIn = remember((endpoints: MeshSnapshot['endpoints'], namespace: string): readonly string[] =>
  [...endpoints.keys()].filter((key) => key.startsWith(`${namespace}/`)),
);

const noPorts: readonly ServicePort[] = [];

const servedBy = remember(
  (
    registered: readonly Endpoint[],
    ports: readonly ServicePort[],
    spec: ServiceEntrySpec,
  ): readonly ExternalEndpoint[] =>
    usable(
      registered.flatMap((endpoint) => servedPorts(endpoint, ports, spec)),
      spec,
    ),
);

/** Where it serves a port of the same name, or of the number that the entry means; an address for all ports serves any. */
const servedPorts = remember(
  (endpoint: Endpoint, ports: readonly ServicePort[], spec: ServiceEntrySpec): readonly ExternalEndpoint[] => {
    const labels =
      endpoint.instance === '' ? endpoint.labels : labelsOf(endpoint.service, endpoint.version, endpoint.labels);
    if (!selects(spec.workloadSelector?.labels ?? {}, labels)) return [];
    const served = ports.find(({ name }) => name === endpoint.portName);
    return spec.ports
      .filter(
        ({ name, number, targetPort = number }) =>
          endpoint.portName === '' || name === endpoint.portName || served?.port === targetPort,
      )
      .map(({ name }) => ({ ...endpoint, portName: name, labels }));
  },
);

function workloadEndpoints(
  workload: Pick<Workload, 'address' | 'ports' | 'labels' | 'locality' | 'weight'>,
  spec: ServiceEntrySpec,
  labels: Endpoint['labels'],
): readonly ExternalEndpoint[] {
  const [region = '', zone = '', subZone] = (workload.locality ?? '').split('/');
  return spec.ports.map(({ name, number, targetPort = number }) => ({
    namespace: '',
    service: '',
    version: '',
    portName: name,
    address: workload.address,
    port: isUnixAddress(workload.address) ? 0 : (workload.ports[name] ?? targetPort),
    health: 'HEALTHY',
    labels,
    instance: '',
    node: '',
    region,
    zone,
    ...(subZone === undefined ? {} : { subZone }),
    ...(workload.weight === undefined ? {} : { weight: workload.weight }),
  }));
}
