/**
 * All resources of a map as the fields of a response, put together once for each layer that proxies share: a thousand proxies that
 * come at once are sent the same memory, and not three thousand pieces each.
 */
import { layersOf } from '../runtime/layered-map.js';
import type { EncodedResource, ResourceMap } from './resource-cache.js';

/** In which of its two frames a resource is sent. */
export type Frame = 'deltaField' | 'sotwField';

/** Of so few the pieces are as good. */
const FEW = 8;

/** By layer: undefined until it is asked for a second time. */
type Joined = WeakMap<ResourceMap, Uint8Array | undefined>;

const joined: Readonly<Record<Frame, Joined>> = { deltaField: new WeakMap(), sotwField: new WeakMap() };

export function fieldsOfMap(map: ResourceMap, frame: Frame): readonly Uint8Array[] {
  return layersOf(map).flatMap((layer) => fieldsOfLayer(layer, frame));
}

export function fieldsOf(resources: Iterable<EncodedResource>, frame: Frame): readonly Uint8Array[] {
  return Array.from(resources, (resource) => resource[frame]);
}

/** What one proxy has for itself, or is sent alone, is never put together. */
function fieldsOfLayer(layer: ResourceMap, frame: Frame): readonly Uint8Array[] {
  const known = joined[frame].get(layer);
  if (known !== undefined) return [known];
  const fields = fieldsOf(layer.values(), frame);
  if (layer.size <= FEW) return fields;
  const isFirst = !joined[frame].has(layer);
  const whole = isFirst ? undefined : Buffer.concat(fields);
  joined[frame].set(layer, whole);
  return whole === undefined ? fields : [whole];
}
