/** Resources of one type, as maps that stay the same object while their resources do. */

import { byKey } from '../../model/order.js';
import { LayeredMap, layersOf } from '../../runtime/layered-map.js';
import { remember, sameList } from './remember.js';

/** Sorted; the same map again when all of its resources are the same objects as before. */
export function byName<Resource extends object>(
  resources: readonly Resource[],
  nameOf: (resource: Resource) => string | undefined,
): ReadonlyMap<string, Resource> {
  const named = resources.map((resource) => [nameOf(resource) ?? '', resource] as const);
  const list = sameList(named.toSorted(byKey).map(([, resource]) => resource));
  return mapOf(list, nameOf as (resource: object) => string | undefined) as ReadonlyMap<string, Resource>; // of this very list
}

const maps = new WeakMap<readonly object[], ReadonlyMap<string, object>>();

function mapOf(
  resources: readonly object[],
  nameOf: (resource: object) => string | undefined,
): ReadonlyMap<string, object> {
  let map = maps.get(resources);
  if (map === undefined) {
    map = new Map(resources.map((resource) => [nameOf(resource) ?? '', resource]));
    maps.set(resources, map);
  }
  return map;
}

/** What a proxy has for itself before what it shares. */
export function withShared<Resource extends object>(
  own: ReadonlyMap<string, Resource>,
  shared: ReadonlyMap<string, Resource>,
): ReadonlyMap<string, Resource> {
  return pairOf(own, shared) as ReadonlyMap<string, Resource>; // of these very maps
}

/** Once per proxy and change: nothing is looked up but the two. */
const pairOf = remember(
  (own: ReadonlyMap<string, object>, shared: ReadonlyMap<string, object>): ReadonlyMap<string, object> =>
    new LayeredMap([...layersOf(own), ...layersOf(shared)]),
);

/** Maps over each other, as layers of one: the same map again for the same layers. */
export function layered<Resource extends object>(
  maps: readonly ReadonlyMap<string, Resource>[],
): ReadonlyMap<string, Resource> {
  const layers = maps.flatMap(layersOf);
  const [only] = layers;
  if (layers.length === 1 && only !== undefined) return only;
  return layeredOf(sameList(layers)) as ReadonlyMap<string, Resource>; // of these very maps
}

const layeredOf = remember(
  (layers: readonly ReadonlyMap<string, object>[]): ReadonlyMap<string, object> => new LayeredMap(layers),
);
