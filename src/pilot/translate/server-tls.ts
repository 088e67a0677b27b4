/** TLS that ends at a listener of ours. Certificates are files that Envoy reads itself: keys never pass through the pilot. */
import { asksClients, certificatesOf, type ServerTls } from '../../dsl/server-tls.js';
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
