import type { RuntimeJson } from '../../xds/envoy-json.js';

/** The layer that the bootstrap asks for. Envoy waits for it before anything else, so it is answered even when it is empty. */
const layer: RuntimeJson = { name: 'mesh', layer: {} };

export const runtimeLayers: ReadonlyMap<string, RuntimeJson> = new Map([['mesh', layer]]);
