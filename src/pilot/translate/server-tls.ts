/** TLS that ends at a listener of ours. Certificates are files that Envoy reads itself: keys never pass through the pilot. */
import { asksClients, certificatesOf, isOfMesh, type ServerTls } from '../../dsl/server-tls.js';
import { any } from '../../xds/envoy-any.js';
import type { CertificateValidationContextJson, TlsParametersJson, TransportSocketJson } from '../../xds/envoy-json.js';

/** `protocols`: what is offered by ALPN, the preferred first. */
export function downstreamTls(tls: ServerTls, protocols: readonly string[]): TransportSocketJson {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: any('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
      commonTlsContext: {
        tlsParams: parameters(tls),
        tlsCertificates: certificatesOf(tls).map(({ certificate, key }) => ({
          certificateChain: { filename: certificate },
          privateKey: { filename: key },
        })),
        ...(asksClients(tls) ? { validationContext: clientChecks(tls) } : {}),
        ...(protocols.length === 0 ? {} : { alpnProtocols: [...protocols] }),
      },
      requireClientCertificate: tls.mode === 'MUTUAL',
    }),
  };
}

/** `identity`: of the proxy, for ISTIO_MUTUAL. */
export function serverSocket(
  tls: ServerTls,
  protocols: readonly string[],
  identity: MeshIdentity | undefined,
): TransportSocketJson {
  return isOfMesh(tls) && identity !== undefined ? meshTls(identity, protocols) : downstreamTls(tls, protocols);
}

/** Certificates of the mesh, in a folder that the proxy may read, and who may have signed itself a caller of it. */
export interface MeshIdentity {
  readonly folder: string;
  readonly trustDomains: readonly string[];
}

/** By Istio's names of files. Whose name is in none of the trust domains is no caller of the mesh, whoever signed it. */
export function meshTls({ folder, trustDomains }: MeshIdentity, protocols: readonly string[]): TransportSocketJson {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: any('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
      commonTlsContext: {
        tlsParams: {
          tlsMinimumProtocolVersion: 'TLSv1_2',
          tlsMaximumProtocolVersion: 'TLSv1_3',
          cipherSuites: MESH_CIPHERS,
        },
        tlsCertificates: [
          {
            certificateChain: { filename: `${folder}/cert-chain.pem` },
            privateKey: { filename: `${folder}/key.pem` },
          },
        ],
        validationContext: {
          trustedCa: { filename: `${folder}/root-cert.pem` },
          matchTypedSubjectAltNames: trustDomains.map((domain) => ({
            sanType: 'URI',
            matcher: { prefix: `spiffe://${domain}/` },
          })),
        },
        ...(protocols.length === 0 ? {} : { alpnProtocols: [...protocols] }),
      },
      requireClientCertificate: true,
    }),
  };
}

/** Istio's, in its order. */
const MESH_CIPHERS = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
];

function parameters({ minProtocolVersion, maxProtocolVersion, cipherSuites }: ServerTls): TlsParametersJson {
  return {
    tlsMinimumProtocolVersion: envoyVersion(minProtocolVersion === 'TLS_AUTO' ? 'TLSV1_2' : minProtocolVersion),
    ...(maxProtocolVersion === 'TLS_AUTO' ? {} : { tlsMaximumProtocolVersion: envoyVersion(maxProtocolVersion) }),
    ...(cipherSuites === undefined ? {} : { cipherSuites: [...cipherSuites] }),
  };
}

function envoyVersion(
  version: Exclude<ServerTls['minProtocolVersion'], 'TLS_AUTO'>,
): NonNullable<TlsParametersJson['tlsMinimumProtocolVersion']> {
  return version.replace('TLSV', 'TLSv') as 'TLSv1_2'; // one of them; only the case differs
}

function clientChecks(tls: ServerTls): CertificateValidationContextJson {
  const { caCertificates = '', caCrl, subjectAltNames, verifyCertificateSpki, verifyCertificateHash } = tls;
  return {
    trustedCa: { filename: caCertificates },
    ...(caCrl === undefined ? {} : { crl: { filename: caCrl } }),
    ...(verifyCertificateSpki === undefined ? {} : { verifyCertificateSpki: [...verifyCertificateSpki] }),
    ...(verifyCertificateHash === undefined ? {} : { verifyCertificateHash: [...verifyCertificateHash] }),
    ...(subjectAltNames === undefined
      ? {}
      : {
          matchTypedSubjectAltNames: subjectAltNames.flatMap((exact) =>
            (['DNS', 'URI'] as const).map((sanType) => ({ sanType, matcher: { exact } })),
          ),
        }),
  };
}
