/** TLS of a port that connections come in by (reference: 1.6, ServerTLSSettings). */
import { z } from 'zod';
import { notYet, refusedValue } from './not-yet.js';

const FROM_FILES = 'secrets of Kubernetes do not exist here: write serverCertificate and privateKey, files of the node';

export const tlsVersions = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const;
const versionField = z.enum(tlsVersions);

/** What Envoy's BoringSSL has. */
const cipherSuites = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
] as const;

const fileField = z.string().min(1);
const hashField = z.string().min(1);

const pairSchema = z.strictObject({
  serverCertificate: fileField.optional().describe('File with the certificate and those between it and its root, PEM'),
  privateKey: fileField.optional().describe('File with its key, PEM'),
  caCertificates: notYet('the CA of clients stands beside tlsCertificates, once'),
});

const MAX_PAIRS = 2;

const shape = z.strictObject({
  httpsRedirect: z
    .boolean()
    .default(false)
    .describe('Of a plain HTTP port: requests are sent to https, with status 301'),
  mode: refusedValue(
    z.enum(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL', 'ISTIO_MUTUAL', 'AUTO_PASSTHROUGH']),
    (mode) => mode === 'AUTO_PASSTHROUGH',
    'AUTO_PASSTHROUGH joins networks that cannot reach each other: here every caller reaches every instance. Write PASSTHROUGH, and tls routes',
  )
    .default('PASSTHROUGH')
    .describe(
      'SIMPLE ends TLS here; MUTUAL also demands a certificate of the client, OPTIONAL_MUTUAL asks for one; ISTIO_MUTUAL demands one of the mesh, and has its own in the folder `certificates` of its Service: cert-chain.pem, key.pem, root-cert.pem; PASSTHROUGH leaves it to the service',
    ),
  serverCertificate: fileField.optional().describe('File with the certificate and those between it and its root, PEM'),
  privateKey: fileField.optional().describe('File with its key, PEM'),
  tlsCertificates: z
    .array(pairSchema)
    .min(1)
    .max(MAX_PAIRS, 'at most two: one RSA, one ECDSA')
    .optional()
    .describe('In place of serverCertificate and privateKey, two of them: the client decides between RSA and ECDSA'),
  caCertificates: fileField.optional().describe('File with the CAs that clients must come from, PEM'),
  caCrl: fileField.optional().describe('File with certificates of clients that were revoked, PEM'),
  insecureSkipVerify: notYet('a client that shows a certificate is always asked for a right one'),
  credentialName: notYet(FROM_FILES),
  credentialNames: notYet(FROM_FILES),
  caCertCredentialName: notYet('secrets of Kubernetes do not exist here: write caCertificates, a file of the node'),
  subjectAltNames: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Names, one of which a client certificate has'),
  verifyCertificateSpki: z
    .array(hashField)
    .min(1)
    .optional()
    .describe('Base64 SHA-256 of the keys that clients may have'),
  verifyCertificateHash: z
    .array(hashField)
    .min(1)
    .optional()
    .describe('Hex SHA-256 of the certificates that clients may have'),
  minProtocolVersion: versionField.default('TLS_AUTO').describe('Oldest version of TLS. TLS_AUTO is 1.2'),
  maxProtocolVersion: versionField.default('TLS_AUTO').describe('Newest version of TLS. TLS_AUTO is 1.3'),
  cipherSuites: z
    .array(z.enum(cipherSuites))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'a cipher suite stands twice')
    .optional()
    .describe('Ciphers up to TLS 1.2, the preferred first'),
});
export type ServerTls = z.output<typeof shape>;

export const serverTlsSchema = shape.superRefine((tls, context) => {
  for (const message of misfits(tls)) context.addIssue({ code: 'custom', message, input: tls });
});

export function asksClients({ mode }: Pick<ServerTls, 'mode'>): boolean {
  return mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL';
}

export function isPassedThrough({ mode }: Pick<ServerTls, 'mode'>): boolean {
  return mode === 'PASSTHROUGH';
}

/** By certificates of the mesh, in the folder of its Service. */
export function isOfMesh({ mode }: Pick<ServerTls, 'mode'>): boolean {
  return mode === 'ISTIO_MUTUAL';
}

/** A file that TLS ends with: the pairs in order. */
export function certificatesOf(tls: ServerTls): readonly { certificate: string; key: string }[] {
  return (tls.tlsCertificates ?? [tls]).map(({ serverCertificate = '', privateKey = '' }) => ({
    certificate: serverCertificate,
    key: privateKey,
  }));
}

/** Istio's own samples have it, so it is told and not refused. */
export function unreadTls({ mode, caCertificates }: ServerTls): string | undefined {
  return mode === 'SIMPLE' && caCertificates !== undefined
    ? 'SIMPLE asks no client for a certificate: nobody looks at caCertificates'
    : undefined;
}

function misfits(tls: ServerTls): readonly string[] {
  if (tls.mode === 'AUTO_PASSTHROUGH') return []; // refused as it is
  if (isPassedThrough(tls))
    return isBare(tls)
      ? []
      : ['with PASSTHROUGH, TLS ends at the service: certificates, versions and ciphers are set there'];
  if (isOfMesh(tls))
    return isBare(tls) ? [] : ['ISTIO_MUTUAL has its own files, versions and ciphers: write MUTUAL, or leave them out'];
  const isPair = tls.serverCertificate !== undefined || tls.privateKey !== undefined;
  const clientChecks = [tls.subjectAltNames, tls.verifyCertificateSpki, tls.verifyCertificateHash, tls.caCrl];
  const isPaired = certificatesOf(tls).every(({ certificate, key }) => certificate !== '' && key !== '');
  return [
    ...(isPair && tls.tlsCertificates !== undefined
      ? ['serverCertificate with privateKey and tlsCertificates exclude each other']
      : []),
    ...(isPaired ? [] : [`${tls.mode} needs serverCertificate and privateKey`]),
    ...(asksClients(tls) && tls.caCertificates === undefined ? [`${tls.mode} needs caCertificates`] : []),
    ...(asksClients(tls) || clientChecks.every((check) => check === undefined)
      ? []
      : [
          'subjectAltNames, verifyCertificateSpki, verifyCertificateHash and caCrl look at the client: write MUTUAL or OPTIONAL_MUTUAL',
        ]),
    ...(tls.httpsRedirect ? ['httpsRedirect belongs to a plain HTTP port'] : []),
    ...(isOrdered(tls) ? [] : ['minProtocolVersion is newer than maxProtocolVersion']),
  ];
}

function isBare(tls: ServerTls): boolean {
  const { httpsRedirect: _, mode: __, minProtocolVersion: min, maxProtocolVersion: max, ...rest } = tls;
  return Object.values(rest).every((value) => value === undefined) && min === 'TLS_AUTO' && max === 'TLS_AUTO';
}

function isOrdered({ minProtocolVersion: min, maxProtocolVersion: max }: ServerTls): boolean {
  return max === 'TLS_AUTO' || tlsVersions.indexOf(min) <= tlsVersions.indexOf(max);
}
