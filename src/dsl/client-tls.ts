/** TLS that a caller's sidecar begins (reference: 1.2, ClientTLSSettings). Certificates are files that Envoy reads. */
import { z } from 'zod';
import { notYet } from './not-yet.js';

const fileField = z.string().min(1);

const shape = z.strictObject({
  mode: z
    .enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'])
    .default('DISABLE')
    .describe(
      'SIMPLE asks the destination for a certificate, MUTUAL shows one too, ISTIO_MUTUAL shows those in the folder `certificates` of the calling Service: cert-chain.pem, key.pem, root-cert.pem',
    ),
  clientCertificate: fileField
    .optional()
    .describe('File with the certificate that is shown and those between it and its root, PEM'),
  privateKey: fileField.optional().describe('File with its key, PEM'),
  caCertificates: fileField
    .optional()
    .describe('File with the CAs that the destination must come from, PEM. Default: those of the sidecar image'),
  caCrl: fileField.optional().describe('File with certificates of destinations that were revoked, PEM'),
  credentialName: notYet(
    'secrets of Kubernetes do not exist here: write caCertificates, clientCertificate and privateKey, files of the node',
  ),
  subjectAltNames: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Names, one of which the certificate of the destination has. Default: the host that was asked for; with ISTIO_MUTUAL any',
    ),
  sni: z.string().min(1).optional().describe('Server name that is asked for. Default: the host that was asked for'),
  insecureSkipVerify: z
    .boolean()
    .default(false)
    .describe('Take any certificate: for tests only, since anybody may have answered'),
});
export type ClientTls = z.output<typeof shape>;

export const clientTlsSchema = shape.superRefine((tls, context) => {
  for (const message of misfits(tls)) context.addIssue({ code: 'custom', message, input: tls });
});

/** Istio takes it, so it is told and not refused. */
export function unreadTls({ mode, insecureSkipVerify }: ClientTls): string | undefined {
  return mode === 'ISTIO_MUTUAL' && insecureSkipVerify
    ? 'ISTIO_MUTUAL always looks at the certificate: insecureSkipVerify does nothing'
    : undefined;
}

function misfits(tls: ClientTls): readonly string[] {
  const { mode, clientCertificate, privateKey, caCertificates, caCrl, subjectAltNames, sni, insecureSkipVerify } = tls;
  const isPair = clientCertificate !== undefined || privateKey !== undefined;
  const isChecked = caCertificates !== undefined || caCrl !== undefined;
  switch (mode) {
    case 'DISABLE':
      return isPair || isChecked || subjectAltNames !== undefined || sni !== undefined || insecureSkipVerify
        ? ['with mode DISABLE, which is the default, there is no TLS to set: write mode SIMPLE or MUTUAL']
        : [];
    case 'ISTIO_MUTUAL':
      return isPair || isChecked ? ['ISTIO_MUTUAL has its own files: write MUTUAL with files, or leave them out'] : [];
    case 'SIMPLE':
    case 'MUTUAL':
      return [
        ...(mode === 'SIMPLE' && isPair ? ['SIMPLE shows no certificate: write MUTUAL'] : []),
        ...(mode === 'MUTUAL' && (clientCertificate === undefined || privateKey === undefined)
          ? ['MUTUAL needs clientCertificate and privateKey']
          : []),
        ...(insecureSkipVerify && (isChecked || subjectAltNames !== undefined)
          ? ['insecureSkipVerify looks at nothing: leave out caCertificates, caCrl and subjectAltNames']
          : []),
      ];
  }
}
