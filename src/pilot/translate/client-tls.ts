/**
 * TLS that a sidecar begins towards a destination, and the PROXY protocol before it. Certificates are files that Envoy reads
 * itself: keys never pass through the pilot.
 */
import type { ClientTls } from '../../dsl/client-tls.js';
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import { isIpAddress } from '../../dsl/workload-shape.js';
import type { Protocol } from '../../model/fields.js';
import { any } from '../../xds/envoy-any.js';
import type {
  CertificateValidationContextJson,
  CommonTlsContextJson,
  SubjectAltNameMatcherJson,
  TransportSocketJson,
  UpstreamHttpProtocolOptionsJson,
} from '../../xds/envoy-json.js';

/** Where Debian, Ubuntu, Alpine and Envoy's own images keep the CAs of the public. */
export const SYSTEM_CAS = '/etc/ssl/certs/ca-certificates.crt';

/** Envoy's clients stop at 1.2 unless they are told. */
const VERSIONS = { tlsMinimumProtocolVersion: 'TLSv1_2', tlsMaximumProtocolVersion: 'TLSv1_3' } as const;

/** What a connection is made to. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly subset: string;
  readonly protocol: Protocol;
  readonly isHttp2: boolean;
}

/** `folder`: with the certificates of the caller; only ISTIO_MUTUAL needs it. */
export function upstreamSocket(
  { tls, proxyProtocol }: Pick<TrafficPolicy, 'tls' | 'proxyProtocol'>,
  peer: Peer,
  folder: string | undefined,
): TransportSocketJson | undefined {
  const inner = tls === undefined || tls.mode === 'DISABLE' ? undefined : tlsSocket(tls, peer, folder);
  if (proxyProtocol === undefined) return inner;
  return {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    typedConfig: any('envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport', {
      config: { version: proxyProtocol.version },
      transportSocket: inner ?? plain,
    }),
  };
}

const plain: TransportSocketJson = {
  name: 'envoy.transport_sockets.raw_buffer',
  typedConfig: any('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', {}),
};

/** What is asked of each request's host, because nothing is written: the server name, and whose certificate it must be. */
export function askedByHost(tls: ClientTls | undefined, peer: Peer): UpstreamHttpProtocolOptionsJson | undefined {
  if (tls === undefined || tls.mode === 'DISABLE' || namedHost(peer) !== undefined) return undefined;
  if (tls.mode === 'ISTIO_MUTUAL' && meshServerName(peer) !== undefined) return undefined;
  const options = {
    ...(tls.sni === undefined ? { autoSni: true } : {}),
    ...(tls.subjectAltNames === undefined && !tls.insecureSkipVerify ? { autoSanValidation: true } : {}),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

/** Bytes name no host: there it is the one that the cluster stands for, unless that is a wildcard. */
function namedHost({ host, protocol }: Peer): string | undefined {
  return protocol === 'tcp' && !host.startsWith('*') ? host : undefined;
}

function tlsSocket(tls: ClientTls, peer: Peer, folder: string | undefined): TransportSocketJson {
  const sni = tls.sni ?? (tls.mode === 'ISTIO_MUTUAL' ? meshServerName(peer) : namedHost(peer));
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: any('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      commonTlsContext: { tlsParams: VERSIONS, ...(tls.mode === 'ISTIO_MUTUAL' ? ofMesh : ofFiles)(tls, peer, folder) },
      ...(sni === undefined ? {} : { sni }),
    }),
  };
}

/** As a gateway between networks would read it (reference: 1.2). A wildcard has none. */
function meshServerName({ host, port, subset }: Peer): string | undefined {
  return host.startsWith('*') ? undefined : `outbound_.${port}_.${subset}_.${host}`;
}

function ofFiles(tls: ClientTls, peer: Peer): CommonTlsContextJson {
  const { mode, clientCertificate = '', privateKey = '', insecureSkipVerify } = tls;
  return {
    ...(mode === 'MUTUAL' ? { tlsCertificates: [pair(clientCertificate, privateKey)] } : {}),
    ...(insecureSkipVerify
      ? {}
      : { validationContext: checks(tls, tls.caCertificates ?? SYSTEM_CAS, namedHost(peer)) }),
    ...(peer.isHttp2 ? { alpnProtocols: ['h2'] } : {}),
  };
}

/** By Istio's names of files, in a folder that the caller's sidecar may read. */
function ofMesh(tls: ClientTls, { isHttp2, protocol }: Peer, folder = ''): CommonTlsContextJson {
  return {
    tlsCertificates: [pair(`${folder}/cert-chain.pem`, `${folder}/key.pem`)],
    validationContext: checks(tls, `${folder}/root-cert.pem`, undefined),
    // Istio's sidecars know calls of the mesh by the first; a server that does not know it must find one that it speaks.
    alpnProtocols: ['istio', ...(isHttp2 ? ['h2'] : protocol === 'tcp' ? [] : ['http/1.1'])],
  };
}

function pair(certificate: string, key: string) {
  return { certificateChain: { filename: certificate }, privateKey: { filename: key } };
}

function checks(
  { subjectAltNames, caCrl }: ClientTls,
  ca: string,
  host: string | undefined,
): CertificateValidationContextJson {
  const names = subjectAltNames ?? (host === undefined ? [] : [host]);
  return {
    trustedCa: { filename: ca },
    ...(caCrl === undefined ? {} : { crl: { filename: caCrl } }),
    ...(names.length === 0 ? {} : { matchTypedSubjectAltNames: names.flatMap(nameMatchers) }),
  };
}

function nameMatchers(exact: string): readonly SubjectAltNameMatcherJson[] {
  const types = isIpAddress(exact) ? (['IP_ADDRESS'] as const) : (['DNS', 'URI'] as const);
  return types.map((sanType) => ({ sanType, matcher: { exact } }));
}
