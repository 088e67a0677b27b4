/** WasmPlugins as filters in the listeners of a proxy (Istio: by phase, then by priority, then the oldest). */

import { selectsInstance } from '../../dsl/selector.js';
import { precedes } from '../../dsl/virtual-service.js';
import { type WasmPluginSpec, wasmPluginKind } from '../../dsl/wasm-plugin.js';
import type { Definition } from '../../model/definition.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { type AnyJson, any } from '../../xds/envoy-any.js';
import type {
  FilterJson,
  HttpConnectionManagerJson,
  HttpFilterJson,
  ListenerJson,
  WasmConfigJson,
} from '../../xds/envoy-json.js';
import { audienceOf } from './audience.js';
import { byName } from './by-name.js';
import { indexOf } from './mesh-index.js';
import { listenerPlaces, type Place } from './patch-place.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameContent, sameList } from './remember.js';
import type { TranslatedResources } from './resources.js';
import type { Caller } from './rules.js';

type WasmPlugin = Definition<WasmPluginSpec>;

export function withPlugins(
  snapshot: MeshSnapshot,
  scope: ProxyScope,
  resources: TranslatedResources,
): TranslatedResources {
  const all = snapshot.definitions.all(wasmPluginKind);
  if (all.length === 0) return resources;
  const { rootNamespace, domain } = indexOf(snapshot.definitions);
  const plugins = pluginsFor(all, audienceOf(scope).caller, rootNamespace);
  return plugins.length === 0 ? resources : withPluginsOf(scope, resources, plugins, domain);
}

const pluginsFor = remember(
  (all: readonly WasmPlugin[], caller: Caller, rootNamespace: string): readonly WasmPlugin[] =>
    sameList(
      all
        .filter((one) => selectsInstance(one, caller, rootNamespace))
        .toSorted((a, b) => (b.spec.priority ?? 0) - (a.spec.priority ?? 0) || (precedes(a, b) ? -1 : 1)),
    ),
);

const withPluginsOf = remember(
  (
    scope: ProxyScope,
    resources: TranslatedResources,
    plugins: readonly WasmPlugin[],
    domain: string,
  ): TranslatedResources => {
    const placeOf = listenerPlaces(scope, domain);
    const listeners = [...resources.listeners.values()].map((listener) =>
      pluggedListener(listener, plugins, placeOf(listener.name ?? '')),
    );
    return { ...resources, listeners: byName(listeners, ({ name }) => name) };
  },
);

const pluggedListener = remember(
  (listener: ListenerJson, plugins: readonly WasmPlugin[], place: Place): ListenerJson => {
    const here = plugins.filter((plugin) => runsAt(plugin, place));
    if (here.length === 0) return listener;
    const filterChains = listener.filterChains?.map(({ filters = [], ...chain }) => ({
      ...chain,
      filters: pluggedFilters(filters, here),
    }));
    return filterChains === undefined ? listener : { ...listener, filterChains };
  },
);

/** A gateway is on the side of callers. */
function runsAt({ spec }: WasmPlugin, { context, port }: Place): boolean {
  const side = context === 'SIDECAR_INBOUND' ? 'SERVER' : 'CLIENT';
  const holds = ({ mode, ports }: WasmPluginSpec['match'][number]): boolean =>
    (mode === 'CLIENT_AND_SERVER' || mode === side) &&
    (ports.length === 0 || ports.some(({ number }) => number === port));
  return spec.match.length === 0 || spec.match.some(holds);
}

function pluggedFilters(filters: readonly FilterJson[], plugins: readonly WasmPlugin[]): FilterJson[] {
  const network = plugins.filter(({ spec }) => spec.type === 'NETWORK').map(networkFilter);
  const http = plugins.filter(({ spec }) => spec.type !== 'NETWORK');
  const changed = filters.map((filter) => sameContent(pluggedManager(filter, http)));
  // The last one takes the connection.
  return [...changed.slice(0, -1), ...network, ...changed.slice(-1)];
}

