/** What a WorkloadGroup says of workloads that register themselves under its name. */
import { type WorkloadGroupSpec, workloadGroupKind } from '../../dsl/workload-group.js';
import type { Definition } from '../../model/definition.js';
import type { Endpoint } from '../../model/instance.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type { ExternalEndpoint } from './external-endpoints.js';
import { remember, sameList } from './remember.js';

/** The endpoints that registered under a name, `<ns>/<name>`, with their group's words. The same list while neither changes. */
export function registeredAs(
  snapshot: Pick<MeshSnapshot, 'endpoints' | 'definitions'>,
  key: string,
): readonly Endpoint[] {
  const endpoints = snapshot.endpoints.get(key) ?? none;
  const slash = key.indexOf('/');
  const group = snapshot.definitions.get(workloadGroupKind, key.slice(0, slash), key.slice(slash + 1));
  return group === undefined ? endpoints : grouped(endpoints, group);
}

const none: readonly Endpoint[] = [];

const grouped = remember((endpoints: readonly Endpoint[], group: Definition<WorkloadGroupSpec>): readonly Endpoint[] =>
  sameList(endpoints.flatMap((endpoint) => (isSelfRegistered(endpoint) ? member(endpoint, group) : [endpoint]))),
);

function isSelfRegistered({ instance }: Endpoint): boolean {
  return instance === '';
}

/** One for each port of the template, unless the registration is for one port already. */
const member = remember((endpoint: Endpoint, { spec }: Definition<WorkloadGroupSpec>): readonly ExternalEndpoint[] => {
  const { metadata, template } = spec;
  const [region = '', zone = '', subZone] = (endpoint.region === '' ? (template.locality ?? '') : '').split('/');
  const one: ExternalEndpoint = {
    ...endpoint,
    labels: { ...endpoint.labels, ...template.labels, ...metadata.labels },
    ...(region === '' ? {} : { region, zone }),
    ...(subZone === undefined ? {} : { subZone }),
    ...(template.weight === undefined ? {} : { weight: template.weight }),
  };
  const ports = Object.entries(template.ports);
  if (endpoint.portName !== '' || ports.length === 0) return [one];
  return ports.map(([portName, port]) => ({ ...one, portName, port }));
});
