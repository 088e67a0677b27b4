/** What one proxy should have, as whole immutable values: a change is another View, and what did not change is the same object. */
import { layersOf } from '../runtime/layered-map.js';
import type { ResourceShort } from './resource-types.js';

/** One resource, encoded once and shared by every proxy that may see it. Made by `encodeResource` alone. */
export interface EncodedResource {
  readonly name: string;
  readonly typeUrl: string;
  /** Hex of a hash over the bytes: the resource's xDS version, so that equal resources are equal on every replica. */
  readonly digest: string;
  /** The message itself, deterministic. */
  readonly bytes: Uint8Array;
  /** The same bytes framed as one `resources` field of a DeltaDiscoveryResponse … */
  readonly deltaField: Uint8Array;
  /** … and of a DiscoveryResponse. Both share their memory with `bytes`. */
  readonly sotwField: Uint8Array;
  /** Names of what this resource waits for before it is warm: EDS names for a cluster, RDS names for a listener. */
  readonly needs: readonly string[];
}

export type ResourceMap = ReadonlyMap<string, EncodedResource>;

export interface View {
  /** An opaque sequence of the host; the highest one that a proxy has entirely acknowledged is reported back. */
  readonly storeRevision: bigint;
  /** By type URL, then by resource name. The same map object as before means that nothing of that type has changed. */
  readonly byType: ReadonlyMap<string, ResourceMap>;
  /** Types that this view empties on purpose. Without it, a wildcard type is never emptied: see `subscription.ts`. */
  readonly allowEmpty?: ReadonlySet<ResourceShort>;
}

const nothing: ResourceMap = new Map();

export function resourcesOf(view: View, typeUrl: string): ResourceMap {
  return view.byType.get(typeUrl) ?? nothing;
}

/** A map for `View.byType`, sorted by name, so that equal sets are sent in the same order everywhere. */
export function resourceMap(resources: Iterable<EncodedResource>): ResourceMap {
  const sorted = [...resources].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return new Map(sorted.map((resource) => [resource.name, resource]));
}

const lists = new WeakMap<ResourceMap, readonly EncodedResource[]>();

/** All of a map, in its order. Remembered of each layer: it is asked for by every proxy that comes. */
export function listOf(map: ResourceMap): readonly EncodedResource[] {
  const layers = layersOf(map);
  if (layers.length > 1) return layers.flatMap(listOf);
  let list = lists.get(map);
  if (list === undefined) lists.set(map, (list = [...map.values()]));
  return list;
}

export interface MapDifference {
  /** Names that were added or have another digest. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

const differences = new WeakMap<ResourceMap, WeakMap<ResourceMap, MapDifference>>();

/** Remembered per pair of maps: a thousand proxies that share their maps pay for one comparison. */
export function differenceOf(before: ResourceMap, after: ResourceMap): MapDifference {
  let fromBefore = differences.get(before);
  if (!fromBefore) differences.set(before, (fromBefore = new WeakMap()));
  let difference = fromBefore.get(after);
  if (!difference) fromBefore.set(after, (difference = compare(before, after)));
  return difference;
}

function compare(before: ResourceMap, after: ResourceMap): MapDifference {
  const [older, newer] = [layersOf(before), layersOf(after)];
  if (older.length === 1 && newer.length === 1) return compareLayers(before, after);
  // What all proxies share is compared once for all of them, and only what one has for itself again.
  if (older.length !== newer.length) return compareLayers(before, after);
  const parts = newer.map((layer, i) => differenceOf(older[i] ?? nothing, layer));
  return {
    changed: parts
      .flatMap(({ changed }) => changed)
      .filter((name) => before.get(name)?.digest !== after.get(name)?.digest),
    removed: parts.flatMap(({ removed }) => removed).filter((name) => !after.has(name)),
  };
}

function compareLayers(before: ResourceMap, after: ResourceMap): MapDifference {
  const changed: string[] = [];
  for (const [name, resource] of after) {
    const old = before.get(name);
    if (old !== resource && old?.digest !== resource.digest) changed.push(name);
  }
  const removed = [...before.keys()].filter((name) => !after.has(name));
  return { changed, removed };
}

const sums = new WeakMap<ResourceMap, number>();

/**
 * One digest for a whole map, equal on every replica that has equal resources. A sum of the resources' digests, since
 * it needs no order, costs a tenth of hashing the names again, and adds up over layers. Collisions do no harm beyond a
 * status display: deltas go by each resource's own digest.
 */
export function digestOf(map: ResourceMap): string {
  return hex(layersOf(map).reduce((sum, layer) => (sum + sumOfLayer(layer)) % SUM_MODULUS, 0));
}

function sumOfLayer(layer: ResourceMap): number {
  let sum = sums.get(layer);
  if (sum === undefined) sums.set(layer, (sum = add(layer.values())));
  return sum;
}

const SUM_MODULUS = 2 ** 48;

export function sumOf(resources: Iterable<EncodedResource>): string {
  return hex(add(resources));
}

function add(resources: Iterable<EncodedResource>): number {
  let sum = 0;
  for (const resource of resources) sum = (sum + Number.parseInt(resource.digest.slice(0, 12), 16)) % SUM_MODULUS;
  return sum;
}

function hex(sum: number): string {
  return sum.toString(16).padStart(12, '0');
}
