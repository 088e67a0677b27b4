/** Patches of a listener and of what stands in it. */
import type { PatchMatch } from '../../dsl/envoy-filter-shape.js';
import type {
  FilterChainJson,
  FilterJson,
  HttpConnectionManagerJson,
  HttpFilterJson,
  ListenerFilterJson,
  ListenerJson,
} from '../../xds/envoy-json.js';
import { type Patch, patchMessages } from './envoy-patches.js';
import { editList, type ListEdit, mapped, merged } from './patch-list.js';
import type { Place } from './patch-place.js';
import { sameContent } from './remember.js';

/** The same listener when the patch is not for it; undefined when it goes. */
export function patchListener(listener: ListenerJson, patch: Patch, place: Place): ListenerJson | undefined {
  const { applyTo, match, operation, value } = patch;
  if (!isListenerMatch(listener, match, place)) return listener;
  const chains: readonly FilterChainJson[] = listener.filterChains ?? [];
  if (applyTo === 'LISTENER') {
    if (operation === 'ADD') return listener;
    return operation === 'REMOVE' ? undefined : merged(listener, { operation, value, message: patchMessages.LISTENER });
  }
  if (applyTo === 'LISTENER_FILTER') return withListenerFilters(listener, patch);
  if (applyTo === 'FILTER_CHAIN') return withChains(listener, chains, editList(chains, chainEdit(patch)));
  const patchedChains = mapped(chains, (chain) => (isChainMatch(chain, match) ? patchChain(chain, patch) : chain));
  return withChains(listener, chains, patchedChains);
}

function isListenerMatch(listener: ListenerJson, { context, listener: asked }: PatchMatch, place: Place): boolean {
  if (context !== 'ANY' && context !== place.context) return false;
  if (asked?.name !== undefined && asked.name !== listener.name) return false;
  if (asked?.portNumber === undefined) return true;
  return asked.portNumber === place.port || asked.portNumber === listener.address?.socketAddress?.portValue;
}

function withChains(
  listener: ListenerJson,
  before: readonly FilterChainJson[],
  after: readonly FilterChainJson[],
): ListenerJson {
  return after === before ? listener : { ...listener, filterChains: [...after] };
}

function withListenerFilters(listener: ListenerJson, { match, operation, value }: Patch): ListenerJson {
  const name = match.listener?.listenerFilter;
  const before: readonly ListenerFilterJson[] = listener.listenerFilters ?? [];
  const after = editList(before, {
    operation,
    value,
    message: patchMessages.LISTENER_FILTER,
    isAnchored: name !== undefined,
    isMatch: (filter) => filter.name === (name ?? value['name']),
  });
  return after === before ? listener : { ...listener, listenerFilters: [...after] };
}

function chainEdit({ match, operation, value }: Patch): ListEdit<FilterChainJson> {
  const isMatch = (chain: FilterChainJson): boolean => isChainMatch(chain, match);
  return { operation, value, message: patchMessages.FILTER_CHAIN, isAnchored: true, isMatch };
}

function isChainMatch({ name, filterChainMatch: takes }: FilterChainJson, { listener }: PatchMatch): boolean {
  const asked = listener?.filterChain;
  if (asked === undefined) return true;
  const isIn = (one: string | undefined, list: readonly string[] = []): boolean =>
    one === undefined || list.includes(one);
  return (
    (asked.name === undefined || asked.name === name) &&
    isIn(asked.sni, takes?.serverNames) &&
    (asked.transportProtocol === undefined || asked.transportProtocol === takes?.transportProtocol) &&
    (asked.applicationProtocols?.split(',') ?? []).every((one) => isIn(one.trim(), takes?.applicationProtocols)) &&
    (asked.destinationPort === undefined || asked.destinationPort === takes?.destinationPort)
  );
}

function patchChain(chain: FilterChainJson, patch: Patch): FilterChainJson {
  const before: readonly FilterJson[] = chain.filters ?? [];
  const after =
    patch.applyTo === 'HTTP_FILTER'
      ? mapped(before, (filter) => patchHttpFilters(filter, patch))
      : editList(before, networkEdit(patch));
  return after === before ? chain : { ...chain, filters: after.map(sameContent) };
}

function networkEdit({ match, operation, value }: Patch): ListEdit<FilterJson> {
  const name = match.listener?.filterChain?.filter?.name;
  return {
    operation,
    value,
    message: patchMessages.NETWORK_FILTER,
    isAnchored: name !== undefined,
    isMatch: (filter) => isFilterMatch(filter, name, value),
    isLastFixed: true,
  };
}

const HTTP_TYPE =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

function patchHttpFilters(filter: FilterJson, patch: Patch): FilterJson {
  const { typedConfig } = filter;
  if (typedConfig?.['@type'] !== HTTP_TYPE) return filter;
  const config = typedConfig as HttpConnectionManagerJson; // its type says so
  const before: readonly HttpFilterJson[] = config.httpFilters ?? [];
  const isClassed = patch.filterClass === 'AUTHN' || patch.filterClass === 'AUTHZ';
  const after = isClassed ? added(before, patch) : editList(before, httpEdit(patch));
  if (after === before) return filter;
  return { ...filter, typedConfig: { ...typedConfig, httpFilters: after } as typeof typedConfig };
}

function httpEdit({ match, operation, value }: Patch): ListEdit<HttpFilterJson> {
  const name = match.listener?.filterChain?.filter?.subFilter?.name;
  return {
    operation,
    value,
    message: patchMessages.HTTP_FILTER,
    isAnchored: name !== undefined,
    isMatch: (filter) => isFilterMatch(filter, name, value),
    isLastFixed: true,
  };
}

interface NamedFilter {
  readonly name?: string;
  readonly typedConfig?: { readonly '@type'?: string };
}

/** By name, where the patch has one; else what is of the same type. */
function isFilterMatch(filter: NamedFilter, name: string | undefined, value: NamedFilter): boolean {
  if (name === undefined)
    return value.typedConfig === undefined
      ? filter.name === value.name
      : filter.typedConfig?.['@type'] === value.typedConfig['@type'];
  return filter.name === name;
}

const asksWho: readonly string[] = ['envoy.filters.http.jwt_authn'];
const asksWhether: readonly string[] = [...asksWho, 'envoy.filters.http.rbac', 'envoy.filters.http.ext_authz'];

/** Behind the last filter of its class. */
function added(filters: readonly HttpFilterJson[], { filterClass, value }: Patch): readonly HttpFilterJson[] {
  const classes = filterClass === 'AUTHN' ? asksWho : asksWhether;
  const at = filters.findLastIndex(({ name = '' }) => classes.includes(name)) + 1;
  return [...filters.slice(0, at), value as HttpFilterJson, ...filters.slice(at)]; // read as its message
}
