/** A certificate authority of a test's own, and what it signs: openssl's, since Node cannot make certificates. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface Certificate {
  /** Files. */
  readonly cert: string;
  readonly key: string;
}

/** Certificates for 127.0.0.1, and the authority that signed them, in this folder. */
export function certificatesIn(folder: string, authority = 'ca') {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const at = (name: string): Certificate => ({
    cert: path.join(folder, `${name}.pem`),
    key: path.join(folder, `${name}.key`),
  });
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    `${authority}.key`,
    '-out',
    `${authority}.pem`,
    '-days',
    '2',
    '-subj',
    `/CN=${authority}`,
  );
  return {
    ca: at(authority).cert,
    /** `names` as openssl writes them. */
    sign(name: string, names = 'IP:127.0.0.1'): Certificate {
      writeFileSync(
        path.join(folder, `${name}.ext`),
        `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`,
      );
      openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        `${authority}.pem`,
        '-CAkey',
        `${authority}.key`,
        '-CAcreateserial',
        '-days',
        '2',
        '-extfile',
        `${name}.ext`,
        '-out',
        `${name}.pem`,
      );
      return at(name);
    },
    read: ({ cert, key }: Certificate) => ({ cert: readFileSync(cert), key: readFileSync(key) }),
  };
}