function pluggedManager(filter: FilterJson, plugins: readonly WasmPlugin[]): FilterJson {
  const { name, typedConfig } = filter;
  if (plugins.length === 0 || typedConfig === undefined) return filter;
  if (name !== 'envoy.filters.network.http_connection_manager') return filter;
  const { httpFilters = [] } = typedConfig as HttpConnectionManagerJson; // its name says so
  return {
    ...filter,
    typedConfig: { ...typedConfig, httpFilters: inPhases(httpFilters, plugins) } as typeof typedConfig,
  };
}

const asksElsewhere = (name = ''): boolean => name === 'envoy.filters.http.ext_authz';
const asksWho = (name = ''): boolean => name === 'envoy.filters.http.jwt_authn';
const asksWhether = (name = ''): boolean => name === 'envoy.filters.http.rbac';

function inPhases(filters: readonly HttpFilterJson[], plugins: readonly WasmPlugin[]): readonly HttpFilterJson[] {
  const of = (...phases: readonly string[]): readonly HttpFilterJson[] =>
    plugins.filter(({ spec }) => phases.includes(spec.phase)).map(httpFilter);
  const elsewhere = filters.findLastIndex(({ name }) => asksElsewhere(name)) + 1;
  const firstWho = filters.findIndex(({ name }) => asksWho(name));
  const who = Math.max(elsewhere, filters.findLastIndex(({ name }) => asksWho(name)) + 1);
  const whether = filters.findIndex(({ name }, i) => i >= who && asksWhether(name));
  const authz = whether === -1 ? who : whether;
  const authn = firstWho === -1 ? authz : firstWho;
  const router = filters.length - 1;
  return [
    ...filters.slice(0, authn),
    ...of('AUTHN'),
    ...filters.slice(authn, authz),
    ...of('AUTHZ'),
    ...filters.slice(authz, router),
    ...of('STATS', 'UNSPECIFIED_PHASE'),
    ...filters.slice(router),
  ];
}

const httpFilter = remember(
  (plugin: WasmPlugin): HttpFilterJson => ({
    name: pluginName(plugin),
    typedConfig: any('envoy.extensions.filters.http.wasm.v3.Wasm', { config: pluginConfig(plugin) }),
  }),
);

const networkFilter = remember(
  (plugin: WasmPlugin): FilterJson => ({
    name: pluginName(plugin),
    typedConfig: any('envoy.extensions.filters.network.wasm.v3.Wasm', { config: pluginConfig(plugin) }),
  }),
);

/** As Istio calls it. */
function pluginName({ namespace, name }: WasmPlugin): string {
  return `extensions.istio.io/wasmplugin/${namespace}.${name}`;
}

function pluginConfig(plugin: WasmPlugin): WasmConfigJson {
  const { url, pluginName: rootId, pluginConfig: config, failStrategy, vmConfig } = plugin.spec;
  const variables = vmConfig?.env ?? [];
  const hostEnvKeys = variables.filter(({ valueFrom }) => valueFrom === 'HOST').map(({ name }) => name);
  const inline = variables.filter(({ valueFrom }) => valueFrom === 'INLINE');
  return {
    name: pluginName(plugin),
    ...(rootId === undefined ? {} : { rootId }),
    ...(config === undefined ? {} : { configuration: asText(config) }),
    failurePolicy: failStrategy === 'FAIL_CLOSE' ? 'FAIL_CLOSED' : failStrategy,
    vmConfig: {
      runtime: 'envoy.wasm.runtime.v8',
      code: { local: { filename: url.replace('file://', '') } },
      ...(variables.length === 0
        ? {}
        : {
            environmentVariables: {
              hostEnvKeys,
              keyValues: Object.fromEntries(inline.map(({ name, value = '' }) => [name, value])),
            },
          }),
    },
  };
}

/** Modules read their configuration as text. */
function asText(config: object): AnyJson {
  const text = { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: JSON.stringify(config) };
  return text;
}
