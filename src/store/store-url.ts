/** Where the store is: `etcd://host:port[,host:port…][/prefix]`, `etcds://…` for TLS, `embedded:DIR`. */
import { MeshError } from '../runtime/mesh-error.js';
import { DEFAULT_PREFIX } from './keys.js';

export type StoreUrl =
  | {
      readonly kind: 'etcd';
      readonly tls: boolean;
      /** `host:port` each; an IPv6 host is in brackets. */
      readonly addresses: readonly string[];
      /** Ends with a slash. */
      readonly prefix: string;
    }
  | { readonly kind: 'embedded'; readonly dir: string; readonly prefix: string; readonly quotaBytes?: number };

const DEFAULT_PORT = 2379;
const HINT =
  'Store URLs are etcd://host:port[,host:port][/prefix], etcds://… for TLS, and embedded:DIR, with ?quota=512MiB where 2GiB is not right.';
const UNITS: Readonly<Record<string, number>> = { MiB: 1024 ** 2, GiB: 1024 ** 3 };
const MIN_QUOTA_BYTES = 4 * 1024 ** 2;
/** A journal is read as a whole. */
const MAX_QUOTA_BYTES = 3 * 1024 ** 3;

export function parseStoreUrl(text: string): StoreUrl {
  const embedded = /^embedded:(?:\/\/)?([^?]*)(?:\?(.*))?$/.exec(text);
  if (embedded) {
    const [, dir = '', query] = embedded;
    if (dir === '') throw wrong(text, 'it names no directory');
    const quota = query === undefined ? {} : { quotaBytes: parseQuota(text, query) };
    return { kind: 'embedded', dir, prefix: DEFAULT_PREFIX, ...quota };
  }
  const etcd = /^(etcds?):\/\/([^/]*)(?:\/(.*))?$/.exec(text);
  if (!etcd) throw wrong(text, 'it starts with neither etcd://, etcds:// nor embedded:');
  const [, scheme, hosts = '', path = ''] = etcd;
  return {
    kind: 'etcd',
    tls: scheme === 'etcds',
    addresses: hosts.split(',').map((host) => parseAddress(text, host)),
    prefix: parsePrefix(text, path),
  };
}

export function formatStoreUrl(url: StoreUrl): string {
  if (url.kind === 'embedded') {
    const { dir, quotaBytes } = url;
    return `embedded:${dir}${quotaBytes === undefined ? '' : `?quota=${quotaBytes / (UNITS['MiB'] as number)}MiB`}`; // in the table
  }
  const path = url.prefix === DEFAULT_PREFIX ? '' : `/${url.prefix.slice(0, -1)}`;
  return `${url.tls ? 'etcds' : 'etcd'}://${url.addresses.join(',')}${path}`;
}

function parseQuota(url: string, query: string): number {
  const [, count, unit = ''] = /^quota=(\d+)(MiB|GiB)$/.exec(query) ?? [];
  if (count === undefined)
    throw wrong(url, `${JSON.stringify(query)} is not a quota such as quota=512MiB or quota=1GiB`);
  const bytes = Number(count) * (UNITS[unit] ?? 0);
  if (bytes < MIN_QUOTA_BYTES || bytes > MAX_QUOTA_BYTES) throw wrong(url, 'a quota is 4MiB to 3GiB');
  return bytes;
}

function parseAddress(url: string, text: string): string {
  if (text.includes('@')) throw wrong(url, 'user names and passwords do not belong into it');
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  if (!match) throw wrong(url, `${JSON.stringify(text)} is not host:port`);
  const port = match[2] === undefined ? DEFAULT_PORT : Number(match[2]);
  if (port < 1 || port > 65535) throw wrong(url, `${port} is not a port (1 to 65535)`);
  return `${match[1] ?? ''}:${port}`;
}

/** No key starts with a slash, and every prefix ends with one: `mesh` must not match `mesh2/…`. */
function parsePrefix(url: string, path: string): string {
  if (/[?#\s]/.test(path)) throw wrong(url, 'its prefix has a character that is not allowed (?, # or a space)');
  const prefix = path.replace(/\/+$/, '');
  if (prefix === '') return DEFAULT_PREFIX;
  if (prefix.startsWith('/') || prefix.includes('//')) throw wrong(url, 'its prefix has an empty part');
  return `${prefix}/`;
}

function wrong(url: string, why: string): MeshError {
  return new MeshError('MESH2007', `the store URL ${JSON.stringify(url)} is not understood: ${why}`, { hint: HINT });
}
