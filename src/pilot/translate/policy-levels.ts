/** One traffic policy out of a DestinationRule's levels: the host's, its port's, the subset's, its port's (reference: 1.2 "Merging"). */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import type { MeshSpec } from '../../model/mesh.js';
import { remember } from './remember.js';

/** Each level replaces whole blocks of the one before; nothing inside of a block is merged. */
export function policyAt(
  ofService: TrafficPolicy | undefined,
  ofSubset: TrafficPolicy | undefined,
  port: number,
): TrafficPolicy | undefined {
  if (ofService === undefined) return ofSubset === undefined ? undefined : atPort(ofSubset, port);
  const below = atPort(ofService, port);
  return ofSubset === undefined ? below : replaced(below, ofSubset, port);
}

/**
 * A port with settings of its own has these alone: what they leave out is the default again, not what the host says. The
 * budget for retries, tunnels and the PROXY protocol have no port of their own.
 */
const atPort = remember((policy: TrafficPolicy, port: number): TrafficPolicy => {
  const own = policy.portLevelSettings?.find((settings) => settings.port.number === port);
  if (own === undefined) return policy;
  const { port: _, ...blocks } = own;
  const { tunnel, proxyProtocol, retryBudget } = policy;
  return { ...blocks, tunnel, proxyProtocol, retryBudget };
});

const replaced = remember((below: TrafficPolicy, above: TrafficPolicy, port: number): TrafficPolicy => {
  const own = above.portLevelSettings?.find((settings) => settings.port.number === port);
  const blocks = own ?? {
    loadBalancer: above.loadBalancer ?? below.loadBalancer,
    connectionPool: above.connectionPool ?? below.connectionPool,
    outlierDetection: above.outlierDetection ?? below.outlierDetection,
    tls: above.tls ?? below.tls,
  };
  const { loadBalancer, connectionPool, outlierDetection, tls } = blocks;
  return {
    loadBalancer,
    connectionPool,
    outlierDetection,
    tls,
    tunnel: above.tunnel ?? below.tunnel,
    proxyProtocol: above.proxyProtocol ?? below.proxyProtocol,
    retryBudget: above.retryBudget ?? below.retryBudget,
  };
});

export type MeshDefaults = NonNullable<MeshSpec['defaultTrafficPolicy']>;

/** With the mesh's word where a block is left out. */
export function withMeshDefaults(
  policy: TrafficPolicy | undefined,
  defaults: MeshDefaults | undefined,
): TrafficPolicy | undefined {
  return defaults === undefined ? policy : filled(defaults, policy);
}

const filled = remember((defaults: MeshDefaults, policy: TrafficPolicy | undefined): TrafficPolicy => {
  const localityLbSetting = policy?.loadBalancer?.localityLbSetting ?? defaults.localityLbSetting;
  return {
    ...policy,
    connectionPool: pooled(defaults, policy),
    outlierDetection: policy?.outlierDetection ?? defaults.outlierDetection,
    loadBalancer:
      localityLbSetting === undefined ? policy?.loadBalancer : { ...policy?.loadBalancer, localityLbSetting },
  };
});

/** Istio has these two apart from its other defaults: they are filled in, where a block replaces the others whole. */
function pooled({ connectionPool }: MeshDefaults, policy: TrafficPolicy | undefined): TrafficPolicy['connectionPool'] {
  const own = policy?.connectionPool;
  if (own === undefined || connectionPool?.tcp === undefined) return own ?? connectionPool;
  const { connectTimeout, tcpKeepalive } = connectionPool.tcp;
  return {
    ...own,
    tcp: {
      connectTimeout,
      ...own.tcp,
      ...(tcpKeepalive === undefined ? {} : { tcpKeepalive: { ...tcpKeepalive, ...own.tcp?.tcpKeepalive } }),
    },
  };
}
