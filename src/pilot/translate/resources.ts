/** What translation answers. */
import type {
  ClusterJson,
  ClusterLoadAssignmentJson,
  ListenerJson,
  RouteConfigurationJson,
  RuntimeJson,
  TypedExtensionConfigJson,
} from '../../xds/envoy-json.js';

/** A definition that could not be translated as it stands, and what was done instead. It spoils nothing but itself. */
export interface TranslationProblem {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
}

/**
 * What one proxy should have, by resource name, sorted. A resource, and a whole map, is the same object as before when nothing
 * that it depends on has changed, for every proxy alike: encode once per object.
 */
export interface TranslatedResources {
  readonly clusters: ReadonlyMap<string, ClusterJson>;
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignmentJson>;
  readonly listeners: ReadonlyMap<string, ListenerJson>;
  readonly routes: ReadonlyMap<string, RouteConfigurationJson>;
  readonly runtime: ReadonlyMap<string, RuntimeJson>;
  /** Filters that a listener asks for by name: only EnvoyFilters bring them. */
  readonly extensions: ReadonlyMap<string, TypedExtensionConfigJson>;
  readonly problems: readonly TranslationProblem[];
}

export const noExtensions: TranslatedResources['extensions'] = new Map();
