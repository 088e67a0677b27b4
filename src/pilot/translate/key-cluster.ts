/** Hosts outside the mesh that have the keys of tokens: Envoy fetches these itself. */
import type { ClusterJson } from '../../xds/envoy-json.js';
import { upstreamSocket } from './client-tls.js';
import { dnsLookup } from './external-clusters.js';
import { sameContent } from './remember.js';
import type { KeyHost } from './request-authentication.js';

export function keyClusterName({ host, port, isTls }: KeyHost): string {
  return `jwks|${isTls ? 'https' : 'http'}|${port}|${host}`;
}

/** By TLS: certificates of the public's CAs, for that very host. */
export function keyCluster(keys: KeyHost): ClusterJson {
  const { host, port, isTls } = keys;
  const name = keyClusterName(keys);
  const socket = isTls
    ? upstreamSocket(
        { tls: { mode: 'SIMPLE', sni: host, subjectAltNames: [host], insecureSkipVerify: false } },
        { host, port, subset: '', protocol: 'http', isHttp2: false },
        undefined,
      )
    : undefined;
  return sameContent({
    name,
    type: 'STRICT_DNS',
    ...dnsLookup,
    connectTimeout: '2s',
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: host, portValue: port } } } }] }],
    },
    ...(socket === undefined ? {} : { transportSocket: socket }),
  });
}
