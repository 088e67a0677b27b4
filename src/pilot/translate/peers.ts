/** Who comes in at the ports of one proxy, as all PeerAuthentications together say. */
import { peerAuthenticationKind } from '../../dsl/peer-authentication.js';
import { composePeerModes, type PeerModes, peerModeAt, peerPoliciesFor } from '../../dsl/peer-modes.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { audienceOf } from './audience.js';
import { indexOf } from './mesh-index.js';
import type { ProxyScope } from './proxy.js';
import { sameContent } from './remember.js';
import type { TranslationProblem } from './resources.js';
import type { MeshIdentity } from './server-tls.js';
import type { Sidecar } from './sidecar-scope.js';

export interface Peers {
  readonly modes: PeerModes;
  /** Absent while the proxy has no certificates. */
  readonly identity: MeshIdentity | undefined;
}

/** How a port takes connections. `closed`: callers must show certificates, and there is none to show to them. */
export type Entrance =
  | { readonly kind: 'plain' | 'closed' }
  | { readonly kind: 'mutual' | 'both'; readonly identity: MeshIdentity };

const plain: Entrance = { kind: 'plain' };
const closed: Entrance = { kind: 'closed' };
const nothingSaid: Peers = { modes: { mode: undefined, perPort: {} }, identity: undefined };

/** The same object for the same content. */
export function peersOf({ definitions }: MeshSnapshot, scope: ProxyScope): Peers {
  const all = definitions.all(peerAuthenticationKind);
  if (all.length === 0) return nothingSaid;
  const { rootNamespace, trustDomains } = indexOf(definitions);
  const modes = composePeerModes(peerPoliciesFor(all, audienceOf(scope).caller, rootNamespace), rootNamespace);
  return sameContent({ modes, identity: meshIdentity(scope, trustDomains) });
}

/** The same object for the same content; undefined while the proxy has no certificates. */
export function meshIdentity(
  { certificates: folder }: ProxyScope,
  trustDomains: readonly string[],
): MeshIdentity | undefined {
  return folder === undefined ? undefined : sameContent({ folder, trustDomains });
}

export function entranceAt({ modes, identity }: Peers, port: number): Entrance {
  switch (peerModeAt(modes, port)) {
    case undefined:
    case 'DISABLE':
      return plain;
    case 'PERMISSIVE':
      return identity === undefined ? plain : { kind: 'both', identity };
    case 'STRICT':
      // Never in plain text instead.
      return identity === undefined ? closed : { kind: 'mutual', identity };
  }
}

export function peerProblems(
  { namespace, service, servicePorts }: ProxyScope,
  sidecar: Sidecar | undefined,
  peers: Peers,
): readonly TranslationProblem[] {
  const ingress = sidecar?.spec.ingress ?? [];
  const ports = new Set([...servicePorts.map(({ port }) => port), ...ingress.map(({ port }) => port.number)]);
  const shut = [...ports].filter((port) => entranceAt(peers, port).kind === 'closed');
  const unread = ingress.filter(
    ({ port, tls }) => tls !== undefined && entranceAt(peers, port.number).kind !== 'plain',
  );
  return [
    ...shut.map((port) => ({
      kind: 'Service',
      namespace,
      name: service,
      message: `nobody comes in at port ${port}: a PeerAuthentication says STRICT, and the instance has no certificates; write certificates in the Service, a folder of the node with cert-chain.pem, key.pem and root-cert.pem`,
    })),
    ...unread.map(({ port }) => ({
      kind: 'Sidecar',
      namespace: sidecar?.namespace ?? namespace,
      name: sidecar?.name ?? '',
      message: `tls of ingress port ${port.number} does nothing: a PeerAuthentication says who comes in there; say DISABLE for the port in it`,
    })),
  ];
}
