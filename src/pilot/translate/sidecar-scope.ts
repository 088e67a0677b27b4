/** Which Sidecar holds for a proxy, and which hosts it lets the proxy see. */
import { isWithinHost } from '../../dsl/host.js';
import { type EgressHost, egressHostOf, type SidecarEgress, type SidecarSpec } from '../../dsl/sidecar-shape.js';
import type { Definition } from '../../model/definition.js';
import { selects } from '../../model/labels.js';
import { type MeshHost, type MeshIndex, routedBy, visibleHosts } from './mesh-index.js';
import { remember, sameList } from './remember.js';
import type { Caller } from './rules.js';

export type Sidecar = Definition<SidecarSpec>;

/**
 * The first by name of its namespace that selects it, else the one without a selector there, else the one of the root namespace
 * (reference: 1.7). The list comes sorted.
 */
export const sidecarOf: (sidecars: readonly Sidecar[], caller: Caller, rootNamespace: string) => Sidecar | undefined =
  remember((sidecars: readonly Sidecar[], caller: Caller, rootNamespace: string) => {
    const inNamespace = sidecars.filter(({ namespace }) => namespace === caller.namespace);
    return (
      inNamespace.find(
        ({ spec }) => spec.workloadSelector !== undefined && selects(spec.workloadSelector.labels, caller.labels),
      ) ??
      inNamespace.find(isForAll) ??
      sidecars.find((sidecar) => sidecar.namespace === rootNamespace && isForAll(sidecar))
    );
  });

function isForAll({ spec }: Sidecar): boolean {
  return spec.workloadSelector === undefined;
}

/** Hosts that callers reach without naming them as upstreams. The same list while none of them changes. */
export const hostsInScope: (index: MeshIndex, caller: Caller, sidecar: Sidecar | undefined) => readonly MeshHost[] =
  remember((index: MeshIndex, caller: Caller, sidecar: Sidecar | undefined): readonly MeshHost[] => {
    if (sidecar === undefined || sidecar.spec.egress.length === 0) return visibleHosts(index, caller.namespace);
    const all = [...index.services.values(), ...visibleHosts(index, caller.namespace)];
    return sameList(all.filter((host) => sidecar.spec.egress.some((egress) => lets(egress, host, caller))));
  });

/** What the shared proxy port reaches: hosts of listeners of their own are not among them. */
export function isShared(sidecar: Sidecar | undefined, host: MeshHost, caller: Caller): boolean {
  if (sidecar === undefined || sidecar.spec.egress.length === 0) return true;
  return sidecar.spec.egress.some((egress) => egress.port === undefined && lets(egress, host, caller));
}

export function lets(egress: SidecarEgress, host: MeshHost, caller: Caller): boolean {
  const entries = entriesOf(egress, caller.namespace);
  return (
    entries.some((entry) => !entry.isLeftOut && covers(entry, host, caller)) &&
    !entries.some((entry) => entry.isLeftOut && covers(entry, host, caller))
  );
}

/** `.` is the namespace of the proxy, also in a Sidecar of the root namespace. */
const entriesOf = remember((egress: SidecarEgress, namespace: string): readonly EgressHost[] => {
  const entries = egress.hosts.map((text) => egressHostOf(text, namespace));
  return entries.some(({ isLeftOut, host }) => isLeftOut && host === '*') && entries.length === 1 ? [] : entries;
});

function covers({ namespace, host }: EgressHost, found: MeshHost, caller: Caller): boolean {
  if (namespace !== '*' && namespace !== namespaceOf(found, caller)) return false;
  // Of a wildcard that only rules name, one host is enough: nobody else could have it.
  return isWithinHost(found.host, host) || (found.kind === 'routed' && isWithinHost(host, found.host));
}

/** A host that only a VirtualService names belongs where that stands. */
function namespaceOf(host: MeshHost, caller: Caller): string {
  return host.kind === 'routed' ? (routedBy(host, caller.namespace)?.definition.namespace ?? '') : host.namespace;
}
