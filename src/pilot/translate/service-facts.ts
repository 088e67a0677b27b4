/** What is known of a service at one moment: its stable version and all its versions. */
import type { Definition } from '../../model/definition.js';
import type { Endpoint } from '../../model/instance.js';
import { type Labels, labelsOf, labelsOfVersion } from '../../model/labels.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { byText } from '../../model/order.js';
import { effectiveStable, isActive, type Release } from '../../model/release.js';
import type { VersionSpec } from '../../model/version.js';
import { indexOf, type MeshHost, type ServiceHost } from './mesh-index.js';
import { remember, sameList } from './remember.js';

export interface KnownVersion {
  readonly version: string;
  readonly labels: Labels;
}

export interface HostFacts {
  readonly entry: MeshHost;
  /** What plain traffic gets, a succeeded release included; undefined: all versions. */
  readonly stable: string | undefined;
  /** Sorted. */
  readonly versions: readonly KnownVersion[];
}

export interface ServiceFacts extends HostFacts {
  readonly entry: ServiceHost;
}

/** Who serves a host that is no service of ours is known by labels alone: all of it is plain, and there are no versions. */
export function factsOfHost(snapshot: MeshSnapshot, entry: MeshHost): HostFacts {
  return (entry.kind === 'service' ? factsOf(snapshot, entry.key) : undefined) ?? withoutVersions(entry);
}

const withoutVersions = remember((entry: MeshHost): HostFacts => ({ entry, stable: undefined, versions: [] }));

export function factsOf(snapshot: MeshSnapshot, key: string): ServiceFacts | undefined {
  const entry = indexOf(snapshot.definitions).services.get(key);
  if (entry === undefined) return undefined;
  return factsFrom(entry, snapshot.releases.get(key), snapshot.endpoints.get(key));
}

const factsFrom = remember(
  (entry: ServiceHost, release: Release | undefined, endpoints: readonly Endpoint[] = []): ServiceFacts =>
    facts(entry, effectiveStable(entry.spec, release), versionsOf(entry, release, endpoints)),
);

const facts = remember(
  (entry: ServiceHost, stable: string | undefined, versions: readonly KnownVersion[]): ServiceFacts => ({
    entry,
    stable,
    versions,
  }),
);

/**
 * The versions that are defined, and those that a route or a release names, so that whatever a rule can say has a cluster. A
 * service without any Version runs outside: its versions are those that registered.
 */
function versionsOf(
  entry: ServiceHost,
  release: Release | undefined,
  endpoints: readonly Endpoint[],
): readonly KnownVersion[] {
  const found = new Map<string, KnownVersion>();
  for (const definition of entry.versions) {
    found.set(definition.spec.version, definedVersion(definition));
  }
  if (found.size === 0) {
    for (const endpoint of endpoints) {
      const { version } = endpoint;
      if (version === '' || found.has(version)) continue;
      found.set(version, registeredVersion(endpoint.labels, entry.name, version));
    }
  }
  for (const version of namedVersions(entry, release)) {
    if (!found.has(version)) found.set(version, registeredVersion(noLabels, entry.name, version));
  }
  return sameList([...found.values()].toSorted(byText(({ version }) => version)));
}

const noLabels: Labels = {};

const definedVersion = remember(
  (definition: Definition<VersionSpec>): KnownVersion => ({
    version: definition.spec.version,
    labels: labelsOfVersion(definition),
  }),
);

const registeredVersion = remember(
  (labels: Labels, service: string, version: string): KnownVersion => ({
    version,
    labels: labelsOf(service, version, labels),
  }),
);

function namedVersions(entry: ServiceHost, release: Release | undefined): readonly string[] {
  const splits = entry.route?.spec.rules.flatMap((rule) => rule.split.map((part) => part.version)) ?? [];
  const stable = entry.spec.stable === undefined ? [] : [entry.spec.stable];
  const isEffective = isActive(release) || release?.phase === 'succeeded';
  return [...stable, ...splits, ...(isEffective ? [release.stable, release.gray] : [])];
}
