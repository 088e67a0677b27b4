/** What the definitions ask for, entry by entry. A succeeded release makes an old version mean the new one. */
import { type ClusterSpec, clusterKind, type Deploy } from '../model/cluster.js';
import type { Definition, DefinitionView } from '../model/definition.js';
import { fullName } from '../model/names.js';
import { effectiveVersion, type Release } from '../model/release.js';
import { serviceKind } from '../model/service.js';
import type { ServiceSpec } from '../model/service-shape.js';
import { type VersionSpec, versionKind } from '../model/version.js';
import { fixedPorts, portNeed } from './desired.js';
import { type Candidate, fits, standing, type Wish } from './filters.js';

/** So many instances of one version, spread over these nodes. A `perNode` entry becomes one demand for each node. */
export interface Demand {
  readonly cluster: Definition<ClusterSpec>;
  /** Index in the cluster's `deploy`. */
  readonly entry: number;
  readonly service: Definition<ServiceSpec>;
  readonly version: Definition<VersionSpec>;
  readonly count: number;
  /** Where its instances may stay, sorted. */
  readonly nodes: readonly string[];
  readonly wish: Wish;
}

/** Entries whose version is not defined: what runs of it must not be torn down because a reference dangles. */
export interface Dangling {
  readonly cluster: Definition<ClusterSpec>;
  readonly entry: number;
  /** `<ns>/<service>/<version>` */
  readonly key: string;
}

export interface Demands {
  /** The least free to choose first, so that they find what they need; ties by name. */
  readonly demands: readonly Demand[];
  readonly dangling: readonly Dangling[];
}

export function versionKey(namespace: string, service: string, version: string): string {
  return `${fullName(namespace, service)}/${version}`;
}

export function demandKey({ service, version }: Demand): string {
  return versionKey(service.namespace as string, service.name, version.spec.version);
}

export function demandsOf(
  definitions: DefinitionView,
  releases: ReadonlyMap<string, Release>,
  candidates: readonly Candidate[],
): Demands {
  const versions = new Map(
    definitions
      .all(versionKind)
      .map((v) => [versionKey(v.namespace as string, v.spec.service, v.spec.version), v] as const),
  );
  const demands: Demand[] = [];
  const dangling: Dangling[] = [];
  for (const cluster of definitions.all(clusterKind)) {
    for (const [entry, deploy] of cluster.spec.deploy.entries()) {
      const service = definitions.get(serviceKind, deploy.namespace, deploy.service);
      const named = fullName(deploy.namespace, deploy.service);
      const effective =
        service === undefined ? deploy.version : effectiveVersion(service.spec, releases.get(named), deploy.version);
      const key = versionKey(deploy.namespace, deploy.service, effective);
      const version = versions.get(key);
      if (service === undefined || version === undefined) dangling.push({ cluster, entry, key });
      else demands.push(...entryDemands({ cluster, entry, service, version }, deploy, definitions, candidates));
    }
  }
  return { demands: demands.toSorted(leastFreeFirst), dangling };
}

function entryDemands(
  base: Pick<Demand, 'cluster' | 'entry' | 'service' | 'version'>,
  deploy: Deploy,
  definitions: DefinitionView,
  candidates: readonly Candidate[],
): Demand[] {
  const ports = portNeed(base.service.spec, definitions, deploy.namespace);
  const wish: Wish = {
    cluster: base.cluster.name,
    nodeSelector: deploy.nodeSelector,
    ports,
    fixedPorts: fixedPorts(base.service.spec),
  };
  const nodes = candidates.filter((candidate) => fits(standing, candidate, wish)).map((candidate) => candidate.node);
  if (deploy.perNode === undefined) return [{ ...base, wish, nodes, count: deploy.instances ?? 0 }];
  const count = deploy.perNode;
  // Without any node the demand stays as one, so that somebody says why.
  if (nodes.length === 0) return [{ ...base, wish, nodes, count }];
  return nodes.map((node) => ({ ...base, wish, nodes: [node], count }));
}

function leastFreeFirst(a: Demand, b: Demand): number {
  if (a.nodes.length !== b.nodes.length) return a.nodes.length - b.nodes.length;
  const [keyA, keyB] = [sortKey(a), sortKey(b)];
  if (keyA === keyB) return a.entry - b.entry;
  return keyA < keyB ? -1 : 1;
}

function sortKey(demand: Demand): string {
  const selector = Object.entries(demand.wish.nodeSelector).map(([key, value]) => `${key}=${value}`);
  return [demandKey(demand), demand.cluster.name, ...selector.toSorted(), ...demand.nodes].join('\u0000');
}
