/**
 * Translated JSON to bytes, once per object: translators hand out the same object while nothing has changed, and so the whole
 * fleet shares one encoding. A resource that cannot be encoded spoils itself only: the proxy keeps the last good one.
 */
import { LayeredMap, layersOf } from '../runtime/layered-map.js';
import { messageOf } from '../runtime/mesh-error.js';
import { encodeResource } from '../xds/encode.js';
import { type EncodedResource, type ResourceMap, resourceMap } from '../xds/resource-cache.js';
import { type ResourceShort, resourceType } from '../xds/resource-types.js';
import type { TranslatedResources } from './translate/index.js';

/** Where the resources of each type stand in what translation answers. */
export const resourceParts = [
  ['CDS', 'clusters'],
  ['EDS', 'endpoints'],
  ['LDS', 'listeners'],
  ['RDS', 'routes'],
  ['RTDS', 'runtime'],
  ['ECDS', 'extensions'],
] as const satisfies readonly (readonly [ResourceShort, keyof TranslatedResources])[];

type Encoded = { readonly resource: EncodedResource } | { readonly wrong: string };

export interface EncodedSet {
  /** By type URL, as `View.byType` wants it. */
  readonly byType: ReadonlyMap<string, ResourceMap>;
  readonly failures: readonly EncodingFailure[];
}

/** A resource that could not be encoded. */
export interface EncodingFailure {
  readonly type: ResourceShort;
  /** With its name. */
  readonly message: string;
}

const objects = new WeakMap<object, Encoded>();
const maps = new WeakMap<object, ResourceMap>();

/** `before` is what the same proxy had: its maps take the place of equal ones, its resources that of failed ones. */
export function encodeResources(resources: TranslatedResources, before: EncodedSet | undefined): EncodedSet {
  const failures: EncodingFailure[] = [];
  const byType = resourceParts.map(([short, part]): [string, ResourceMap] => {
    const { typeUrl } = resourceType(short);
    return [typeUrl, encodeMap(short, resources[part], before?.byType.get(typeUrl), failures)];
  });
  return { byType: new Map(byType), failures };
}

/** Layer by layer, so that what many proxies share stays one map for all of them. */
function encodeMap(
  short: ResourceShort,
  json: ReadonlyMap<string, object>,
  before: ResourceMap | undefined,
  failures: EncodingFailure[],
): ResourceMap {
  const known = maps.get(json);
  if (known !== undefined) return known;
  const failed = failures.length;
  const layers = layersOf(json);
  const [only] = layers;
  const map =
    layers.length === 1 && only !== undefined
      ? encodeLayer(short, only, before, failures)
      : new LayeredMap(layers.map((layer) => maps.get(layer) ?? encodeLayer(short, layer, before, failures)));
  // With a failure the result depends on what this proxy had, so it is nobody else's.
  if (failures.length === failed) maps.set(json, map);
  return map;
}

function encodeLayer(
  short: ResourceShort,
  layer: ReadonlyMap<string, object>,
  before: ResourceMap | undefined,
  failures: EncodingFailure[],
): ResourceMap {
  const good: EncodedResource[] = [];
  const failed = failures.length;
  for (const [name, resource] of layer) {
    const encoded = encodeOnce(short, resource);
    if ('resource' in encoded) {
      good.push(encoded.resource);
      continue;
    }
    failures.push({ type: short, message: `${name}: ${encoded.wrong}` });
    const last = before?.get(name);
    if (last !== undefined) good.push(last);
  }
  const map = resourceMap(good);
  if (failures.length === failed) maps.set(layer, map);
  return map;
}

function encodeOnce(short: ResourceShort, json: object): Encoded {
  let encoded = objects.get(json);
  if (encoded === undefined) objects.set(json, (encoded = tryEncode(short, json)));
  return encoded;
}

function tryEncode(short: ResourceShort, json: object): Encoded {
  try {
    return { resource: encodeResource(short, json) };
  } catch (error) {
    return { wrong: messageOf(error) };
  }
}
