/**
 * The door of an instance: filters that ask who somebody is and whether they may come in, before anything else is done for a request
 * or a connection. They stand in all listeners that others reach: of a service's own ports, of a Sidecar's ingress, and of the edge.
 */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type { FilterJson, HttpConnectionManagerJson, HttpFilterJson, ListenerJson } from '../../xds/envoy-json.js';
import { byName } from './by-name.js';
import { noConnect } from './http-connection.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameContent, sameList } from './remember.js';
import type { TranslatedResources } from './resources.js';

/** In the order in which they ask. */
export interface Guards {
  readonly http: readonly HttpFilterJson[];
  /** Of connections whose bytes are passed on as they are. */
  readonly network: readonly FilterJson[];
}

/** Istio's order: an authorizer of the user's own, the tokens, then the rules. Each is asked for by its own file. */
function guardsOf(_snapshot: MeshSnapshot, _scope: ProxyScope): Guards {
  return { http: sameList<HttpFilterJson>([]), network: sameList<FilterJson>([]) };
}

export function guarded(
  snapshot: MeshSnapshot,
  scope: ProxyScope,
  resources: TranslatedResources,
): TranslatedResources {
  const { http, network } = guardsOf(snapshot, scope);
  return http.length === 0 && network.length === 0 ? resources : withGuards(resources, http, network);
}

const withGuards = remember(
  (resources: TranslatedResources, http: Guards['http'], network: Guards['network']): TranslatedResources => ({
    ...resources,
    listeners: guardedListeners(resources.listeners, { http: sameList(http), network: sameList(network) }),
  }),
);

/** The same listeners for the same guards. */
export function guardedListeners(
  listeners: TranslatedResources['listeners'],
  { http, network }: Guards,
): TranslatedResources['listeners'] {
  const guard = (listener: ListenerJson): ListenerJson =>
    listener.trafficDirection === 'INBOUND' ? guardedListener(listener, sameList(http), sameList(network)) : listener;
  return byName([...listeners.values()].map(guard), ({ name }) => name);
}

const guardedListener = remember(
  (listener: ListenerJson, http: Guards['http'], network: Guards['network']): ListenerJson => ({
    ...listener,
    filterChains:
      listener.filterChains?.map((chain) => ({
        ...chain,
        filters: guardedFilters(chain.filters ?? [], http, network).map(sameContent),
      })) ?? [],
  }),
);

const HTTP = 'envoy.filters.network.http_connection_manager';

function guardedFilters(
  filters: readonly FilterJson[],
  http: Guards['http'],
  network: Guards['network'],
): readonly FilterJson[] {
  const isHttp = filters.some(({ name }) => name === HTTP);
  return isHttp
    ? filters.map((filter) => (filter.name === HTTP ? guardedManager(filter, http) : filter))
    : [...network, ...filters];
}

/** CONNECT is refused without asking. */
function guardedManager(filter: FilterJson, guards: Guards['http']): FilterJson {
  const { typedConfig } = filter;
  if (typedConfig === undefined) return filter;
  const { httpFilters = [] } = typedConfig as HttpConnectionManagerJson; // its name says so
  const at = httpFilters.indexOf(noConnect) + 1;
  const all = [...httpFilters.slice(0, at), ...guards, ...httpFilters.slice(at)];
  return { ...filter, typedConfig: { ...typedConfig, httpFilters: all } as typeof typedConfig };
}
