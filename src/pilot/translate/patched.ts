/**
 * What EnvoyFilters make of the resources of a proxy. A mesh without any pays nothing; with some, each resource is patched once for
 * all proxies that share it, and what no patch touches stays the same object.
 */

import { envoyFilterKind } from '../../dsl/envoy-filter.js';
import type { EnvoyFilterSpec, PatchTarget } from '../../dsl/envoy-filter-shape.js';
import type { Definition } from '../../model/definition.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { layersOf } from '../../runtime/layered-map.js';
import { MeshError, messageOf } from '../../runtime/mesh-error.js';
import { violation } from '../../xds/constraints.js';
import { encodeResource } from '../../xds/encode.js';
import type {
  ClusterJson,
  ListenerJson,
  RouteConfigurationJson,
  TypedExtensionConfigJson,
} from '../../xds/envoy-json.js';
import type { Form } from '../../xds/proto-form.js';
import { type ResourceShort, resourceType } from '../../xds/resource-types.js';
import { audienceOf } from './audience.js';
import { byName, layered } from './by-name.js';
import { filtersFor, type Patch, patchesFor, readPatches } from './envoy-patches.js';
import { indexOf } from './mesh-index.js';
import { patchCluster } from './patch-cluster.js';
import { patchListener } from './patch-listener.js';
import {
  anyLike,
  clusterPlaces,
  listenerPlaces,
  type Place,
  type PlaceOf,
  type Places,
  routePlaces,
} from './patch-place.js';
import { patchRoutes } from './patch-routes.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameList } from './remember.js';
import type { TranslatedResources, TranslationProblem } from './resources.js';

export function patched(
  snapshot: MeshSnapshot,
  scope: ProxyScope,
  resources: TranslatedResources,
): TranslatedResources {
  const all = snapshot.definitions.all(envoyFilterKind);
  if (all.length === 0) return resources;
  const { rootNamespace, domain } = indexOf(snapshot.definitions);
  const filters = filtersFor(all, audienceOf(scope).caller, rootNamespace);
  return filters.length === 0 ? resources : patchedOf(scope, resources, filters, domain);
}

const patchedOf = remember(
  (
    scope: ProxyScope,
    resources: TranslatedResources,
    filters: readonly Definition<EnvoyFilterSpec>[],
    domain: string,
  ): TranslatedResources => {
    const patches = patchesFor(filters, scope);
    const of = (...targets: readonly PatchTarget[]): readonly Patch[] =>
      sameList(patches.filter(({ applyTo }) => targets.includes(applyTo)));
    const listeners = patchMap(
      resources.listeners,
      of('LISTENER', 'FILTER_CHAIN', 'LISTENER_FILTER', 'NETWORK_FILTER', 'HTTP_FILTER'),
      listenerPlaces,
      scope,
      domain,
      patchedListener,
    );
    const routes = patchMap(
      resources.routes,
      of('ROUTE_CONFIGURATION', 'VIRTUAL_HOST', 'HTTP_ROUTE'),
      routePlaces,
      scope,
      domain,
      patchedRoutes,
    );
    const clusters = patchMap(resources.clusters, of('CLUSTER'), clusterPlaces, scope, domain, patchedCluster);
    const isGateway = scope.isGateway;
    const added = {
      listeners: additions<ListenerJson>('LDS', listeners.map, of('LISTENER'), isGateway),
      clusters: additions<ClusterJson>('CDS', clusters.map, of('CLUSTER'), isGateway),
      extensions: additions<TypedExtensionConfigJson>('ECDS', resources.extensions, of('EXTENSION_CONFIG'), isGateway),
    };
    return {
      ...resources,
      listeners: added.listeners.map,
      routes: routes.map,
      clusters: added.clusters.map,
      extensions: added.extensions.map,
      problems: [
        ...resources.problems,
        ...filters.flatMap((owner) => readPatches(owner).unread.map(({ message }) => problemOf(owner, message))),
        ...[listeners, routes, clusters, ...Object.values(added)].flatMap(({ problems }) => problems),
      ],
    };
  },
);

interface Result<Outcome> {
  readonly outcome: Outcome;
  readonly problems: readonly TranslationProblem[];
}

type PatchOne<Resource> = (resource: Resource, patches: readonly Patch[], place: Place) => Result<Resource | undefined>;

