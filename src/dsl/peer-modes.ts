/** What all PeerAuthentications together say of one instance. Istio's rules: reference 1.11. */
import type { Definition } from '../model/definition.js';
import type { Labels } from '../model/labels.js';
import { isForWorkload, type PeerAuthenticationSpec } from './peer-authentication-shape.js';
import { selectsInstance } from './selector.js';
import { precedes } from './virtual-service.js';

export type PeerAuthentication = Definition<PeerAuthenticationSpec>;

export type PeerMode = 'DISABLE' | 'PERMISSIVE' | 'STRICT';

export interface PeerModes {
  /** Undefined where nobody says anything. */
  readonly mode: PeerMode | undefined;
  /** By port; all others are as `mode` says. */
  readonly perPort: Readonly<Record<string, PeerMode | undefined>>;
}

export function peerModeAt({ mode, perPort }: PeerModes, port: number): PeerMode | undefined {
  return String(port) in perPort ? perPort[port] : mode;
}

/** One level of three: of the mesh, of a namespace, of workloads. Undefined: it is for nobody. */
export type PeerLevel = 'mesh' | 'namespace' | 'workload';

export function peerLevelOf({ spec, namespace }: PeerAuthentication, rootNamespace: string): PeerLevel | undefined {
  if (!isForWorkload(spec)) return namespace === rootNamespace ? 'mesh' : 'namespace';
  // As in Istio: what is written in the root namespace is for the mesh, and nothing else.
  return namespace === rootNamespace ? undefined : 'workload';
}

/** Those that are for an instance, whatever the level. */
export function peerPoliciesFor(
  all: readonly PeerAuthentication[],
  instance: { readonly namespace: string; readonly labels: Labels },
  rootNamespace: string,
): readonly PeerAuthentication[] {
  return all.filter((policy) => selectsInstance(policy, instance, rootNamespace));
}

/** The oldest of each level counts; what it leaves UNSET is as the level above it says. */
export function composePeerModes(own: readonly PeerAuthentication[], rootNamespace: string): PeerModes {
  const sorted = own.toSorted((a, b) => (precedes(a, b) ? -1 : 1));
  const first = (level: PeerLevel) => sorted.find((policy) => peerLevelOf(policy, rootNamespace) === level)?.spec;
  const workload = first('workload');
  const mode = said(workload?.mtls) ?? said(first('namespace')?.mtls) ?? said(first('mesh')?.mtls);
  const ports = Object.entries(workload?.portLevelMtls ?? {});
  return { mode, perPort: Object.fromEntries(ports.map(([port, mtls]) => [port, said(mtls) ?? mode])) };
}

function said(mtls: PeerAuthenticationSpec['mtls']): PeerMode | undefined {
  return mtls === undefined || mtls.mode === 'UNSET' ? undefined : mtls.mode;
}
