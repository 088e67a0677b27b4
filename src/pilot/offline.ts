/** What pilots would serve of a mesh that has never run: definitions from files, and instances as they would be planned. Pure. */
import type { CallerView, CallerViewRequest } from '../model/api.js';
import { type DefinitionIndex, viewOf } from '../model/definition.js';
import type { Endpoint } from '../model/instance.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import type { MeshSnapshot } from '../model/mesh-snapshot.js';
import { fullName } from '../model/names.js';
import type { NodePlan } from '../model/node-plan.js';
import { callerView } from './caller-view.js';

export { envoyValueProblems } from './envoy-values.js';

export function callerViewOffline(
  index: DefinitionIndex,
  plans: readonly NodePlan[],
  request: CallerViewRequest,
): CallerView {
  return callerView(offlineSnapshot(index, plans), request);
}

function offlineSnapshot(index: DefinitionIndex, plans: readonly NodePlan[]): MeshSnapshot {
  const definitions = viewOf(index);
  return {
    revision: 0,
    storeRevision: 0n,
    mesh: definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh,
    definitions,
    endpoints: byService(plans.flatMap(plannedEndpoints)),
    instances: new Map(),
    plans: new Map(plans.map((plan) => [plan.node, plan])),
    releases: new Map(),
  };
}

/** As if all of them lived. */
function plannedEndpoints({ instances, node, address, region, zone }: NodePlan): readonly Endpoint[] {
  return instances.flatMap(({ namespace, service, version, labels, ports, instance }) =>
    Object.entries(ports.inbound).map(([portName, port]): Endpoint => {
      const place = { address, port, node, region, zone };
      return { namespace, service, version, labels, instance, portName, health: 'HEALTHY', ...place };
    }),
  );
}

function byService(endpoints: readonly Endpoint[]): ReadonlyMap<string, readonly Endpoint[]> {
  const found = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const key = fullName(endpoint.namespace, endpoint.service);
    found.set(key, [...(found.get(key) ?? []), endpoint]);
  }
  return found;
}