/** Each EnvoyFilter by itself: one whose result is no resource is left out, and the others go on. */
function patchOneBy<Resource extends object>(
  short: ResourceShort,
  apply: (resource: Resource, patch: Patch, place: Place) => Resource | undefined,
): PatchOne<Resource> {
  return remember((resource: Resource, patches: readonly Patch[], place: Place): Result<Resource | undefined> => {
    const problems: TranslationProblem[] = [];
    let outcome: Resource | undefined = resource;
    for (const owner of new Set(patches.map((patch) => patch.owner))) {
      if (outcome === undefined) break;
      try {
        outcome = encodable(short, outcome, () =>
          patches
            .filter((patch) => patch.owner === owner)
            .reduce<Resource | undefined>((now, patch) => now && apply(now, patch, place), outcome),
        );
      } catch (error) {
        problems.push(problemOf(owner, messageOf(error)));
      }
    }
    return { outcome, problems };
  });
}

function encodable<Resource extends object>(
  short: ResourceShort,
  before: Resource,
  make: () => Resource | undefined,
): Resource | undefined {
  const after = make();
  if (after === undefined || after === before) return after;
  const { name } = before as Named;
  if (encodeResource(short, after).name !== name) throw new MeshError('MESH2000', `${name} keeps its name`);
  const wrong = violation(resourceType(short).message, after as Form, false);
  if (wrong !== undefined) throw new MeshError('MESH2000', `${name}: ${wrong}`);
  return after;
}

const patchedListener = patchOneBy<ListenerJson>('LDS', patchListener);
const patchedRoutes = patchOneBy<RouteConfigurationJson>('RDS', patchRoutes);
const patchedCluster = patchOneBy<ClusterJson>('CDS', patchCluster);

interface Named {
  readonly name?: string;
}

interface MapResult<Resource> {
  readonly map: ReadonlyMap<string, Resource>;
  readonly problems: readonly TranslationProblem[];
}

/** Layer by layer, so that what many proxies share is patched once for all of them: the first is a proxy's own. */
function patchMap<Resource extends object>(
  map: ReadonlyMap<string, Resource>,
  patches: readonly Patch[],
  places: Places,
  scope: ProxyScope,
  domain: string,
  patchOne: PatchOne<Resource>,
): MapResult<Resource> {
  if (patches.length === 0) return { map, problems: [] };
  const layers = layersOf(map);
  const results = layers.map((layer, i) =>
    patchLayer(
      layer,
      patches,
      places(i === 0 ? scope : anyLike(scope), domain),
      patchOne as unknown as PatchOne<object>,
    ),
  ) as MapResult<Resource>[]; // of these very layers
  const problems = results.flatMap((result) => result.problems);
  const isSame = results.every((result, i) => result.map === layers[i]);
  return { map: isSame ? map : layered(results.map((result) => result.map)), problems };
}

const patchLayer = remember(
  (
    layer: ReadonlyMap<string, object>,
    patches: readonly Patch[],
    placeOf: PlaceOf,
    patchOne: PatchOne<object>,
  ): MapResult<object> => {
    const names = new Map<object, string>();
    const problems: TranslationProblem[] = [];
    for (const [name, resource] of layer) {
      const result = patchOne(resource, patches, placeOf(name));
      problems.push(...result.problems);
      if (result.outcome !== undefined) names.set(result.outcome, name);
    }
    const isSame = names.size === layer.size && [...names].every(([resource, name]) => layer.get(name) === resource);
    return { map: isSame ? layer : byName([...names.keys()], (resource) => names.get(resource)), problems };
  },
);

/** What patches ADD, each name once. */
function additions<Resource extends object>(
  short: ResourceShort,
  map: ReadonlyMap<string, Resource>,
  patches: readonly Patch[],
  isGateway: boolean,
): MapResult<Resource> {
  const problems: TranslationProblem[] = [];
  const added = new Map<string, object>();
  for (const { owner, operation, match, value } of patches) {
    if (operation !== 'ADD' || (match.context !== 'ANY' && (match.context === 'GATEWAY') !== isGateway)) continue;
    const name = String(value['name']);
    try {
      encodeResource(short, value);
      if (map.has(name) || added.has(name))
        problems.push(problemOf(owner, `${name} is not added: there is one already`));
      else added.set(name, value);
    } catch (error) {
      problems.push(problemOf(owner, messageOf(error)));
    }
  }
  if (added.size === 0) return { map, problems };
  const layer = byName([...added.values()], (resource) => (resource as Named).name);
  return { map: layered<object>([map, layer]) as ReadonlyMap<string, Resource>, problems }; // read as their message
}

function problemOf({ kind, namespace = '', name }: Definition, message: string): TranslationProblem {
  return { kind, namespace, name, message };
}
