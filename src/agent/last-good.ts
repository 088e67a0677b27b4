/**
 * What a sidecar serves by, as it shows it itself: accepted from a pilot and in use, so nothing of it was refused. Read into
 * data, and back into the view that is served from it when no pilot is left. Pure.
 */
import { byText } from '../model/order.js';
import { encodeResource, fromProtoNames } from '../xds/encode.js';
import { type EncodedResource, resourceMap, type View } from '../xds/resource-cache.js';
import type { DumpPart } from './sidecar-admin.js';

export type KeptType = 'CDS' | 'EDS' | 'LDS' | 'RDS';

export interface KeptResource {
  readonly type: KeptType;
  /** Proto3 JSON, as `encodeResource` takes it and `mesh proxy config` shows it. */
  readonly json: object;
}

export type Dump = Readonly<Record<DumpPart, readonly object[]>>;

export type Reading =
  | { readonly kind: 'whole'; readonly resources: readonly KeptResource[] }
  /** It has just started. */
  | { readonly kind: 'nothing' }
  /** Something that is referred to is not there (yet), or was refused and has nothing good to stand in for it. */
  | { readonly kind: 'partial'; readonly reason: string };

/** Envoy's admin interface, envoy.admin.v3: each entry wraps the resource, which is an Any. */
interface Entry {
  readonly cluster?: object;
  readonly endpoint_config?: object;
  readonly route_config?: object;
  readonly name?: string;
  readonly active_state?: { readonly listener?: object };
  readonly draining_state?: object;
}

/** Throws when the sidecar has something that this lightmesh cannot encode. */
export function readDump(dump: Dump): Reading {
  const clusters = kept('CDS', dump.dynamic_active_clusters, ({ cluster }) => cluster);
  const endpoints = kept('EDS', dump.dynamic_endpoint_configs, ({ endpoint_config }) => endpoint_config);
  const listeners = kept('LDS', dump.dynamic_listeners, ({ active_state }) => active_state?.listener);
  const routes = kept('RDS', dump.dynamic_route_configs, ({ route_config }) => route_config);
  const unusable = (dump.dynamic_listeners as readonly Entry[]).find((one) => !one.active_state && !one.draining_state);
  if (unusable !== undefined) return partial(`listener ${unusable.name ?? ''} does not listen`);
  if (clusters.length === 0 || listeners.length === 0) return { kind: 'nothing' };
  const neededEndpoints = needsOf(clusters);
  const neededRoutes = needsOf(listeners);
  const missing = [...without(neededEndpoints, endpoints), ...without(neededRoutes, routes)];
  if (missing.length > 0) return partial(`${missing.join(', ')} is missing`);
  // Envoy shows the addresses of static clusters among the endpoints, and routes that nobody uses any more for a while.
  const used = [
    ...endpoints.filter(({ encoded }) => neededEndpoints.has(encoded.name)),
    ...routes.filter(({ encoded }) => neededRoutes.has(encoded.name)),
  ];
  return { kind: 'whole', resources: [...clusters, ...listeners, ...used].map(({ type, json }) => ({ type, json })) };
}

/** Throws when something in it cannot be encoded. */
export function lastGoodView(resources: readonly KeptResource[]): View {
  const encoded = [...resources.map(({ type, json }) => encodeResource(type, json)), runtime];
  const types = [...new Set(encoded.map(({ typeUrl }) => typeUrl))];
  const maps = types.map(
    (typeUrl) => [typeUrl, resourceMap(encoded.filter((one) => one.typeUrl === typeUrl))] as const,
  );
  return { storeRevision: 0n, byType: new Map(maps) };
}

/** Without a pilot, runtime has its safe values. Envoy waits for this layer before anything else, so it is answered. */
const runtime = encodeResource('RTDS', { name: 'mesh', layer: {} });

interface Kept extends KeptResource {
  readonly encoded: EncodedResource;
}

function kept(type: KeptType, entries: readonly object[], resourceIn: (entry: Entry) => object | undefined): Kept[] {
  return (entries as readonly Entry[])
    .flatMap((entry) => resourceIn(entry) ?? [])
    .map((resource) => {
      const json = fromProtoNames(type, withoutZeroWeights(withoutAnyType(resource)));
      return { type, json, encoded: encodeResource(type, json) };
    })
    .toSorted(byText(({ encoded }) => encoded.name));
}

function withoutAnyType(resource: object): object {
  const { '@type': _type, ...message } = resource as { readonly '@type'?: string };
  return message;
}

/** Envoy shows a locality without a weight as one with the weight 0, which it does not accept itself. */
function withoutZeroWeights(resource: object): object {
  const { endpoints } = resource as { readonly endpoints?: readonly { readonly load_balancing_weight?: number }[] };
  if (!Array.isArray(endpoints)) return resource;
  const cleaned = endpoints.map((locality: { readonly load_balancing_weight?: number }) => {
    const { load_balancing_weight: weight, ...rest } = locality;
    return weight === 0 || weight === undefined ? rest : locality;
  });
  return { ...resource, endpoints: cleaned };
}

function needsOf(resources: readonly Kept[]): ReadonlySet<string> {
  return new Set(resources.flatMap(({ encoded }) => encoded.needs));
}

function without(needed: ReadonlySet<string>, resources: readonly Kept[]): string[] {
  const there = new Set(resources.map(({ encoded }) => encoded.name));
  return [...needed].filter((name) => !there.has(name));
}

function partial(reason: string): Reading {
  return { kind: 'partial', reason };
}
