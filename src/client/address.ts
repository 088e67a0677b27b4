/** The three address modes of an upstream, as the environment of an application in the mesh tells them. */
import { environmentName } from '../model/names.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `proxy`: call `address` and name `authority`, the sidecar routes by it.
 * `direct`: call one of `addresses` (`host:port`); a proxy port that belongs to this upstream alone looks the same.
 * `naming`: live addresses are below `path` in etcd, in etcd's gRPC naming format.
 */
export type UpstreamAddress =
  | { readonly mode: 'proxy'; readonly address: string; readonly authority: string }
  | { readonly mode: 'direct'; readonly addresses: readonly string[] }
  | { readonly mode: 'naming'; readonly path: string };

const NAMING_SCHEME = 'etcd:///';

/**
 * `upstream` is the name that callers use: `reviews`, `reviews.shop` in another namespace, `reviews:9081` for another port.
 * `undefined` when the environment names no such upstream.
 */
export function resolveAddress(env: Environment, upstream: string): UpstreamAddress | undefined {
  const address = env[`${variable(upstream)}_ADDR`];
  if (address === undefined || address === '') return undefined;
  if (address.startsWith(NAMING_SCHEME)) return { mode: 'naming', path: address.slice(NAMING_SCHEME.length) };
  if (address === sharedProxy(env)) return { mode: 'proxy', address, authority: authorityOf(env, upstream) };
  return { mode: 'direct', addresses: address.split(',').map((one) => one.trim()) };
}

/** Is the upstream spoken to in HTTP? The mesh sets `<NAME>_URL` exactly then. */
export function isHttpUpstream(env: Environment, upstream: string): boolean {
  return env[`${variable(upstream)}_URL`] !== undefined;
}

/** An upstream may have a name of its own in the environment: then its URL tells which host is meant. */
function authorityOf(env: Environment, upstream: string): string {
  const url = env[`${variable(upstream)}_URL`];
  if (url === undefined || /:\d+$/.test(upstream)) return upstream;
  const { host } = new URL(url);
  return host === sharedProxy(env) ? upstream : host;
}

/** The port is not a part of the name, the namespace is: `reviews.shop:9081` is `REVIEWS_SHOP`. */
function variable(upstream: string): string {
  return environmentName(upstream.replace(/:\d+$/, '').replace('.', '-'));
}

function sharedProxy(env: Environment): string | undefined {
  const proxy = env['MESH_PROXY'];
  return proxy === undefined ? undefined : new URL(proxy).host;
}
