/** EnvoyFilters, read: which patches hold for a proxy, in the order in which they are applied (reference: 1.8). */
import {
  type EnvoyFilterSpec,
  type PatchMatch,
  type PatchOperation,
  type PatchTarget,
  proxyFacts,
} from '../../dsl/envoy-filter-shape.js';
import { precedes } from '../../dsl/virtual-service.js';
import type { Definition } from '../../model/definition.js';
import { selects } from '../../model/labels.js';
import { MeshError, messageOf } from '../../runtime/mesh-error.js';
import { violation } from '../../xds/constraints.js';
import { type Form, readForm } from '../../xds/proto-form.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameList } from './remember.js';
import type { Caller } from './rules.js';

export type EnvoyFilter = Definition<EnvoyFilterSpec>;

export interface Patch {
  readonly owner: EnvoyFilter;
  readonly applyTo: PatchTarget;
  readonly match: PatchMatch;
  readonly operation: PatchOperation;
  readonly filterClass: string;
  /** Empty for REMOVE. */
  readonly value: Form;
}

export interface UnreadPatch {
  /** Of the definition. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const LISTENER = 'envoy.config.listener.v3.';
const ROUTE = 'envoy.config.route.v3.';

/** Envoy's message of what is patched. */
export const patchMessages: Readonly<Record<PatchTarget, string>> = {
  LISTENER: `${LISTENER}Listener`,
  FILTER_CHAIN: `${LISTENER}FilterChain`,
  LISTENER_FILTER: `${LISTENER}ListenerFilter`,
  NETWORK_FILTER: `${LISTENER}Filter`,
  HTTP_FILTER: 'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter',
  ROUTE_CONFIGURATION: `${ROUTE}RouteConfiguration`,
  VIRTUAL_HOST: `${ROUTE}VirtualHost`,
  HTTP_ROUTE: `${ROUTE}Route`,
  CLUSTER: 'envoy.config.cluster.v3.Cluster',
  EXTENSION_CONFIG: 'envoy.config.core.v3.TypedExtensionConfig',
};

/** A patch whose value is no message of Envoy's is left out, alone. */
export const readPatches: (owner: EnvoyFilter) => {
  readonly patches: readonly Patch[];
  readonly unread: readonly UnreadPatch[];
} = remember((owner: EnvoyFilter) => {
  const patches: Patch[] = [];
  const unread: UnreadPatch[] = [];
  for (const [i, { applyTo, match, patch }] of owner.spec.configPatches.entries()) {
    if (applyTo === 'BOOTSTRAP') continue; // its schema refuses it
    const { operation, filterClass } = patch;
    try {
      const value = operation === 'REMOVE' ? {} : readValue(patchMessages[applyTo], patch.value ?? {}, operation);
      patches.push({ owner, applyTo, match, operation, filterClass, value });
    } catch (error) {
      unread.push({ path: ['spec', 'configPatches', i, 'patch', 'value'], message: messageOf(error) });
    }
  }
  return { patches, unread };
});

/** Throws when Envoy has no such message, or would refuse it. */
function readValue(message: string, written: object, operation: PatchOperation): Form {
  const value = readForm(message, written);
  const wrong = violation(message, value, operation === 'MERGE' || operation === 'MERGE_AND_REPLACE_LIST');
  if (wrong !== undefined) throw new MeshError('MESH2000', `${message}: ${wrong}`);
  return value;
}

/** Those of the root namespace first, then by priority, then the oldest. The same list while it holds the same filters. */
export const filtersFor: (
  filters: readonly EnvoyFilter[],
  caller: Caller,
  rootNamespace: string,
) => readonly EnvoyFilter[] = remember(
  (filters: readonly EnvoyFilter[], caller: Caller, rootNamespace: string): readonly EnvoyFilter[] => {
    const held = filters.filter(
      ({ namespace, spec }) =>
        (namespace === rootNamespace || namespace === caller.namespace) &&
        selects(spec.workloadSelector?.labels ?? {}, caller.labels),
    );
    const rank = ({ namespace }: EnvoyFilter): number => (namespace === rootNamespace ? 0 : 1);
    return sameList(
      held.toSorted((a, b) => rank(a) - rank(b) || a.spec.priority - b.spec.priority || (precedes(a, b) ? -1 : 1)),
    );
  },
);

/** For one proxy, of what says something of it. */
export function patchesFor(filters: readonly EnvoyFilter[], scope: ProxyScope): readonly Patch[] {
  return sameList(
    filters
      .flatMap((owner) => readPatches(owner).patches)
      .filter(({ match }) => {
        const asked = match.proxy?.metadata ?? {};
        return proxyFacts.every((fact) => asked[fact] === undefined || asked[fact] === scope[fact]);
      }),
  );
}
