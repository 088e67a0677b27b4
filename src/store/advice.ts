/** What a person can do about an answer of etcd, or about none. Pure: by the text of the error, which is all there is. */
import { messageOf } from '../runtime/mesh-error.js';

interface Advice {
  readonly pattern: RegExp;
  /** Instead of the text, where that is a library's own. */
  readonly reason?: string;
  readonly hint: string;
}

/** The first that fits holds. */
const advices: readonly Advice[] = [
  {
    pattern: /database space exceeded/,
    reason: 'its space quota is used up (NOSPACE), and it takes no writes',
    hint:
      'Make room, nothing needs a restart: `mesh store compact --keep 10 --defrag`, with the same --store (or etcdctl ' +
      'compact, defrag, alarm disarm). Then let etcd compact by itself: --auto-compaction-retention=24h',
  },
  { pattern: /user name is empty/, hint: 'It has authentication on: give --etcd-user, and MESH_ETCD_PASSWORD.' },
  { pattern: /authentication failed/, hint: 'Check --etcd-user (MESH_ETCD_USER) and MESH_ETCD_PASSWORD.' },
  { pattern: /authentication is not enabled/, hint: 'It knows no users: leave out --etcd-user and MESH_ETCD_USER.' },
  {
    pattern: /permission denied/,
    hint: 'Grant the role of this user readwrite on the prefix of the mesh (lightmesh/), and on services and versions with all that begins so.',
  },
  { pattern: /request is too large/, hint: 'etcd takes 1.5 MiB in one request (--max-request-bytes).' },
  {
    pattern: /alert (bad certificate|certificate required|unknown ca)|certificate required/,
    reason: 'it does not accept our certificate',
    hint: 'Show one that the CA of etcd has signed: --etcd-cert FILE --etcd-key FILE.',
  },
  {
    pattern: /unable to verify|self.signed|unable to get (local )?issuer/,
    reason: 'its certificate is not signed by a CA that we know',
    hint: 'Name the CA that has signed the certificates of etcd: --etcd-ca FILE.',
  },
  {
    pattern: /ERR_TLS_CERT_ALTNAME_INVALID/,
    reason: 'its certificate is for another host',
    hint: 'Write the host in --store as the certificate of etcd names it.',
  },
  {
    pattern: /certificate (has expired|is not yet valid)|CERT_(HAS_EXPIRED|NOT_YET_VALID)/,
    reason: 'its certificate is not valid at this time',
    hint: 'Renew it, or correct the clock of this machine.',
  },
  {
    pattern: /before secure TLS connection was established|wrong version number/,
    reason: 'it does not speak TLS',
    hint: 'If this etcd has no TLS, write etcd:// instead of etcds://.',
  },
  {
    pattern: /Failed to connect/,
    reason: 'it takes connections and ends them',
    hint: 'If this etcd has TLS, write etcds:// and name its CA: --etcd-ca FILE.',
  },
];

/** The part of an error that tells a person something. */
export function shortReason(error: unknown): string {
  const message = messageOf(error);
  const advice = adviceFor(error);
  if (advice?.reason !== undefined) return advice.reason;
  if (message.startsWith('4 DEADLINE_EXCEEDED')) return 'no answer in time';
  return /connect E[A-Z]+/.exec(message)?.[0] ?? message.replace(/^\d+ [A-Z_]+: /, '').slice(0, 200);
}

export function hintFor(error: unknown): string | undefined {
  return adviceFor(error)?.hint;
}

function adviceFor(error: unknown): Advice | undefined {
  const message = messageOf(error);
  return advices.find(({ pattern }) => pattern.test(message));
}
